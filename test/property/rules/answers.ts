/** Rules 1, 2 and 9: what a client is owed, what it got, and what was executed. */
import { before, type ClientFact, type Facts, isUpgrade, type Moment, type RequestFact } from "../facts.js"
import { bodyOf } from "../requests.js"

/** What a connection that has been idle for longer than its grace is still given when the drain starts, in milliseconds. */
const crossingMillis = 50

/** With `idleGrace: "keepAliveTimeout"`: on top of what was promised, for the time on the wire, in milliseconds. */
const onTheWireMillis = 1000

/** Its client, or its handler, has taken its connection or stream away. */
const isGone = ({ client, reset }: RequestFact): boolean =>
  client.left !== undefined || reset !== undefined || client.broken !== undefined

/** Who does not read has its connection cut at the deadline, and finds that out before what had come until then. */
const isStuck = ({ client }: RequestFact, { over }: Facts): boolean => over !== undefined && client.paused

/** Who has been told to leave, goes on sending and does not read is reset when the lingering is over (Go's rule C11). */
const sendsAndDoesNotRead = ({ client, id }: RequestFact): boolean =>
  client.paused && client.ending === "reset" && client.requests.some((other) => other.id > id && other.executed === 0)

const earlier = ({ client, id }: RequestFact): ReadonlyArray<RequestFact> =>
  client.requests.filter((other) => other.id < id)

/** Node gives a connection away with the request to upgrade it: who declines can only answer, and end it. */
const endsItsConnection = ({ answer, kind }: RequestFact): boolean => answer?.close === true || kind === "declined"

/** The connection, or the session, had said that it takes no more when this was sent, or may have. */
const cameTooLate = (request: RequestFact): boolean => {
  const { client, first } = request
  if (client.goaway !== undefined && !before(first, client.goaway)) return true
  return earlier(request).some((other) => {
    // an answer that waits for its turn, and was never seen, may have said so too
    const mayEnd = endsItsConnection(other) || (other.answer === undefined && other.head !== undefined)
    return mayEnd && (other.head === undefined || !before(first, other.head))
  })
}

/** Until when a connection is kept that is owed nothing, as far as its client can know; at least. */
const graceOf = (
  client: ClientFact,
  past: ReadonlyArray<RequestFact>,
  next: Moment,
  facts: Facts
): number | undefined => {
  const { draining, history: { policy } } = facts
  if (client.connected === undefined || draining === undefined || client.paused) return undefined
  if (past.length === 0) return client.connected.at + policy.newConnectionGrace
  const last = past.at(-1)
  if (last?.seen === undefined || !before(last.seen, next)) return undefined
  if (past.some(({ seen, whole }) => seen === undefined || whole === undefined)) return undefined
  // it goes idle when the last of its request has come, too
  const since = Math.max(last.seen.at, last.whole?.at ?? 0)
  if (policy.idleGrace === "keepAliveTimeout") {
    return last.answer?.promised === undefined ? undefined : since + last.answer.promised + onTheWireMillis
  }
  return Math.max(since + policy.idleGrace, draining.at + Math.min(crossingMillis, policy.idleGrace))
}

/** Whether it must be executed, once it has been sent whole in time. */
const isOwed = (request: RequestFact, facts: Facts): boolean => {
  const { beforeClose, client, first } = request
  if (isGone(request) || cameTooLate(request)) return false
  if (beforeClose) return true
  if (client.listener.protocol === "h2") return false
  const grace = graceOf(client, earlier(request), first, facts)
  return grace !== undefined && first.at < grace
}

/** Of HTTP/1.1, answers come in the order of the requests: one that is not there yet holds back all behind it. */
const isReady = (request: RequestFact, over: Moment | undefined): boolean =>
  request.done !== undefined && before(request.done, over)
  && (request.client.listener.protocol === "h2" ||
    earlier(request).every(({ done }) => done !== undefined && before(done, over)))

/** Node reads no further requests while it cannot get rid of a large answer, because the one before it never comes. */
const isHeldUp = (request: RequestFact, over: Moment | undefined): boolean => {
  const past = earlier(request)
  return over !== undefined && request.stream === undefined && past.some(({ kind }) => kind === "big")
    && past.some((other) => !isReady(other, over))
}

const name = ({ client, id, kind, method }: RequestFact) => `request ${id} (${method} ${kind}, of client ${client.id})`

export function* owed(facts: Facts): Generator<string> {
  const { over, requests } = facts
  for (const request of requests) {
    if (isStuck(request, facts) || isHeldUp(request, over)) continue
    const { client, executed, whole } = request
    if (executed === 0 && whole !== undefined && before(whole, over) && isOwed(request, facts)) {
      yield `rule 1: ${name(request)} arrived in time and was never executed; client ${client.ending}`
    }
    const isCut = whole === undefined && request.seen === undefined
    if (isCut && client.ended !== undefined && before(client.ended, over) && isOwed(request, facts)) {
      yield `rule 1: ${name(request)} was cut off while it was being sent`
    }
  }
}

export function* executed(facts: Facts): Generator<string> {
  const { over, requests } = facts
  for (const request of requests) {
    const { client, executed, started } = request
    if (executed > 1) yield `rule 9: ${name(request)} was executed ${executed} times`
    if (started !== undefined && over !== undefined && started.epoch > over.epoch) {
      yield `rule 9: ${name(request)} was executed after the deadline, or close`
    }
    if (
      executed > 0 && request.stream !== undefined && client.goaway !== undefined && request.stream > client.lastStream
    ) {
      yield `rule 9: ${name(request)} was executed, and GOAWAY says that it was not`
    }
    if (executed > 0 && request.resetByServer === refusedStream) {
      yield `rule 9: ${name(request)} was executed, and refused`
    }
  }
}

