/**
 * How the page of an admin listener looks: on a phone and on a wide screen, in the light and in the dark.
 */
export const pageStyle = `
:root {
  color-scheme: light dark;
  --ground: #fafaf8; --sheet: #fff; --ink: #1d2125; --soft: #59636e; --line: #e2e4e6;
  --serving: #1a7f4b; --stopping: #955600; --bad: #b3261e;
  --tone: var(--soft);
  font: 100%/1.5 system-ui, sans-serif;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #15181b; --sheet: #1d2125; --ink: #e6e8ea; --soft: #a0a9b2; --line: #33393f;
    --serving: #62c894; --stopping: #e3a84d; --bad: #ff8f85;
  }
}
[data-phase=Serving] { --tone: var(--serving); }
[data-phase=LameDuck], [data-phase=Draining] { --tone: var(--stopping); }
[data-failed] { --tone: var(--bad); }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); }
main, footer { max-width: 56rem; margin: 0 auto; padding: 1.25rem 1rem; }
h1 { margin: 0; font-size: 2.25rem; line-height: 1.2; font-weight: 650; color: var(--tone); }
h1::before {
  content: ""; display: inline-block; width: .5em; height: .5em; margin-right: .4em; border-radius: 50%;
  background: currentcolor; vertical-align: .1em;
}
h2 { margin: 0 0 .25rem; font-size: 1rem; font-weight: 650; }
p { margin: .25rem 0; }
.who, #time p, caption, .none { color: var(--soft); }
.who { font-size: .875rem; overflow-wrap: anywhere; }
#status p { font-size: 1.0625rem; max-width: 44rem; }
progress { display: block; width: 100%; height: .5rem; margin: .75rem 0 .375rem; border: 0; border-radius: .25rem; }
progress, progress::-webkit-progress-bar { background: var(--line); border-radius: .25rem; }
progress::-webkit-progress-value { background: var(--tone); border-radius: .25rem; }
progress::-moz-progress-bar { background: var(--tone); border-radius: .25rem; }
#time p, #numbers dt, caption { font-size: .875rem; }
#time p, #numbers dd, .t, .n { font-variant-numeric: tabular-nums; }
#numbers dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, max-content)); gap: .25rem 2rem; margin: 1.25rem 0 0; }
#numbers dt { color: var(--soft); }
#numbers dd { margin: 0; font-size: 1.5rem; line-height: 1.3; }
section { margin-top: 1rem; padding: .875rem 1rem; background: var(--sheet); border: 1px solid var(--line); border-radius: .5rem; }
section:empty { display: none; }
table { width: 100%; border-collapse: collapse; font-size: .9375rem; }
table + table { margin-top: 1.25rem; }
caption { padding: 0 0 .25rem; text-align: left; }
th, td { padding: .375rem .75rem .375rem 0; border-top: 1px solid var(--line); text-align: left; vertical-align: top; font-weight: inherit; overflow-wrap: break-word; }
tbody th { overflow-wrap: anywhere; }
thead th { border: 0; font-size: .8125rem; color: var(--soft); }
th:last-child, td:last-child { padding-right: 0; }
.listed :is(th, td):last-child, .counts :is(th, td):not(:first-child) { text-align: right; }
.counts { table-layout: fixed; }
.counts th:first-child { width: 27%; overflow-wrap: normal; }
.t { white-space: nowrap; }
.facts th { width: 9.5rem; color: var(--soft); }
b { font-weight: 600; }
strong { color: var(--bad); font-weight: 600; }
code { font: .875em/1.5 ui-monospace, monospace; }
a { color: inherit; text-decoration-color: var(--soft); text-underline-offset: .15em; }
:focus-visible { outline: 2px solid var(--tone); outline-offset: 2px; }
[data-phase=Gone] footer { display: none; }
footer { padding-top: 0; font-size: .875rem; color: var(--soft); }
footer dl { display: grid; grid-template-columns: max-content 1fr; gap: .125rem 1rem; margin: .25rem 0; }
footer dt { font-family: ui-monospace, monospace; }
footer dd { margin: 0; }
summary { cursor: pointer; font-weight: 600; }
button { margin-top: .5rem; padding: .5rem 1rem; font: inherit; font-weight: 600; color: var(--sheet); background: var(--bad); border: 0; border-radius: .375rem; cursor: pointer; }
@media (max-width: 30rem) {
  h1 { font-size: 1.875rem; }
  table { font-size: .875rem; }
  .facts th { width: 6.5rem; }
}
`
