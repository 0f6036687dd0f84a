/**
 * Requests that come independently of each other, each of which says how long it takes, and an account of them. It is a
 * process of its own, so that nothing else delays them. Its first argument is its options, as JSON; a line on its standard
 * input ends it.
 */
import * as Http from "node:http"
import { seeded } from "../../../src/internal/plan/random.js"
import { printEvent } from "../../support/printEvent.js"
import { now, pace } from "../../support/wait.js"

export interface LoadOptions {
  readonly port: number
  readonly perSecond: number
  readonly shortest: number
  readonly longest: number
  readonly getShare: number
  /** Clients send one request on a connection. */
  readonly fresh: boolean
  readonly seed: number
}

export interface Sent {
  /** Epoch milliseconds. */
  readonly at: number
  /** `undefined`: no answer. */
  status: number | undefined
  millis: number
}

const { fresh, getShare, longest, perSecond, port, seed, shortest } = JSON.parse(process.argv[2] ?? "{}") as LoadOptions
const random = seeded(seed)
// clients that keep their connections close them before the proxy does
const agent = new Http.Agent({ keepAlive: !fresh, timeout: 4000 })
const sent: Array<Sent> = []
let waiting = 0
let isStopping = false

const send = () => {
  const request: Sent = { at: now(), status: undefined, millis: 0 }
  sent.push(request)
  waiting++
  let isDone = false
  const done = (status: number | undefined) => {
    if (isDone) return
    isDone = true
    request.status = status
    request.millis = now() - request.at
    waiting--
  }
  const isGet = random.next() < getShare
  const path = `/?millis=${Math.round(random.between(shortest, longest))}`
  const message = Http.request({ agent, host: "127.0.0.1", method: isGet ? "GET" : "POST", path, port }, (response) => {
    response.resume()
    response.once("close", () => done(response.complete ? response.statusCode : undefined))
  })
  message.once("error", () => done(undefined))
  message.end(isGet ? undefined : "order")
}

process.stdin.once("data", () => void (isStopping = true))
printEvent("started")
for (let next = now(); !isStopping;) {
  next += random.gap(perSecond / 1000)
  const wait = next - now()
  // a timer is late by a millisecond or more: what is due is sent
  if (wait > 0) await pace(wait)
  send()
}
for (const until = now() + 10_000; waiting > 0 && now() < until;) await pace(20)
agent.destroy()
printEvent("ended", { sent })
process.stdin.destroy()
