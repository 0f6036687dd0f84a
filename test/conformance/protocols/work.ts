/**
 * What the handlers do, whatever framework they are written in, and an account of it.
 */
import { Readable } from "node:stream"
import { deferred } from "../../support/wait.js"

export class Work {
  /** The `id` of each request whose handler ran. */
  readonly executed: Array<string> = []
  readonly #released = deferred()

  /** A handler has begun. */
  ran(url: string): void {
    this.executed.push(parse(url).get("id") ?? url)
  }

  /** Takes `?ms=`; without it, until `release`. */
  async slow(url: string): Promise<string> {
    const ms = parse(url).get("ms")
    await (ms === null ? this.#released.promise : new Promise((resolve) => setTimeout(resolve, Number(ms))))
    return longBody
  }

  release(): void {
    this.#released.resolve()
  }
}

const parse = (url: string): URLSearchParams => new URL(url, "http://test").searchParams

/** Longer than what a socket's buffers take at once. */
export const longBody = "one line of many\n".repeat(20_000)

/** A line every 20 ms, for as long as somebody reads them. */
export async function* ticks(): AsyncGenerator<Buffer> {
  while (true) {
    yield Buffer.from("tick\n")
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

export const ticking = (): Readable => Readable.from(ticks(), { objectMode: false })

export const readAll = async (source: AsyncIterable<Buffer>): Promise<Buffer> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of source) chunks.push(chunk)
  return Buffer.concat(chunks)
}
