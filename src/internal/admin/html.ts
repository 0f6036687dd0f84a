/**
 * HTML, written by hand: what comes from elsewhere is escaped, and what was escaped is of another type.
 */
export interface Html {
  readonly html: string
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  "\"": "&quot;",
  "'": "&#39;"
}

const escape = (text: string): string => text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? character)

type Part = Html | string | number | ReadonlyArray<Html> | undefined

const print = (part: Part): string => {
  if (part === undefined) return ""
  if (typeof part === "string" || typeof part === "number") return escape(String(part))
  return "html" in part ? part.html : part.map(({ html }) => html).join("")
}

/** A template: its own text is HTML, and each value is text, or HTML that was written by this. */
export const html = (strings: TemplateStringsArray, ...parts: ReadonlyArray<Part>): Html => ({
  html: strings.map((string, nth) => string + print(parts[nth])).join("")
})

/** What is written in a source of ours, as it is. */
export const raw = (text: string): Html => ({ html: text })

export const nothing: Html = { html: "" }

/** A table that has a row for each of `rows`, whose first cell is its header. */
export const table = (
  caption: string,
  head: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string | number | Html>>,
  kind: "counts" | "listed" = "listed"
): Html => {
  const cell = (value: string | number | Html, nth: number) => {
    const isNumber = typeof value === "number"
    return nth === 0
      ? html`<th scope="row">${value}</th>`
      : raw(`<td${isNumber ? ` class="n"` : ""}>${print(value)}</td>`)
  }
  return html`<table class="${kind}"><caption>${caption}</caption><thead><tr>${
    head.map((name) => html`<th scope="col">${name}</th>`)
  }</tr></thead><tbody>${rows.map((row) => html`<tr>${row.map(cell)}</tr>`)}</tbody></table>`
}

/** `2.4 s`, `12 s`, `5 min`, `3 min 4 s`, `2 h 5 min`. */
export const age = (millis: number): string => {
  const seconds = Math.max(0, millis) / 1000
  if (seconds < 10) return `${(Math.floor(seconds * 10) / 10).toFixed(1)} s`
  if (seconds < 60) return `${Math.floor(seconds)} s`
  return seconds < 3600 ? both(seconds / 60, "min", "s") : both(seconds / 3600, "h", "min")
}

const both = (n: number, unit: string, smaller: string): string => {
  const rest = Math.floor((n % 1) * 60 + 1e-6)
  return `${Math.floor(n)} ${unit}${rest === 0 ? "" : ` ${rest} ${smaller}`}`
}

const bad = new Set(["Failed", "TimedOut", "Abandoned", "Interrupted"])

/** How something is, or has ended: what is bad is not said by color alone. */
export const word = (state: string): Html =>
  bad.has(state) ? html`<strong>${inWords[state] ?? state}</strong>` : html`${inWords[state] ?? state}`

const inWords: Readonly<Record<string, string>> = { Abandoned: "Left behind", TimedOut: "Timed out" }

/** An address, which a narrow column may break before its port. */
export const address = (text: string): Html => {
  const port = text.lastIndexOf(":")
  return port < 0 ? html`${text}` : html`${text.slice(0, port)}<wbr>${text.slice(port)}`
}
