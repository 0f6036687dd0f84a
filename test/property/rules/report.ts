/** What the report says of requests, held against what their clients saw. */
import { type Facts, isUpgrade, type RequestFact } from "../facts.js"
import { idOf } from "../requests.js"

/** Whether the client can say what came of it: what had left the server, one that was not reading may never see. */
const canSay = ({ client, failed, reset }: RequestFact): boolean =>
  client.left === undefined && !client.paused && reset === undefined && client.broken === undefined && !failed

/** What has left was not always read: a reset, which follows unread bytes, takes back what the kernel has. */
const isTakenBack = ({ client, done, id }: RequestFact): boolean =>
  done !== undefined && client.ending === "reset" &&
  client.requests.some((other) => other.id > id && other.executed === 0)

const wasAnswered = ({ answer, seen }: RequestFact): boolean => seen !== undefined && answer?.status !== 503

export function* cut({ closeCalled, over, report, requests }: Facts): Generator<string> {
  const named = new Map<number, number>()
  for (const { clientReceived, method, path } of report.cut) {
    const request = requests.find(({ id }) => id === idOf(path))
    if (request === undefined) {
      yield `the report names ${method} ${path}, which nobody has asked for`
      continue
    }
    named.set(request.id, (named.get(request.id) ?? 0) + 1)
    if (request.method !== method) yield `the report calls request ${request.id} ${method}`
    if (!canSay(request)) continue
    const got = request.answer === undefined
      ? "none"
      : request.answer.status === 503
      ? "503"
      : request.seen === undefined
      ? "truncated"
      : "all"
    // what has left was not always read: a reset, which follows unread bytes, takes it back
    const isLost = got === "none" && request.client.ending === "reset"
    if (got !== clientReceived && !isLost) {
      yield `the report says that request ${request.id} got ${clientReceived}, and it got ${got}`
    }
  }
  for (const [id, times] of named) if (times > 1) yield `the report names request ${id} ${times} times`
  if (named.size > 0 && over === undefined) yield "requests were cut before the deadline"
  for (const request of requests) {
    if (request.executed === 0 || !canSay(request) || named.has(request.id) || isTakenBack(request)) continue
    if (wasAnswered(request) || (isUpgrade(request) && request.client.upgraded !== undefined)) continue
    yield `the report does not name request ${request.id} (${request.kind}), which got ${
      request.answer?.status ?? "nothing"
    }`
  }
  if (closeCalled === undefined && (report.cut.length > 0) !== (report.outcome === "DeadlineExceeded")) {
    yield `the outcome was ${report.outcome}, with ${report.cut.length} requests cut`
  }
}

/** Answered since the shutdown began: not before, and not by being cut. */
export function* served({ began, report, requests }: Facts): Generator<string> {
  let least = 0
  let most = 0
  for (const request of requests) {
    const { done, executed, seen } = request
    if (executed === 0 || isUpgrade(request)) continue
    if (seen !== undefined && seen.epoch < began.epoch) continue
    most++
    const isSince = done !== undefined && done.epoch > began.epoch
    if (isSince && canSay(request) && wasAnswered(request)) least++
  }
  if (report.served < least || report.served > most) {
    yield `the report says that ${report.served} requests were served, and there were ${least} to ${most}`
  }
}
