/** Rules 3, 4, 6, 7 and 8: how it ends, for everybody. */
import * as Duration from "effect/Duration"
import * as Equal from "effect/Equal"
import { slowMillis } from "../commands/hooks.js"
import { before, type Facts, type HookFact } from "../facts.js"

/** The longest of what a drain waits for that is owed nothing: a promise of 5 seconds and the time on the wire. */
const graceMillis = 6500

export function* bounded(facts: Facts): Generator<string> {
  const { began, closeCalled, draining, history: { policy }, letGo, report, reported } = facts
  const limit = policy.lameDuck + policy.timeout + policy.killTimeout
  const took = reported.at - began.at
  if (took > limit) yield `rule 3: it took ${took} ms, and ${limit} is the limit`
  if (closeCalled !== undefined && reported.at > closeCalled.at + policy.killTimeout) {
    yield `rule 3: it took ${reported.at - closeCalled.at} ms from close, and ${policy.killTimeout} is the limit`
  }
  if (Duration.toMillis(report.duration) !== took) {
    yield `the report says ${Duration.format(report.duration)}, it took ${took} ms`
  }
  const parts = [report.lameDuck, report.draining, report.killing].map(Duration.toMillis)
  if (parts.reduce((a, b) => a + b, 0) !== took) yield `the parts of the report are ${parts.join(" + ")} ms of ${took}`
  if (letGo === undefined || draining === undefined || closeCalled !== undefined) return
  const due = Math.max(letGo.at, draining.at) + graceMillis
  if (due < draining.at + policy.timeout && reported.at > due) {
    yield `rule 3: nobody was owed anything since ${letGo.at - began.at} ms, and it took ${took}`
  }
}

export function* phases({ closeCalled, drainNow, events, history, phases, report }: Facts): Generator<string> {
  const names = phases.map(({ phase }) => phase).join()
  const expected = [
    ...(history.policy.lameDuck > 0 ? ["LameDuck,Draining,Closed"] : ["Draining,Closed"]),
    ...(drainNow && history.policy.lameDuck > 0 ? ["Draining,Closed"] : []),
    ...(closeCalled === undefined ? [] : ["Closed", ...(history.policy.lameDuck > 0 ? ["LameDuck,Closed"] : [])])
  ]
  if (!expected.includes(names)) yield `the phases were ${names}`
  const last = events.at(-1)
  if (last?._tag !== "PhaseChanged" || last.phase !== "Closed") yield "the last event was not the phase Closed"
  if ((closeCalled !== undefined) !== (report.outcome === "Closed")) yield `the outcome was ${report.outcome}`
}

export function* callers({ history, loud, report, reports }: Facts): Generator<string> {
  if (!reports.every((each) => each === report || Equal.equals(each, report))) {
    yield "rule 6: callers got several reports"
  }
  if (loud !== undefined && history.held !== "signals" && loud !== (report.outcome === "DeadlineExceeded")) {
    yield `the outcome was ${report.outcome}, and what held the server ended ${loud ? "loudly" : "silently"}`
  }
}

const next: Readonly<Record<string, ReadonlyArray<string>>> = {
  New: ["Active", "Closed"],
  Active: ["Idle", "Hijacked", "Closed"],
  Idle: ["Active", "Closed"],
  Hijacked: ["Closed"],
  Closed: []
}

export function* connections({ accepted, events, late, observed, reported }: Facts): Generator<string> {
  const states = new Map<number, string>()
  for (const { connection: { id, state } } of observed) {
    const last = states.get(id)
    if (last === undefined ? state !== "New" : next[last]?.includes(state) !== true) {
      yield `rule 7: connection ${id} went from ${last ?? "nothing"} to ${state}`
    }
    states.set(id, state)
  }
  for (const [id, state] of states) if (state !== "Closed") yield `rule 7: connection ${id} ended ${state}`
  for (const { connection, when } of observed) {
    if (when.epoch > reported.epoch) {
      yield `rule 7: connection ${connection.id} was ${connection.state} after the report`
    }
  }
  if (states.size !== accepted) yield `rule 7: ${states.size} connections were seen, and ${accepted} accepted`
  if (late.length > 0) yield `rule 7: much later connections were seen: ${late.join()}`
  const told = events.flatMap((event) =>
    event._tag === "ConnectionChanged" ? `${event.connection.id} ${event.connection.state}` : []
  )
  if (told.join() !== observed.map(({ connection: { id, state } }) => `${id} ${state}`).join()) {
    yield "rule 7: the events tell of other connections than the observers"
  }
}

