import { check, withDirectory } from "./run.js"
const usual: any = { policy: { lameDuck: 0, timeout: 8000, killTimeout: 1000, idleGrace: 50, newConnectionGrace: 5000, poll: "spaced" }, main: "app", held: "scope", throwingObserver: false, listeners: [], finale: "let go",
  steps: [
   { command: {"_tag":"Connect","listener":0,"halfOpen":false}, gap: "rest"},
  { command: {"_tag":"Upgrade","client":0,"to":"websocket","polite":true}, gap: "none"},
  { command: {"_tag":"DrainNow"}, gap: "rest"},
  { command: {"_tag":"Reset","client":0}, gap: "rest"},
  { command: {"_tag":"Open","kind":"tcp app"}, gap: "none"}] }
console.log(await withDirectory((d) => check(usual, d)))
for (const h of (process as any)._getActiveHandles()) if (h.constructor.name === "Socket" && h._handle?.constructor.name === "TCP") console.log(h.destroyed, h.readable, h.writable, h.readableFlowing, h.connecting, h.server !== undefined, h._httpMessage !== undefined, h.parser !== undefined, h.localPort, h.remotePort, h.allowHalfOpen, h.isPaused(), h.listenerCount("data"), h.eventNames())
