/** Plays a history from beginning to end, and returns what was done and seen. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { snapshot } from "../support/leaks.js"
import { tell } from "./commands/hooks.js"
import { play } from "./commands/index.js"
import { close, finishAll } from "./commands/server.js"
import type { Facts } from "./facts.js"
import type { History } from "./history.js"
import { deliver, echoMillis, signal, World } from "./world.js"

/** How long anything may take that depends on the kernel alone, in milliseconds of real time. */
const patienceMillis = 1500

const ignore = () => {}

export interface Played {
  readonly facts: Facts
  /** How often each command was carried out, and what else there was. */
  readonly counts: Record<string, number>
}

export const playHistory = async (
  history: History,
  directory: string,
  onDoing: (what: string) => void = ignore
): Promise<Played> => {
  const resources = snapshot()
  const world = new World(history, directory)
  const counts: Record<string, number> = {}
  const count = (what: string, by = 1) => {
    counts[what] = (counts[what] ?? 0) + by
  }
  // of a third signal nobody else must hear
  process.on(signal, ignore)
  try {
    onDoing("the start")
    await world.start()
    for (const kind of history.listeners) await play(world, { _tag: "Open", kind })
    for (const { command, gap } of history.steps) {
      onDoing(JSON.stringify(command))
      if (await play(world, command)) count(command._tag)
      if (gap === "rest") await world.settle()
      else if (gap === "turn") await new Promise((resolve) => setImmediate(resolve))
    }
    await world.settle()
    if (world.began === undefined) await play(world, { _tag: "Shutdown", how: "interrupt" })
    await world.settle()
    onDoing("the finale")
    const letGo = await finale(world)
    await over(world)
    const served = world.report
    if (served === undefined) throw new Error(`no report: ${world.troubles.join("; ")}`)
    onDoing("the end")
    const left = await leftovers(world)
    const after = world.observed.length
    await world.settle()
    // beside a listener of somebody else's, ours stays until the process ends or one more signal
    await world.advance(echoMillis)
    deliver()
    process.off(signal, ignore)
    // those that keep their own side open
    for (const { socket } of world.clients) socket.destroy()
    left.push(...await untilNothingMore(resources))
    const facts: Facts = {
      history,
      clients: world.clients.map(({ fact }) => fact),
      requests: world.requests,
      hooks: world.hooks.map(({ fact }) => fact),
      observed: world.observed,
      events: world.events,
      phases: world.phases,
      accepted: world.sockets.length,
      began: world.began ?? world.moment,
      draining: world.draining,
      over: world.over,
      closeCalled: world.closeCalled,
      drainNow: world.drainNow,
      letGo,
      report: served,
      reported: world.reported ?? world.moment,
      reports: world.reports,
      loud: world.loud,
      late: world.observed.slice(after).map(({ connection }) => connection.state),
      left,
      troubles: [...world.troubles, ...world.handlers.troubles]
    }
    for (const { phase } of facts.phases) count(`phase ${phase}`)
    count(`outcome ${served.outcome}`)
    for (const { kind } of facts.requests) count(`request ${kind}`)
    for (const { connection: { protocol, state } } of facts.observed) {
      if (state === "Closed") count(`connection ${protocol}`)
    }
    for (const { clientReceived } of served.cut) count(`cut ${clientReceived}`)
    for (const { outcome } of served.hooks) count(`hook ${outcome}`)
    for (const { ending } of facts.clients) count(`client ${ending}`)
    return { facts, counts }
  } finally {
    process.off(signal, ignore)
    for (const { socket } of world.clients) socket.destroy()
    for (const socket of world.sockets) socket.destroy()
    for (const { node } of world.listeners) if (node.listening) node.close()
  }
}

/** How the shutdown is brought to its end. Returns when everything that waits was let go, if it was. */
const finale = async (world: World): Promise<Facts["letGo"]> => {
  const { finale, policy: { killTimeout, lameDuck, timeout } } = world.history
  if (finale === "close") {
    close(world)
    await world.settle()
    await world.advance(killTimeout)
    return undefined
  }
  const letGo = finale === "let go" ? await letAllGo(world) : undefined
  if (world.report === undefined && Number.isFinite(timeout)) await world.advance(lameDuck + timeout + killTimeout)
  // what has no deadline may wait for ever, and what was let go may not
  else if (world.report === undefined && letGo !== undefined) await world.advance(lameDuck + 60_000)
  if (world.report === undefined && !Number.isFinite(timeout)) {
    close(world)
    await world.settle()
    await world.advance(killTimeout)
  }
  return letGo
}

