// The clients of lost.ts, on those of `quiesce check`: prepares one scenario, says so, plays it on when the signal has been
// sent, and says what became of each request.
//   node --import tsx lost.ts <scenario> <port> <number of the first request>
import { type Answer, answerOf } from "../../../src/internal/check/client/answers.js"
import { Client, type ClientOptions } from "../../../src/internal/check/client/client.js"
import { Transcript } from "../../../src/internal/check/transcript.js"
import { now, pause } from "../../../src/internal/check/wait.js"

const [scenario = "", port, first] = process.argv.slice(2)
process.on("disconnect", () => process.exit(1))

const say = (message: unknown, then: () => void = () => {}) => void process.send?.(message, then)

let isSignalled = false
const signalled = new Promise<void>((resolve) =>
  process.once("message", () => {
    isSignalled = true
    resolve()
  })
)

/** For this long a client goes on, and then a request may still be answered; what is not by then is lost. */
const limitMs = 8000
const lateMs = 2000

let number = Number(first)
const result = { sent: 0, answered: 0, refused: 0, lost: [] as Array<number>, notSent: 0, bytes: 0 }

const get = (id: number, path = "/", more = "") => `GET ${path} HTTP/1.1\r\nHost: bench\r\nX-Id: ${id}\r\n${more}\r\n`

const transcript = new Transcript()

const open = async (options: Partial<ClientOptions> = {}): Promise<Client> => {
  const target = { host: "127.0.0.1", port: Number(port) }
  const client = new Client(target, { name: "client", transcript, tls: false, ...options })
  await client.opened()
  return client
}

const openAll = async (count: number): Promise<ReadonlyArray<Client>> => {
  const clients: Array<Client> = []
  while (clients.length < count) {
    clients.push(...await Promise.all(Array.from({ length: Math.min(50, count - clients.length) }, () => open())))
  }
  return clients
}

/** A connection has at most one request at a time. */
const send = async (client: Client, text: string): Promise<Answer> => {
  const nth = client.reader.complete + 1
  client.write(text)
  await client.answers(nth, limitMs + lateMs)
  return answerOf(client, nth)
}

const outstanding = new Set<number>()

const note = (id: number, answer: Answer | undefined) => {
  outstanding.delete(id)
  result.sent++
  if (answer?._tag !== "Whole") result.lost.push(id)
  else if (answer.status === 200) result.answered++
  else if (answer.status === 503) result.refused++
  else result.lost.push(id)
}

/** Sends a request that counts. */
const ask = async (client: Client, text: string, id: number) => {
  outstanding.add(id)
  note(id, await send(client, text))
}

const burst = (idleMs: number) => async () => {
  const clients = await openAll(200)
  await Promise.all(clients.map((client) => send(client, get(number++))))
  await pause(idleMs)
  say("ready")
  await signalled
  await Promise.all(clients.map(async (client) => {
    await pause(Math.random() * 20)
    const id = number++
    if (client.isOpen) await ask(client, get(id), id)
    else result.notSent++
  }))
}

/** Those in flight when the signal comes count, too. */
const loops = (count: number, keepAlive: boolean) => async () => {
  const until = now() + limitMs
  const use = async (client: Client) => {
    let told = false
    do {
      const id = number++
      outstanding.add(id)
      const answer = await send(client, get(id, "/", keepAlive ? "" : "Connection: close\r\n"))
      told = answer._tag === "Whole" && answer.close
      if (isSignalled) note(id, answer)
      else outstanding.delete(id)
    } while (keepAlive && client.isOpen && !told && now() < until)
    client.leave()
  }
  const running = Array.from({ length: count }, async () => {
    while (now() < until) {
      const client = await open()
      if (client.connected) await use(client)
      else if (isSignalled) return
    }
  })
  await pause(400)
  say("ready")
  await Promise.all(running)
}

const slow = async () => {
  const client = await open({ paused: true })
  const id = number++
  const asked = ask(client, get(id, "/big"), id)
  client.readAt(20_000_000)
  await client.changes.until(() => client.received > 1_000_000 || !client.isOpen, limitMs)
  say("ready")
  await asked
  result.bytes = client.received
}

const posts = async () => {
  const body = "x".repeat(2000)
  const clients = await openAll(32)
  const asked = clients.map((client) => {
    const id = number++
    const head = `POST /post HTTP/1.1\r\nHost: bench\r\nX-Id: ${id}\r\nContent-Type: text/plain\r\n` +
      `Content-Length: ${body.length}\r\n\r\n`
    return ask(client, head + body.slice(0, 1000), id)
  })
  await pause(200)
  say("ready")
  await signalled
  await pause(50)
  for (const client of clients) if (client.isOpen) client.write(body.slice(1000))
  await Promise.all(asked)
}

const scenarios: Readonly<Record<string, () => Promise<void>>> = {
  recent: burst(100),
  idle: burst(700),
  busy: loops(8, true),
  perRequest: loops(32, false),
  slow,
  posts
}

const late = setTimeout(() => {
  for (const id of outstanding) note(id, undefined)
  say(result, () => process.exit(0))
}, limitMs + lateMs)
await scenarios[scenario]?.()
clearTimeout(late)
say(result, () => process.exit(0))
