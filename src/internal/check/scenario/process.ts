/**
 * The process itself: its signals, its end, and what it leaves behind.
 */
import { existsSync } from "node:fs"
import { answerOf, describe, isKept } from "../client/answers.js"
import { get } from "../client/requests.js"
import { describeEnd, type Stage } from "../run/stage.js"
import { pause, until } from "../wait.js"
import * as Advices from "./advice.js"
import { inFlight } from "./inFlight.js"
import * as Rules from "./rules.js"
import { kept, lost, notAsked, scenario } from "./scenario.js"

/** As the same one comes twice from a terminal and from npm. */
const echoMillis = 20

/** So long a busy machine may keep a process from running. */
const notRunMillis = 1000

export const signalTwice = scenario({
  name: "signal-twice",
  sentence: "the signal comes twice within 20 ms, with a request in flight",
  rule: Rules.signalsForwarded,
  advice: Advices.signalTwice,
  clients: async (stage) => {
    const { client, finish, status } = await inFlight(stage)
    stage.signal()
    await pause(echoMillis)
    // to a process that has not run meanwhile the two would be one
    await stage.server.hasTaken(stage.settings.signal, notRunMillis)
    stage.signal()
    await stage.reaction()
    finish()
    await client.answers(1, stage.remaining())
    return { answer: answerOf(client), status }
  },
  judge: ({ answer, status }) => isKept(answer, status) ? kept(describe(answer)) : lost(describe(answer))
})

/** A client that is answered. What it returns makes it leave. */
const visit = async (stage: Stage): Promise<() => void> => {
  if (stage.offer.http1) {
    const client = await stage.connect("client")
    client.write(get(stage.settings.path))
    await client.answers(1, 5000)
    return () => client.leave()
  }
  const client = stage.openHttp2("client")
  await client.opened()
  await client.open(stage.settings.path).answer(5000)
  return () => client.leave()
}

/** A client that is answered and leaves, and then the signal: nothing is in the way of a good end. */
const quietEnd = async (stage: Stage) => {
  const leave = await visit(stage)
  leave()
  await pause(30)
  stage.signal()
  return stage.end()
}

export const exitCode = scenario({
  name: "exit-code",
  sentence: "nothing is in flight: the server ends in time, with exit code 0",
  rule: Rules.exitStatus,
  advice: Advices.exitCode,
  speaks: "any",
  clients: quietEnd,
  judge: (end) => end.code === 0 && !end.stillRunning ? kept(describeEnd(end)) : lost(describeEnd(end))
})

export const leftBehind = scenario({
  name: "left-behind",
  sentence: "the process that was started has ended: no other one of its processes is left, nor its listener",
  rule: Rules.controlGroup,
  advice: Advices.leftBehind,
  speaks: "any",
  keepsOrphans: true,
  clients: async (stage) => {
    const end = await quietEnd(stage)
    if (end.stillRunning) return { end, left: [] }
    await until(() => stage.server.left().length === 0, 500, 20)
    return { end, left: stage.server.left() }
  },
  judge: ({ end, left: [first, ...others] }) => {
    if (end.stillRunning) return notAsked({ why: `it was ${describeEnd(end)}` })
    if (first === undefined) return kept("nothing is left")
    return lost(`${others.length + 1} left: ${first.command}`)
  }
})

export const restart = scenario({
  name: "restart",
  sentence: "when the server has ended, a new one starts at the same address at once",
  rule: Rules.reuseAddress,
  advice: Advices.restart,
  speaks: "any",
  keepsOrphans: true,
  clients: async (stage) => {
    // the server closes its connection first, and the kernel remembers that for a minute
    await visit(stage)
    await pause(30)
    stage.signal()
    const end = await stage.end()
    return { end, failure: end.stillRunning ? undefined : await stage.startAgain() }
  },
  judge: ({ end, failure }) => {
    if (end.stillRunning) return notAsked({ why: `it was ${describeEnd(end)}` })
    return failure === undefined ? kept("it starts") : lost(failure)
  }
})

export const socketFile = scenario({
  name: "socket-file",
  sentence: "the file of its Unix socket is gone when the server has ended",
  rule: Rules.reuseAddress,
  advice: Advices.restart,
  speaks: "any",
  unasked: ({ target }) => "path" in target ? undefined : { why: "--unix PATH: it listens on a Unix socket there" },
  clients: async (stage) => {
    const end = await quietEnd(stage)
    return { end, left: "path" in stage.target && existsSync(stage.target.path) }
  },
  judge: ({ end, left }) => {
    if (end.stillRunning) return notAsked({ why: `it was ${describeEnd(end)}` })
    return left ? lost("the file is still there") : kept("the file is gone")
  }
})
