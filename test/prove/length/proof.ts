/** A proof that takes hours: it is done in steps, each with a seed of its own. */
export interface Proof {
  readonly what: string
  /** What `goal` counts, of which a step does some. */
  readonly unit: string
  readonly goal: number
  /** What each of them could have failed by. */
  readonly trial: string
  readonly step: (seed: number, nth: number) => Promise<Done>
}

/** What a step has done. */
export interface Done {
  readonly units: number
  readonly trials: number
  /** One line for each trial that has failed. */
  readonly failures: ReadonlyArray<string>
  /** What else is counted. */
  readonly counts?: Readonly<Record<string, number>>
}