/** Clients send what they have begun, read what there is, and leave where nothing else would make them. */
const letAllGo = async (world: World): Promise<Facts["letGo"]> => {
  const rounds = 4
  for (let round = 0; round < rounds; round++) {
    for (const client of world.clients) {
      const { fact } = client
      if (!fact.reading) {
        fact.reading = true
        client.readOn()
      }
      if (fact.left !== undefined || fact.ending !== "open") continue
      client.more(Number.MAX_SAFE_INTEGER)
      if (fact.upgraded === undefined || (fact.polite && fact.requests.at(-1)?.kind === "websocket")) continue
      fact.left = world.moment
      client.socket.destroy()
    }
    finishAll(world)
    for (const hook of world.hooks) if (hook.tell !== undefined) tell(world, hook, "succeed")
    await world.settle()
    // draining starts the hooks, and they too want to be let go
    if (round === 0) await world.advance(world.history.policy.lameDuck)
  }
  return world.moment
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

const within = async (condition: () => boolean): Promise<boolean> => {
  const limit = performance.now() + patienceMillis
  while (!condition()) {
    if (performance.now() > limit) return false
    await turn()
  }
  return true
}

/** The report is there, and everybody has seen the end of their connection. */
const over = async (world: World): Promise<void> => {
  if (!await within(() => world.report !== undefined)) {
    world.troubles.push("rule 3: there is no report, although the time for it has run out")
    world.call(world.server.close)
    await world.settle()
    await world.advance(world.history.policy.killTimeout)
    await within(() => world.report !== undefined)
  }
  for (const client of world.clients) client.readOn()
  await world.settle()
  const open = () => world.clients.filter(({ fact }) => fact.left === undefined && fact.ending === "open")
  if (!await within(() => open().length === 0)) {
    world.troubles.push(`rule 4: connections are still open: of clients ${open().map(({ fact }) => fact.id).join()}`)
  }
  await world.settle()
}

/** What is still there although it should not be. */
const leftovers = async (world: World): Promise<Array<string>> => {
  const left: Array<string> = []
  const abandoned = world.report?.handlers.abandoned ?? 0
  // what was interrupted this very moment may be about to end
  const isAtOnce = world.closeCalled !== undefined || world.history.policy.killTimeout === 0
  if (world.liveAtReport > abandoned || (world.liveAtReport < abandoned && !isAtOnce)) {
    left.push(`${world.liveAtReport} handlers ran, and ${abandoned} were reported as abandoned`)
  }
  const plain = Array.from(world.handlers.live).filter((id) => !world.liveOfApp.includes(id))
  if (plain.length > 0) left.push(`the responses to ${plain.join()} have not closed`)
  for (const socket of world.sockets) {
    if (!socket.destroyed) left.push("a socket is open")
  }
  for (const { fact, node } of world.listeners) if (node.listening) left.push(`the listener ${fact.kind} listens`)
  finishAll(world)
  for (const hook of world.hooks) {
    if (hook.tell !== undefined) tell(world, hook, "succeed")
    if (hook.fact.takenBack === undefined) world.run(Scope.close(hook.scope, Exit.void))
  }
  for (const { closing, scope } of world.listeners) {
    if (scope !== undefined && !closing) world.run(Scope.close(scope, Exit.void))
  }
  world.release()
  await world.settle()
  await world.advance(10_000)
  await within(() => world.running.size === 0)
  if (world.running.size > 0) left.push(`${world.running.size} of what was asked of the server have not ended`)
  if (world.clock.sleeping > 0) left.push(`${world.clock.sleeping} sleep`)
  if (world.handlers.live.size > 0) left.push(`handlers run for ever: ${Array.from(world.handlers.live).join()}`)
  const connections = Effect.runSync(world.server.connections)
  if (connections.length > 0) left.push(`${connections.length} connections are known`)
  return left
}

/** Sockets, timers and listeners of the process are as many as before. */
const untilNothingMore = async (earlier: ReturnType<typeof snapshot>): Promise<ReadonlyArray<string>> => {
  const more = () => {
    const now = snapshot()
    // the channel to the parent of this process is one, while it is in use
    const own = (name: string) => name === "PipeWrap" && process.connected ? 1 : 0
    return Object.keys(now).filter((name) =>
      name !== "Immediate" && (now[name] ?? 0) > (earlier[name] ?? 0) + own(name)
    )
  }
  await within(() => more().length === 0)
  return more().map((name) => `more of ${name} than before`)
}