export function* hooks(facts: Facts): Generator<string> {
  const { began, draining, events, hooks, over, report, reported } = facts
  const reports = new Map(report.hooks.map((hook) => [hook.name, hook]))
  if (reports.size !== report.hooks.length) yield "rule 6: a hook is twice in the report"
  const order = hooks.map(({ name }) => name).filter((name) => reports.has(name))
  if (order.join() !== report.hooks.map(({ name }) => name).join()) {
    yield `the hooks of the report are ${report.hooks.map(({ name }) => name).join()}`
  }
  for (const hook of hooks) {
    const { name, registered, started, takenBack } = hook
    const runs = started.length
    if (runs > 1) yield `rule 6: ${name} ran ${runs} times`
    if (draining === undefined) {
      if (runs > 0) yield `rule 6: ${name} ran, and the server was closed at once`
      continue
    }
    if (takenBack !== undefined && takenBack.epoch < began.epoch) {
      if (runs > 0) yield `rule 6: ${name} ran although it had been taken back`
      continue
    }
    if (runs === 0 && (takenBack === undefined || takenBack.epoch > began.epoch)) yield `rule 6: ${name} never ran`
    if (started.some(({ epoch }) => epoch < draining.epoch)) yield `rule 6: ${name} ran before draining`
    if (runs === 0 || registered.epoch >= reported.epoch) continue
    const own = reports.get(name)
    if (own === undefined) yield `rule 8: ${name} is not in the report`
    else if (!outcomesOf(hook, over?.at).includes(own.outcome)) yield `rule 8: ${name} is said to have ${own.outcome}`
    const told = events.filter((event) => event._tag === "HookEnded" && event.hook.name === name).length
    if (told !== 1) yield `${name} has ended in ${told} events`
  }
}

/** How a hook can have ended. */
const outcomesOf = (
  { kind, limit, started: [started], told }: HookFact,
  over = Number.POSITIVE_INFINITY
): ReadonlyArray<string> => {
  const end = Math.min(over, (started?.at ?? 0) + (limit ?? Number.POSITIVE_INFINITY))
  const outcome = told?.how === "succeed" ? "Succeeded" : "Failed"
  switch (kind) {
    case "quick":
      return end <= (started?.at ?? 0) ? ["Succeeded", "TimedOut"] : ["Succeeded"]
    case "fails":
    case "dies":
      return end <= (started?.at ?? 0) ? ["Failed", "TimedOut"] : ["Failed"]
    case "slow": {
      const ends = (started?.at ?? 0) + slowMillis
      return ends < end ? ["Succeeded"] : ends > end ? ["TimedOut"] : ["Succeeded", "TimedOut"]
    }
    case "held":
      if (told === undefined || told.when.at > end) return ["TimedOut"]
      return told.when.at < end ? [outcome] : [outcome, "TimedOut"]
    case "masked":
      if (told === undefined) return ["Abandoned"]
      return told.when.at < end ? [outcome] : [outcome, "TimedOut", "Failed", "Abandoned"]
  }
}

export function* nothingLeft({ left, troubles }: Facts): Generator<string> {
  for (const one of left) yield `rule 4: ${one}`
  yield* troubles
}

/** Those that a history begins and ends with at the same time may be on either side. */
export function* counted({ began, observed, report }: Facts): Generator<string> {
  const { accepted, cut, idleClosed, completed, open } = report.connections
  if (open + accepted !== completed + idleClosed + cut) {
    yield `the connections of the report do not add up: ${JSON.stringify(report.connections)}`
  }
  const isNow = observed.some(({ connection: { state }, when }) =>
    when.epoch === began.epoch && (state === "New" || state === "Closed")
  )
  const earlier = observed.filter(({ when }) => before(when, began))
  const count = (state: string) => earlier.filter(({ connection }) => connection.state === state).length
  if (!isNow && open !== count("New") - count("Closed")) {
    yield `the report says that ${open} connections were open, and they were ${count("New") - count("Closed")}`
  }
  for (const { id, inFlight } of report.forceClosed) {
    if (inFlight.length > 0) yield `connection ${id} was force-closed, and was owed an answer`
  }
  if (report.forceClosed.length > cut) {
    yield `${report.forceClosed.length} connections were force-closed, and ${cut} cut`
  }
}
