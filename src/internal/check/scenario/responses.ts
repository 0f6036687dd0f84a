/**
 * Responses that take long.
 */
import { answerOf, describe } from "../client/answers.js"
import { get } from "../client/requests.js"
import { describeEnd } from "../run/stage.js"
import { pause } from "../wait.js"
import * as Advices from "./advice.js"
import * as Rules from "./rules.js"
import { kept, lost, needsPath, scenario } from "./scenario.js"

const megabyte = 1024 * 1024

export const big = scenario({
  name: "big",
  sentence: "a large answer to a client that reads slowly, with more of it than the kernel's buffers hold",
  rule: Rules.incomplete,
  advice: Advices.cutResponse,
  unasked: needsPath("big", "a path that answers with 8 MiB or more"),
  clients: async (stage) => {
    const client = await stage.connect("client", { paused: true })
    client.write(get(stage.settings.big ?? "/"))
    // the buffers of both kernels fill up
    await pause(300)
    stage.signal()
    await stage.reaction()
    await pause(200)
    const bytes = stage.offer.bigBytes ?? 0
    // a second, for a longer one as well: it should not be the supervisor's time that is asked for
    client.readAt(Math.max(20 * megabyte, bytes))
    await client.answers(1, stage.remaining())
    return { answer: answerOf(client), bytes }
  },
  judge: ({ answer, bytes }) => {
    const all = `${(bytes / megabyte).toFixed(1)} MiB`
    return answer._tag === "Whole" ? kept(`all ${all} came`) : lost(`of ${all}: ${describe(answer)}`)
  }
})

export const stream = scenario({
  name: "stream",
  sentence: "an answer that never ends, to a client that stays: the server ends in time",
  rule: Rules.killTimeout,
  advice: Advices.doesNotEnd,
  patient: true,
  unasked: needsPath("stream", "a path whose answer never ends"),
  clients: async (stage) => {
    const client = await stage.connect("client", { keepHalfOpen: true })
    client.write(get(stage.settings.stream ?? "/"))
    await client.changes.until(() => client.reader.responses.length > 0 || !client.isOpen, 5000)
    stage.signal()
    const end = await stage.end()
    await client.over(200)
    return { end, answer: answerOf(client) }
  },
  judge: ({ answer, end }) => {
    if (end.stillRunning) return lost(describeEnd(end))
    return kept(`${describeEnd(end)}; ${answer._tag === "Whole" ? "the stream was ended" : "the stream was cut"}`)
  }
})
