/**
 * Clients that do not do their part: the server has to end in time all the same.
 */
import type { Client } from "../client/client.js"
import { get, halfBody, halfHead } from "../client/requests.js"
import type { End, Finding } from "../model.js"
import { describeEnd, type Stage } from "../run/stage.js"
import { pause } from "../wait.js"
import * as Advices from "./advice.js"
import { arrivalMillis, bodyOf } from "./inFlight.js"
import * as Rules from "./rules.js"
import { kept, lost, needsBody, needsKeepAlive, scenario } from "./scenario.js"

export const inTime = (end: End): Finding => end.stillRunning ? lost(describeEnd(end)) : kept(describeEnd(end))

/** One that does something, and then nothing more, whatever the server does. */
const stubborn =
  (act: (client: Client, stage: Stage) => void | Promise<void>, paused = false) => async (stage: Stage) => {
    const client = await stage.connect("client", { keepHalfOpen: true, paused })
    await act(client, stage)
    await pause(arrivalMillis)
    stage.signal()
    return stage.end()
  }

export const ends = scenario({
  name: "idle-stays",
  sentence: "a keep-alive client that sends nothing more and does not leave: the server ends in time",
  rule: Rules.killTimeout,
  advice: Advices.doesNotEnd,
  patient: true,
  unasked: needsKeepAlive,
  clients: stubborn(async (client, stage) => {
    client.write(get(stage.settings.path))
    await client.answers(1, 5000)
  }),
  judge: inTime
})

export const silent = scenario({
  name: "never-sends",
  sentence: "a client that has connected and never sends: the server ends in time",
  rule: Rules.killTimeout,
  advice: Advices.doesNotEnd,
  speaks: "any",
  patient: true,
  clients: stubborn(() => {}),
  judge: inTime
})

export const unfinishedHead = scenario({
  name: "never-ends-head",
  sentence: "a client that never finishes the head of its request: the server ends in time",
  rule: Rules.killTimeout,
  advice: Advices.doesNotEnd,
  patient: true,
  clients: stubborn((client, stage) => client.write(halfHead(stage.settings.path)[0])),
  judge: inTime
})

export const unfinishedBody = scenario({
  name: "never-ends-body",
  sentence: "a client that never finishes the body of its request: the server ends in time",
  rule: Rules.killTimeout,
  advice: Advices.doesNotEnd,
  patient: true,
  unasked: needsBody,
  clients: stubborn((client, stage) =>
    client.write(halfBody(stage.settings.post ?? stage.settings.path, bodyOf(stage.offer))[0])
  ),
  judge: inTime
})

export const neverReads = scenario({
  name: "never-reads",
  sentence: "a client that reads nothing of its answers: the server ends in time",
  rule: Rules.killTimeout,
  advice: Advices.doesNotEnd,
  patient: true,
  clients: stubborn((client, { settings }) => client.write(get(settings.big ?? settings.path)), true),
  judge: inTime
})
