/**
 * What clients ask for, and what they must get: each request carries its number, and its answer follows from that
 * number alone, byte for byte.
 */

/** What the handler of a request does. */
export const kinds = [
  /** Answers at once. */
  "quick",
  /** Answers, fails or dies when it is told to. */
  "held",
  /** The same, and cannot be interrupted. */
  "masked",
  /** The same, and takes its time to finish once it is interrupted. */
  "dogged",
  /** Sends its answer in pieces, one whenever it is told to, and may fail midway. */
  "stream",
  /** Answers with more than the kernel takes. */
  "big",
  /** Reads the whole body, and answers with it. */
  "echo",
  /** Answers at once, and never reads the body. */
  "deaf"
] as const

export type Kind = typeof kinds[number]

/** Whether its handler waits to be told what to do. */
export const waits = (kind: Kind): boolean =>
  kind === "held" || kind === "masked" || kind === "dogged" || kind === "stream"

/** Whether the request has a body. */
export const hasBody = (kind: Kind): boolean => kind === "echo" || kind === "deaf"

/** How long a `dogged` handler takes to finish, in milliseconds of the clock. */
export const doggedMillis = 300

/** How many pieces a stream has. */
export const pieces = 3

export const piece = (id: number, n: number): string => `piece ${n} of ${id};`.repeat(1 + (id + n) % 3)

/** The body of a request. */
export const sent = (id: number): string => `order ${id}, `.repeat(1 + id % 4)

const pattern = Buffer.alloc(6 * 1024 * 1024 + 65_536)
for (let at = 0; at < pattern.length; at += 4) pattern.writeUInt32LE((at * 2_654_435_761) >>> 0, at)

/** How much is more than the kernel takes: of TCP, where it buffers up to some megabytes, and of a Unix socket. */
export const bigBytes = { tcp: 6 * 1024 * 1024, unix: 1024 * 1024, h2: 150_000 } as const

export type Size = keyof typeof bigBytes

/** The whole body of the answer. */
export const answerTo = (id: number, kind: Kind, size: Size): Buffer => {
  switch (kind) {
    case "big":
      return pattern.subarray(id * 4, id * 4 + bigBytes[size])
    case "stream":
      return Buffer.from(Array.from({ length: pieces }, (_, n) => piece(id, n)).join(""))
    case "echo":
      return Buffer.from(`echo ${id}: ${sent(id)}`)
    case "quick":
    case "held":
    case "masked":
    case "dogged":
    case "deaf":
      return Buffer.from(`answer ${id} of ${kind};`.repeat(1 + id % 5))
  }
}

export const pathOf = (id: number, kind: string): string => `/${id}/${kind.replace(" ", "-")}`

export const idOf = (path: string): number => Number(path.split("/")[1])

/** The body that a request must be answered with: none where a `HEAD` asked, or where the connection is taken over. */
export const bodyOf = (
  { id, kind, method, size }: {
    readonly id: number
    readonly kind: Kind | "websocket" | "echo upgrade" | "declined"
    readonly method: string
    readonly size: Size
  }
): Buffer =>
  method === "HEAD" || kind === "websocket" || kind === "echo upgrade"
    ? Buffer.alloc(0)
    : answerTo(id, kind === "declined" ? "quick" : kind, size)
