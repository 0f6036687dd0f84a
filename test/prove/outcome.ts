/** How one of the claims' trials went: a line of the page. */
export interface Outcome {
  readonly how: string
  readonly often: string
  readonly result: string
  readonly seconds: number
  /** What failed, for a reader; empty where everything held. */
  readonly failures: ReadonlyArray<string>
}

export const timed = async <A>(work: () => Promise<A>): Promise<readonly [result: A, seconds: number]> => {
  const startedAt = performance.now()
  const result = await work()
  return [result, (performance.now() - startedAt) / 1000]
}

/** For whoever watches: on stderr, so that the page can be kept. */
export const progress = (text: string): void => void process.stderr.write(`${text}\n`)
