/**
 * A client of HTTP/2 without a client library, for the Node versions whose own forgets streams: GETs, as many at a time
 * as are asked for, on a new connection after each GOAWAY.
 */
import { certificate } from "../../support/certificate.js"
import {
  code,
  codeOf,
  connect as connectFrames,
  flag,
  type Frame,
  type FramesClient,
  lastStreamOf,
  request,
  statusOf,
  windowUpdate
} from "../../support/http2Frames.js"
import type { Client, Outcome, Sent } from "./wires.js"

interface Stream {
  status: number
  readonly body: Array<Buffer>
  readonly begun: (yes: boolean) => void
  readonly resolve: (outcome: Outcome) => void
}

interface Session {
  readonly client: FramesClient
  readonly streams: Map<number, Stream>
  nextStream: number
  goingAway: boolean
}

export const connect = (secure: boolean, port: number): Client => {
  const open = new Set<Session>()
  let connections = 0
  let current: Promise<Session> | undefined

  const forget = (session: Session) => {
    if (session.goingAway) return
    session.goingAway = true
    current = undefined
  }

  const establish = async (): Promise<Session> => {
    connections++
    const client = await connectFrames({ port }, secure ? { tls: { ca: certificate.cert } } : {})
    const session: Session = { client, streams: new Map(), nextStream: 1, goingAway: false }
    const closed = () => {
      open.delete(session)
      forget(session)
      for (const stream of session.streams.values()) {
        stream.begun(false)
        stream.resolve(
          stream.status > 0
            ? { _tag: "Truncated", status: stream.status, body: Buffer.concat(stream.body) }
            : { _tag: "Lost", code: client.ending }
        )
      }
      session.streams.clear()
    }
    if (client.ending !== "open") {
      closed()
      return session
    }
    open.add(session)
    let seen = 0
    const take = () => {
      for (; seen < client.frames.length; seen++) understand(session, client.frames[seen]!, forget)
    }
    client.socket.on("data", take)
    client.socket.once("close", closed)
    take()
    return session
  }

  return {
    get connections() {
      return connections
    },
    get connected() {
      return open.size > 0
    },
    leave: () => open.forEach(({ client }) => client.leave()),
    send: (path): Sent => {
      let begun!: (yes: boolean) => void
      const begins = new Promise<boolean>((resolve) => {
        begun = resolve
      })
      const outcome = (async () => {
        const session = await (current ??= establish())
        if (session.client.ending === "refused") return { _tag: "Refused", code: "ECONNREFUSED" } as const
        // its GOAWAY came while this waited for it
        if (session.goingAway) return { _tag: "Refused", code: "GOAWAY" } as const
        const id = session.nextStream
        session.nextStream += 2
        return new Promise<Outcome>((resolve) => {
          session.streams.set(id, { status: 0, body: [], begun, resolve })
          void session.client.write(request(id, path))
        })
      })()
      return { begun: begins, outcome, write: unsupported, end: unsupported }
    }
  }
}

const understand = (session: Session, each: Frame, forget: (session: Session) => void): void => {
  if (each.type === "GOAWAY") {
    forget(session)
    const last = lastStreamOf(each)
    for (const [id, stream] of session.streams) {
      if (id <= last) continue
      session.streams.delete(id)
      stream.resolve({ _tag: "Refused", code: "GOAWAY" })
    }
    // RFC 9113, section 6.8: one who has nothing left to do on it closes the connection
    if (session.streams.size === 0) session.client.socket.end()
    return
  }
  const stream = session.streams.get(each.stream)
  if (stream === undefined) return
  if (each.type === "HEADERS" && stream.status === 0) stream.status = statusOf(each)
  if (each.type === "DATA") {
    stream.begun(true)
    stream.body.push(each.payload)
    const { length } = each.payload
    if (length > 0) void session.client.write(windowUpdate(0, length), windowUpdate(each.stream, length))
  }
  const reset = each.type === "RST_STREAM"
  // Node's servers may say NO_ERROR where END_STREAM belongs, and its client takes that for the end
  const ended = reset
    ? codeOf(each) === code.noError && stream.status > 0
    : (each.flags & flag.endStream) !== 0
  if (!reset && !ended) return
  session.streams.delete(each.stream)
  stream.begun(false)
  if (ended) {
    stream.resolve({ _tag: "Answered", status: stream.status, headers: {}, body: Buffer.concat(stream.body) })
  } else if (codeOf(each) === code.refusedStream) {
    stream.resolve({ _tag: "Refused", code: "REFUSED_STREAM" })
  } else {
    stream.resolve({ _tag: "Lost", code: `reset with ${codeOf(each)}` })
  }
  if (session.goingAway && session.streams.size === 0) session.client.socket.end()
}

const unsupported = (): never => {
  throw new Error("this client sends no bodies")
}
