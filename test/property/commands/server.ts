/** What happens to the server: its listeners, its clock, and its end. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { before } from "../facts.js"
import type { Command } from "../history.js"
import { open as openListener } from "../listeners.js"
import { pieces } from "../requests.js"
import { pick, type World } from "../world.js"

type Of<T extends Command["_tag"]> = Extract<Command, { readonly _tag: T }>

/** A handler that waits goes on. */
export const finish = (world: World, { handler, how }: Of<"Finish">): boolean => {
  const id = pick(Array.from(world.handlers.waiting.keys()), handler)
  if (id === undefined) return false
  world.handlers.tell(id, how)
  return true
}

/** All of them go on to their end. */
export const finishAll = (world: World): void => {
  for (const id of world.handlers.waiting.keys()) {
    for (let n = 0; n <= pieces && world.handlers.waiting.has(id); n++) world.handlers.tell(id, "answer")
  }
}

export const open = async (world: World, { kind }: Of<"Open">): Promise<boolean> => {
  if (world.listeners.length >= 5 || (kind.endsWith("app") && world.history.main === "plain")) return false
  const began = world.began
  const exit = await world.runPromise(
    openListener(world.server, kind, world.handlers, world.directory, (node) => world.prepare(node))
  )
  if (Exit.isSuccess(exit)) {
    world.listeners.push(exit.value)
    if (began !== undefined && before(began, world.moment)) {
      world.troubles.push("a server that had begun to shut down listened once more")
    }
  } else if (world.began === undefined) world.troubles.push(`it would not listen: ${String(exit)}`)
  return true
}

export const closeListener = (world: World, { listener }: Of<"CloseListener">): boolean => {
  const listening = pick(world.listeners.filter(({ closing, scope }) => scope !== undefined && !closing), listener)
  if (listening?.scope === undefined) return false
  listening.closing = true
  listening.closesAlone = true
  world.run(Scope.close(listening.scope, Exit.void)).addObserver(() => {
    listening.closesAlone = false
  })
  return true
}

/** Time passes only when everything has come to rest: what is on its way takes microseconds. */
export const advance = async (world: World, { millis }: Of<"Advance">): Promise<boolean> => {
  await world.settle()
  await world.advance(millis)
  return true
}

export const shutdown = (world: World, { how }: Of<"Shutdown">): boolean => {
  if (how === "call") {
    world.begin()
    world.call(world.server.shutdown)
  } else world.release()
  return true
}

export const drainNow = (world: World): boolean => {
  world.begin()
  world.drainNow = true
  world.run(world.server.drainNow)
  return true
}

export const signal = (world: World): boolean => {
  if (world.history.held !== "signals") return false
  world.signal()
  return true
}

export const close = (world: World): boolean => {
  world.cut()
  world.call(Effect.map(world.server.close, (report) => report))
  return true
}