/** RFC 9113 §7. */
const refusedStream = 7

export function* answered(facts: Facts): Generator<string> {
  const { over, requests } = facts
  for (const request of requests) {
    const { client, executed, seen } = request
    if (isUpgrade(request) || isGone(request) || executed === 0 || isStuck(request, facts)) continue
    if (sendsAndDoesNotRead(request)) continue
    if (!isReady(request, over) || seen !== undefined) continue
    // its handler has broken it off
    if (request.kind === "stream" && request.failed) continue
    yield `rules 2 and 9: ${name(request)} was executed and done, and not answered in full; client ${client.ending}, `
      + `answer ${request.answer?.status ?? "none"}, ${request.answer?.body.length ?? 0} bytes`
  }
}

/** Every byte that came is one that was due. */
export function* seen(facts: Facts): Generator<string> {
  const { clients, over, requests } = facts
  for (const { garbage, id } of clients) if (garbage !== undefined) yield `client ${id} got ${garbage}`
  for (const request of requests) {
    const { answer, executed, failed } = request
    if (answer === undefined) continue
    const { body, complete, status } = answer
    const due = bodyOf(request)
    switch (status) {
      case 101: {
        if (!isUpgrade(request)) yield `${name(request)} was upgraded`
        break
      }
      case 200: {
        if (executed === 0) yield `rule 9: ${name(request)} was answered with 200 and never executed`
        if (isUpgrade(request)) yield `${name(request)} was not upgraded`
        if (!body.equals(due.subarray(0, body.length))) yield `${name(request)} got bytes that are not its answer`
        // a stream that fails is ended by @effect/platform-node as if it were whole
        if (complete && body.length !== due.length && !failed) {
          yield `rule 2: ${name(request)} got ${body.length} of ${due.length} bytes as if they were all`
        }
        break
      }
      case 500: {
        if (!failed) yield `${name(request)} was answered with 500, and its handler has not failed`
        break
      }
      case 503: {
        if (over === undefined || (request.seen !== undefined && request.seen.epoch < over.epoch)) {
          yield `rule 1: ${name(request)} was answered with 503 before the deadline`
        }
        break
      }
      case 400: {
        // Node's answer, at once, to half a head of which nothing more will come
        if (request.client.left === undefined) yield `${name(request)} was taken for a bad one`
        break
      }
      default:
        yield `${name(request)} was answered with ${status}`
    }
  }
}

/** Before the deadline the server ends only what is owed nothing, and has been told so. */
export function* endings(facts: Facts): Generator<string> {
  const { began, clients, over } = facts
  for (const client of clients) {
    const { ended, ending, id } = client
    if (ended === undefined || ending === "refused" || client.left !== undefined || client.broken !== undefined) {
      continue
    }
    if (!before(ended, over)) continue
    if (ended.epoch < began.epoch && client.closeCode === undefined && !client.requests.some(endsItsConnection)) {
      yield `client ${id} was closed (${ending}) while the server served`
    }
    const grace =
      client.listener.protocol === "h2" || client.requests.some(endsItsConnection) || isUpgradedOrMayBe(client)
        ? undefined
        : graceOf(client, client.requests, ended, facts)
    if (grace !== undefined && ended.at < grace && wasAccepted(client)) {
      yield `client ${id} was owed nothing, and closed ${grace - ended.at} ms before its grace was over`
    }
    if (ending === "reset" && !sentWhatNobodyTook(client) && wasAccepted(client)) {
      yield `client ${id} was reset before the deadline, for nothing that it did`
    }
  }
}

const isUpgradedOrMayBe = ({ requests }: ClientFact): boolean => requests.some(isUpgrade)

/** What arrives on a connection that is closing is answered with a reset, by the kernel. */
const sentWhatNobodyTook = ({ messages, requests, upgraded }: ClientFact): boolean =>
  requests.some(({ executed, seen, whole }) => executed === 0 || whole === undefined || seen === undefined)
  || (upgraded !== undefined && messages.length > 0) || requests.some(({ kind, seen, whole }) =>
    kind === "deaf" && seen !== undefined && whole !== undefined && seen.epoch <= whole.epoch
  )

/** Its connection was there before its listener closed. */
const wasAccepted = ({ connected, listener }: ClientFact): boolean =>
  connected !== undefined && before(connected, listener.closed)

export function* streams({ over, requests }: Facts): Generator<string> {
  for (const request of requests) {
    const { failed, reset, resetByServer, seen } = request
    if (resetByServer === undefined || resetByServer === 0 || resetByServer === refusedStream) continue
    if (over === undefined && !failed && reset === undefined && request.client.left === undefined) {
      yield `rule 2: ${name(request)} was reset with ${resetByServer}${seen === undefined ? "" : " after its answer"}`
    }
  }
}

export function* upgraded(facts: Facts): Generator<string> {
  const { clients, draining, over } = facts
  for (const client of clients) {
    const { closeCode, echoes, id, left, messages } = client
    if (client.upgraded === undefined) continue
    if (echoes.some((echo, n) => echo !== messages[n]?.text)) yield `client ${id} got ${echoes.join()} as an echo`
    // who does not read finds out that it was cut before what had come until then
    if (left !== undefined || (over !== undefined && client.paused)) continue
    const due = messages.filter(({ sent }) => before(sent, draining ?? over)).length
    if (echoes.length < due) yield `client ${id} got ${echoes.length} of ${due} echoes that were due before draining`
    const wasThere = draining !== undefined && before(client.upgraded, draining) && before(draining, over)
    if (wasThere && client.requests.at(-1)?.kind === "websocket" && closeCode !== 1001) {
      yield `client ${id} was told ${closeCode ?? "nothing"} when draining started, and not 1001`
    }
  }
}
