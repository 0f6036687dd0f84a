/** What clients do: each returns whether it could be done. */
import type * as Net from "node:net"
import { webSocketHeaders } from "../../support/httpRequests.js"
import { Http1Client } from "../client.js"
import type { ClientFact, RequestFact } from "../facts.js"
import type { Command } from "../history.js"
import { Http2Client } from "../http2Client.js"
import { hasBody, type Kind, pathOf, sent } from "../requests.js"
import { pick, type World } from "../world.js"

type Of<T extends Command["_tag"]> = Extract<Command, { readonly _tag: T }>

const crlf = "\r\n"

/** One that can still be told to do something. */
const here = (world: World, { client }: { readonly client: number }) =>
  pick(world.clients.filter(({ fact }) => fact.left === undefined && fact.ending === "open"), client)

/** One that may begin something new. */
const free = (world: World, command: { readonly client: number }) => {
  const client = here(world, command)
  const busy = client === undefined || client.pending !== undefined
    || client.fact.requests.some(({ kind }) => kind === "websocket" || kind === "echo upgrade")
  return busy ? undefined : client
}

/** Notes that a request is being sent. */
const ask = (
  world: World,
  fact: ClientFact,
  kind: RequestFact["kind"],
  head: boolean,
  stream?: number
): RequestFact => {
  const withBody = kind === "echo" || kind === "deaf"
  const request: RequestFact = {
    id: world.nextId(),
    client: fact,
    kind,
    method: withBody ? "POST" : head && kind !== "stream" ? "HEAD" : "GET",
    size: fact.listener.protocol === "h2" ? "h2" : fact.listener.transport,
    stream,
    first: world.moment,
    beforeClose: world.isBeforeClose(fact),
    whole: undefined,
    executed: 0,
    started: undefined,
    head: undefined,
    done: undefined,
    failed: false,
    interrupted: false,
    answer: undefined,
    seen: undefined,
    reset: undefined,
    resetByServer: undefined
  }
  world.requests.push(request)
  world.handlers.expect(request)
  return request
}

const bytesOf = ({ id, kind, method }: RequestFact, ...headers: ReadonlyArray<string>): Buffer => {
  const body = method === "POST" ? sent(id) : ""
  const length = body === "" ? [] : [`Content-Length: ${body.length}`]
  return Buffer.from(
    [`${method} ${pathOf(id, kind)} HTTP/1.1`, "Host: model", ...length, ...headers, "", body].join(crlf)
  )
}

const portion = (bytes: number, hundredths: number): number => Math.max(1, Math.floor(bytes * hundredths / 100))

const begin = (world: World, client: Http1Client | Http2Client, kind: Kind, head: boolean, part: number): void => {
  if (client instanceof Http2Client) {
    const request = ask(world, client.fact, kind, head, client.nextStream)
    const body = Buffer.from(hasBody(kind) ? sent(request.id) : "")
    client.begin(request, pathOf(request.id, kind), body, portion(body.length, part))
  } else {
    const request = ask(world, client.fact, kind, head)
    const bytes = bytesOf(request)
    client.begin(request, bytes, portion(bytes.length, part))
  }
}

export const connect = (world: World, { halfOpen, listener }: Of<"Connect">): boolean => {
  const listening = pick(world.listeners, listener)
  if (listening === undefined || world.clients.length >= 12) return false
  world.connect(listening, halfOpen)
  return true
}

export const request = (world: World, command: Of<"Request">): boolean => {
  const client = free(world, command)
  if (client === undefined) return false
  begin(world, client, command.kind, command.head, command.part)
  return true
}

export const rest = (world: World, { client: index, part }: Of<"Rest">): boolean => {
  const client = pick(
    world.clients.filter(({ fact, pending }) =>
      fact.left === undefined && fact.ending === "open" && pending !== undefined
    ),
    index
  )
  if (client?.pending === undefined) return false
  client.more(portion(client.pending.rest.length, part))
  return true
}

/** Several requests in one piece. */
export const pipeline = (world: World, command: Of<"Pipeline">): boolean => {
  const client = free(world, command)
  if (client === undefined) return false
  client.socket.cork()
  for (const kind of command.kinds) begin(world, client, kind, false, 100)
  client.socket.uncork()
  return true
}

export const upgrade = (world: World, command: Of<"Upgrade">): boolean => {
  const client = free(world, command)
  if (!(client instanceof Http1Client)) return false
  const { fact } = client
  // Node hands it over at once, and so before the answers of those that came first
  if (fact.requests.some(({ seen }) => seen === undefined)) return false
  if (!fact.listener.ofApp && command.to === "declined") return false
  fact.polite = command.polite
  const kind = !fact.listener.ofApp ? "echo upgrade" : command.to === "declined" ? "declined" : "websocket"
  const headers = kind === "echo upgrade" ? ["Connection: Upgrade", "Upgrade: echo"] : webSocketHeaders
  const asked = ask(world, fact, kind, false)
  client.begin(asked, bytesOf(asked, ...headers), Number.MAX_SAFE_INTEGER)
  return true
}

export const message = (world: World, { client: index }: Of<"Message">): boolean => {
  const client = pick(
    world.clients.filter(({ fact }) =>
      fact.left === undefined && fact.ending === "open" && fact.upgraded !== undefined && fact.closeCode === undefined
    ),
    index
  )
  if (!(client instanceof Http1Client)) return false
  client.message(`message ${client.fact.messages.length} of ${client.fact.id}`)
  return true
}

export const stopReading = (world: World, command: Of<"StopReading">): boolean => {
  const client = here(world, command)
  if (client?.fact.reading !== true) return false
  client.fact.paused = true
  client.fact.reading = false
  client.stopReading()
  return true
}

export const readSome = (world: World, command: Of<"ReadSome">): boolean => {
  const client = here(world, command)
  if (client?.fact.reading !== false) return false
  client.readSome()
  return true
}

export const readOn = (world: World, command: Of<"ReadOn">): boolean => {
  const client = here(world, command)
  if (client?.fact.reading !== false) return false
  client.fact.reading = true
  client.readOn()
  return true
}

export const leave = (world: World, command: Of<"HalfClose" | "Leave" | "Reset">): boolean => {
  const client = here(world, command)
  if (client === undefined) return false
  client.fact.left = world.moment
  if (command._tag === "HalfClose") client.socket.end()
  else if (command._tag === "Reset" && client.fact.listener.transport === "tcp") reset(client.socket)
  else client.socket.destroy()
  return true
}

/** While its FIN is being sent, a socket cannot be reset, and Node loses its handle if one tries. */
const reset = (socket: Net.Socket): void => {
  if (socket.writableEnded && !socket.writableFinished) socket.once("finish", () => void socket.resetAndDestroy())
  else socket.resetAndDestroy()
}

export const resetStream = (world: World, command: Of<"ResetStream">): boolean => {
  const client = here(world, command)
  if (!(client instanceof Http2Client)) return false
  const request = pick(
    client.fact.requests.filter(({ reset, resetByServer, seen }) =>
      reset === undefined && seen === undefined && resetByServer === undefined
    ),
    command.stream
  )
  if (request === undefined) return false
  client.reset(request)
  return true
}

export const ping = (world: World, command: Of<"Ping">): boolean => {
  const client = here(world, command)
  if (!(client instanceof Http2Client)) return false
  client.ping()
  return true
}
