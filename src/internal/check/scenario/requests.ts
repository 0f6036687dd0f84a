/**
 * Requests that have begun when the signal comes.
 */
import { answerOf, describe, isKept } from "../client/answers.js"
import type { Answer } from "../client/answers.js"
import { expectContinue, get, halfBody, halfHead } from "../client/requests.js"
import type { Finding } from "../model.js"
import type { Stage } from "../run/stage.js"
import { pause } from "../wait.js"
import * as Advices from "./advice.js"
import { arrivalMillis, bodyOf, inFlight } from "./inFlight.js"
import * as Rules from "./rules.js"
import { kept, lost, needsBody, needsKeepAlive, needsPath, notAnswered, scenario } from "./scenario.js"

const judged = (answer: Answer, status: number): Finding =>
  isKept(answer, status) ? kept(describe(answer)) : lost(describe(answer))

/** The first piece before the signal, the second one when the server knows of it. */
const inTwo = async (stage: Stage, [first, rest]: readonly [string, string]): Promise<Answer> => {
  const client = await stage.connect("client")
  client.write(first)
  await pause(arrivalMillis)
  stage.signal()
  await stage.reaction()
  client.write(rest)
  await client.answers(1, stage.remaining())
  return answerOf(client)
}

export const halfAHead = scenario({
  name: "half-head",
  sentence: "half of a request's head was sent before the signal, the rest comes after it",
  rule: Rules.goShutdown,
  advice: Advices.cutRequest,
  clients: (stage) => inTwo(stage, halfHead(stage.settings.path)),
  judge: (answer, offer) => judged(answer, offer.status)
})

export const halfABody = scenario({
  name: "half-body",
  sentence: "half of a request's body was sent before the signal, the rest comes after it",
  rule: Rules.tearDown,
  advice: Advices.cutRequest,
  unasked: needsBody,
  clients: (stage) => inTwo(stage, halfBody(stage.settings.post ?? stage.settings.path, bodyOf(stage.offer))),
  judge: (answer, offer) => judged(answer, offer.post?.status ?? 0)
})

export const expect100 = scenario({
  name: "expect-continue",
  sentence: "the server has sent 100 Continue before the signal, the body comes after it",
  rule: Rules.expectation,
  advice: Advices.cutRequest,
  unasked: (offer, settings) =>
    needsBody(offer, settings) ?? (offer.continues ? undefined : { why: "it sends no 100 Continue" }),
  clients: async (stage) => {
    const [head, body] = expectContinue(stage.settings.post ?? stage.settings.path, bodyOf(stage.offer))
    const client = await stage.connect("client")
    client.write(head)
    await client.changes.until(() => client.reader.informational.includes(100) || !client.isOpen, 5000)
    stage.signal()
    await stage.reaction()
    client.write(body)
    await client.answers(1, stage.remaining())
    return answerOf(client)
  },
  judge: (answer, offer) => judged(answer, offer.post?.status ?? 0)
})

export const pipelined = scenario({
  name: "pipelined",
  sentence: "three more requests in one piece with the end of the one that was in flight at the signal",
  rule: Rules.pipelining,
  advice: Advices.closedUnderRequest,
  unasked: needsKeepAlive,
  clients: async (stage) => {
    const { client, finish, status } = await inFlight(stage)
    stage.signal()
    await stage.reaction()
    finish(get(stage.settings.path).repeat(3))
    await client.answers(4, stage.remaining())
    return { answers: [1, 2, 3, 4].map((nth) => answerOf(client, nth)), status }
  },
  judge: ({ answers: [first, ...others] }, offer) => {
    if (first?._tag !== "Whole") return notAnswered
    // Behind an answer that says close, nothing is owed: the client knows what to send again.
    const closes = [first, ...others].findIndex((answer) => answer._tag === "Whole" && answer.close)
    const owed = closes < 0 ? others : others.slice(0, closes)
    const bad = owed.find((answer) => !isKept(answer, offer.status))
    if (bad !== undefined) return lost(`without close, ${describe(bad)}`)
    return kept(closes < 0 ? "4 of 4 answered" : `${closes + 1} of 4 answered, the last one with Connection: close`)
  }
})

export const slow = scenario({
  name: "slow",
  sentence: "a request whose answer takes long was sent before the signal",
  rule: Rules.goShutdown,
  advice: Advices.cutRequest,
  unasked: needsPath("slow", "a path whose answer takes 0.2 s or more"),
  clients: async (stage) => {
    const client = await stage.connect("client")
    client.write(get(stage.settings.slow ?? "/"))
    await pause(Math.min(arrivalMillis, (stage.offer.slowMillis ?? 0) / 2))
    stage.signal()
    await client.answers(1, stage.remaining())
    return answerOf(client)
  },
  judge: (answer) => answer._tag === "Whole" && answer.status < 500 ? kept(describe(answer)) : lost(describe(answer))
})
