/**
 * What keeps the page of an admin listener up to date where JavaScript runs. The server writes the parts; this puts them
 * in their places, and changes only what differs: a selection stays, and a screen reader is not sent back.
 */
export const pageScript = `
"use strict"
const root = document.documentElement
const byId = (id) => document.getElementById(id)

const put = (from, to) => {
  if (from.nodeType !== to.nodeType || from.nodeName !== to.nodeName) return from.replaceWith(to.cloneNode(true))
  if (from.nodeType === Node.TEXT_NODE) {
    if (from.data !== to.data) from.data = to.data
    return
  }
  for (const { name, value } of to.attributes) if (from.getAttribute(name) !== value) from.setAttribute(name, value)
  for (const { name } of [...from.attributes]) if (!to.hasAttribute(name)) from.removeAttribute(name)
  putAll(from, to)
}
const putAll = (from, to) => {
  const before = [...from.childNodes]
  const after = [...to.childNodes]
  after.forEach((child, nth) => nth < before.length ? put(before[nth], child) : from.append(child))
  before.slice(after.length).forEach((child) => child.remove())
}

const show = ({ phase, failed, title, icon, parts }) => {
  root.dataset.phase = phase
  root.toggleAttribute("data-failed", failed)
  if (document.title !== title) document.title = title
  if (byId("icon").getAttribute("href") !== icon) byId("icon").href = icon
  for (const [id, html] of Object.entries(parts)) {
    const template = document.createElement("template")
    template.innerHTML = html
    if (byId(id) !== null) putAll(byId(id), template.content)
  }
  if (phase !== "Serving" && phase !== "LameDuck") byId("actions")?.remove()
}

const events = new EventSource(document.body.dataset.events)
let lastAt = new Date()
let last = {}
events.onmessage = ({ data }) => {
  last = JSON.parse(data)
  lastAt = new Date()
  show(last)
}
events.addEventListener("alive", () => {
  lastAt = new Date()
})
events.addEventListener("end", ({ data }) => {
  events.close()
  show(JSON.parse(data))
})
// it goes on trying by itself; what was seen last stays where it is
events.onerror = () => {
  // too many pages watch already
  if (events.readyState === EventSource.CLOSED && last.phase === undefined) {
    return setTimeout(() => location.reload(), 5000)
  }
  const status = byId("status")
  const { phase } = root.dataset
  if (phase === "Gone" || status === null) return
  if (phase !== "Lost") status.dataset.before = status.querySelector("h1").textContent
  root.dataset.phase = "Lost"
  status.querySelector("h1").textContent = "No answer"
  status.querySelector("p").textContent = "Nobody has answered since " + lastAt.toLocaleTimeString()
    + ". The last that was known of the server: " + status.dataset.before + ". "
    + (events.readyState === EventSource.CLOSED ? "Load the page again to try again." : "Trying again.")
}
`
