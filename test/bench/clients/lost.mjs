// The clients of lost.ts: prepares one scenario, says so, plays it on when the signal has been sent, and says what became
// of each request.
//   node lost.mjs <scenario> <port> <number of the first request>
import { connect } from "node:net"

const [scenario, port, first] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])]
process.on("disconnect", () => process.exit(1))

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const signalled = new Promise((resolve) => process.once("message", resolve))
let isSignalled = false
void signalled.then(() => {
  isSignalled = true
})

/** For this long a client goes on, and then a request may still be answered; what is not by then is lost. */
const limitMs = 8000
const lateMs = 2000

let number = first
const result = { sent: 0, answered: 0, refused: 0, lost: [], notSent: 0, bytes: 0 }

const get = (id, path = "/", more = "") => `GET ${path} HTTP/1.1\r\nHost: bench\r\nX-Id: ${id}\r\n${more}\r\n`

/** A connection with at most one request at a time. */
const open = () =>
  new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1")
    socket.setNoDelay(true)
    const self = { closed: false, socket, told: false }
    let pending
    let head = ""
    let left = -1
    const settle = (outcome) => {
      const settled = pending
      pending = undefined
      settled?.(outcome)
    }
    socket.once("connect", () => resolve(self))
    socket.on("data", (chunk) => {
      if (left >= 0) left -= chunk.length
      else {
        head += chunk.toString("latin1")
        const end = head.indexOf("\r\n\r\n")
        if (end === -1) return
        const length = /\r\ncontent-length: *(\d+)/i.exec(head.slice(0, end))?.[1]
        if (length === undefined) throw new Error(`an answer without a length: ${head.slice(0, end)}`)
        left = Number(length) - (head.length - end - 4)
        if (/\r\nconnection: *close/i.test(head.slice(0, end))) self.told = true
      }
      self.onBytes?.(chunk.length)
      if (left > 0) return
      const status = head.slice(9, 12)
      head = ""
      left = -1
      settle(status)
    })
    const over = () => {
      self.closed = true
      settle("lost")
    }
    socket.on("error", (error) => {
      over()
      reject(error)
    })
    socket.on("end", over)
    socket.on("close", over)
    self.send = (text) =>
      new Promise((outcome) => {
        pending = outcome
        if (self.closed) settle("lost")
        else socket.write(text)
      })
  })

const outstanding = new Set()

const note = (id, outcome) => {
  outstanding.delete(id)
  result.sent++
  if (outcome === "200") result.answered++
  else if (outcome === "503") result.refused++
  else result.lost.push(id)
}

/** Sends a request that counts. */
const ask = async (client, text, id) => {
  outstanding.add(id)
  note(id, await client.send(text))
}

const burst = (idleMs) => async () => {
  const clients = []
  while (clients.length < 200) clients.push(...await Promise.all(Array.from({ length: 50 }, open)))
  await Promise.all(clients.map((client) => client.send(get(number++))))
  await sleep(idleMs)
  process.send("ready")
  await signalled
  await Promise.all(clients.map(async (client) => {
    await sleep(Math.random() * 20)
    const id = number++
    if (client.closed) result.notSent++
    else await ask(client, get(id), id)
  }))
}

/** Those in flight when the signal comes count, too. */
const loops = (count, keepAlive) => async () => {
  const running = Array.from({ length: count }, async () => {
    const until = performance.now() + limitMs
    while (performance.now() < until) {
      const client = await open().catch(() => undefined)
      if (client === undefined) {
        if (isSignalled) return
        continue
      }
      do {
        const id = number++
        outstanding.add(id)
        const outcome = await client.send(get(id, "/", keepAlive ? "" : "Connection: close\r\n"))
        if (isSignalled) note(id, outcome)
        else outstanding.delete(id)
      } while (keepAlive && !client.closed && !client.told && performance.now() < until)
      client.socket.destroy()
    }
  })
  await sleep(400)
  process.send("ready")
  await Promise.all(running)
}

const slow = async () => {
  const client = await open()
  const bytesPerMs = 20_000
  let started = false
  client.onBytes = (bytes) => {
    result.bytes += bytes
    client.socket.pause()
    setTimeout(() => client.socket.resume(), bytes / bytesPerMs)
    if (!started && result.bytes > 1_000_000) {
      started = true
      process.send("ready")
    }
  }
  const id = number++
  await ask(client, get(id, "/big"), id)
}

const posts = async () => {
  const body = "x".repeat(2000)
  const clients = await Promise.all(Array.from({ length: 32 }, open))
  const asked = clients.map((client) => {
    const id = number++
    const head = `POST /post HTTP/1.1\r\nHost: bench\r\nX-Id: ${id}\r\nContent-Type: text/plain\r\n` +
      `Content-Length: ${body.length}\r\n\r\n`
    return ask(client, head + body.slice(0, 1000), id)
  })
  await sleep(200)
  process.send("ready")
  await signalled
  await sleep(50)
  for (const { closed, socket } of clients) if (!closed) socket.write(body.slice(1000))
  await Promise.all(asked)
}

const scenarios = {
  recent: burst(100),
  idle: burst(700),
  busy: loops(8, true),
  perRequest: loops(32, false),
  slow,
  posts
}

const late = setTimeout(() => {
  for (const id of outstanding) note(id, "nothing")
  process.send(result, () => process.exit(0))
}, limitMs + lateMs)
await scenarios[scenario]()
clearTimeout(late)
process.send(result, () => process.exit(0))
