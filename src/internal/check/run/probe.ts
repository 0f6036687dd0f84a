/**
 * What the server offers, before it is asked to stop: its first start.
 */
import { Client, type ClientOptions } from "../client/client.js"
import { Http2Client } from "../client/http2.js"
import { bodies, type Body, expectContinue, get, halfBody, webSocketHandshake } from "../client/requests.js"
import { saysClose } from "../client/responses.js"
import type { Offer, Post, Settings, Target } from "../model.js"
import { isEphemeral, portsOf } from "../process/listening.js"
import { Transcript } from "../transcript.js"
import { now, pause } from "../wait.js"
import { isSeparate } from "./place.js"
import type { Started } from "./start.js"

/** How long it may take to answer what does not wait for us. */
const answerLimit = 10_000

/** A body that is late by that much is waited for by a server that reads it. */
const lateBodyMillis = 200

/** More than the buffers of both kernels hold. */
export const bigEnough = 8 * 1024 * 1024

const bigLimit = 512 * 1024 * 1024

class Prober {
  readonly #clients: Array<Client> = []
  readonly #settings: Settings
  readonly #target: Target
  constructor(settings: Settings, target: Target) {
    this.#settings = settings
    this.#target = target
  }

  async connect(options: Partial<ClientOptions> = {}): Promise<Client> {
    const { tls } = this.#settings
    const client = new Client(this.#target, { name: "probe", transcript: new Transcript(), tls, ...options })
    this.#clients.push(client)
    await client.opened()
    return client
  }

  leave(): void {
    for (const client of this.#clients) client.leave()
  }
}

/** Which port it is told, or takes at random, says nothing of its next start. */
const otherPortsOf = ({ server, target }: Started): ReadonlyArray<number> =>
  portsOf(server.left().map(({ pid }) => pid))
    .filter((port) => !isEphemeral(port) && !("port" in target && port === target.port))

export const probe = async (settings: Settings, started: Started, told: boolean): Promise<Offer> => {
  const prober = new Prober(settings, started.target)
  try {
    const unusable: Record<string, string> = {}
    const http1 = !settings.h2 || await answersHttp1(prober, settings.path)
    const slowMillis = settings.slow === undefined ? undefined : await slow(prober, settings.slow, unusable)
    const bigBytes = settings.big === undefined ? undefined : await big(prober, settings.big, unusable)
    if (settings.stream !== undefined) await stream(prober, settings.stream, unusable)
    if (settings.ws !== undefined) await webSocket(prober, settings.ws, unusable)
    if (settings.h2) await http2(settings, started.target, unusable)
    const posted = http1 ? await post(prober, settings, unusable) : await postOverHttp2(settings, started.target)
    const otherPorts = otherPortsOf(started)
    return {
      target: started.target,
      separate: isSeparate(settings) && told && otherPorts.length === 0,
      otherPorts,
      status: started.status,
      startMillis: started.millis,
      http1,
      keepAlive: http1 && await keepsAlive(prober, settings.path),
      post: posted,
      continues: http1 && await continues(prober, settings, posted ?? bodies[0]),
      unusable,
      slowMillis,
      bigBytes
    }
  } finally {
    prober.leave()
  }
}

/** One that speaks HTTP/2 alone may take its time to say so. */
const http1Millis = 2000

const answersHttp1 = async (prober: Prober, path: string): Promise<boolean> => {
  const client = await prober.connect()
  client.write(get(path))
  return await client.answers(1, http1Millis) && client.reader.responses[0]?.status !== 505
}

const keepsAlive = async (prober: Prober, path: string): Promise<boolean> => {
  const client = await prober.connect()
  client.write(get(path))
  await client.answers(1, answerLimit)
  const first = client.reader.responses[0]
  if (first === undefined || saysClose(first)) return false
  client.write(get(path))
  return client.answers(2, answerLimit)
}

/** The first body that it waits for, and the status of its answer. */
const post = async (
  prober: Prober,
  settings: Settings,
  unusable: Record<string, string>
): Promise<Post | undefined> => {
  for (const body of bodies) {
    const [first, rest] = halfBody(settings.post ?? settings.path, body)
    const client = await prober.connect()
    client.write(first)
    if (await client.answers(1, lateBodyMillis) || !client.isOpen) {
      const status = client.reader.responses[0]?.status
      if (settings.post !== undefined) unusable["post"] = `it answered ${status ?? "nothing"} before it had the body`
      continue
    }
    client.write(rest)
    if (await client.answers(1, answerLimit)) {
      delete unusable["post"]
      return { ...body, status: client.reader.responses[0]?.status ?? 0 }
    }
    if (settings.post !== undefined) unusable["post"] = "it did not answer"
  }
  return undefined
}

const continues = async (prober: Prober, settings: Settings, body: Body): Promise<boolean> => {
  const [head] = expectContinue(settings.post ?? settings.path, body)
  const client = await prober.connect()
  client.write(head)
  await client.changes.until(
    () => client.reader.informational.includes(100) || client.reader.complete > 0 || !client.isOpen,
    lateBodyMillis * 2
  )
  return client.reader.informational.includes(100) && client.reader.complete === 0
}

const slow = async (prober: Prober, path: string, unusable: Record<string, string>): Promise<number | undefined> => {
  const client = await prober.connect()
  const began = now()
  client.write(get(path))
  const answered = await client.answers(1, 20_000)
  const millis = Math.round(now() - began)
  if (!answered) unusable["slow"] = "it did not answer within 20 s"
  else if (millis < 200) unusable["slow"] = `it answered after ${millis} ms: it should take 0.2 s or more`
  return answered && millis >= 200 ? millis : undefined
}

const big = async (prober: Prober, path: string, unusable: Record<string, string>): Promise<number | undefined> => {
  const client = await prober.connect()
  client.write(get(path))
  const enough = () => (client.reader.responses[0]?.bodyBytes ?? 0) > bigLimit
  await client.changes.until(() => client.reader.complete > 0 || !client.isOpen || enough(), 20_000)
  const answer = client.reader.responses[0]
  if (answer === undefined) unusable["big"] = "it did not answer"
  else if (!answer.complete) unusable["big"] = "its answer did not end within 20 s or 512 MiB"
  else if (answer.bodyBytes < bigEnough) {
    unusable["big"] = `its answer has ${answer.bodyBytes} bytes: it should have 8 MiB or more`
  } else return answer.bodyBytes
  return undefined
}

const stream = async (prober: Prober, path: string, unusable: Record<string, string>): Promise<void> => {
  const client = await prober.connect()
  client.write(get(path))
  await client.changes.until(() => client.reader.responses.length > 0 || !client.isOpen, answerLimit)
  if (client.reader.responses.length === 0) unusable["stream"] = "it sent no head"
  await pause(300)
  if (client.reader.complete > 0 || !client.isOpen) unusable["stream"] = "its answer ended by itself"
}

const webSocket = async (prober: Prober, path: string, unusable: Record<string, string>): Promise<void> => {
  const client = await prober.connect()
  client.write(webSocketHandshake(path))
  await client.answers(1, answerLimit)
  const status = client.reader.responses[0]?.status
  if (status !== 101) unusable["ws"] = `it answered ${status ?? "nothing"} in place of 101`
}

const http2 = async (settings: Settings, target: Target, unusable: Record<string, string>): Promise<void> => {
  const client = new Http2Client(target, { name: "probe", transcript: new Transcript(), tls: settings.tls })
  try {
    if (!(await client.opened())) unusable["h2"] = `it does not speak it${settings.tls ? " over TLS" : ": --tls?"}`
    else if ((await client.open(settings.path).answer(answerLimit))._tag !== "Whole") {
      unusable["h2"] = "it does not answer"
    }
  } finally {
    client.leave()
  }
}

const postOverHttp2 = async (settings: Settings, target: Target): Promise<Post | undefined> => {
  const client = new Http2Client(target, { name: "probe", transcript: new Transcript(), tls: settings.tls })
  try {
    await client.opened()
    for (const body of bodies) {
      const stream = client.open(settings.post ?? settings.path, body)
      if ((await stream.answer(lateBodyMillis))._tag === "Whole") continue
      stream.finish()
      const answer = await stream.answer(answerLimit)
      if (answer._tag === "Whole") return { ...body, status: answer.status }
    }
    return undefined
  } finally {
    client.leave()
  }
}
