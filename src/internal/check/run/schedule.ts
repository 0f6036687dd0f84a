/**
 * Runs jobs, several at once, and those that must have the machine for themselves one by one.
 */

export interface Job {
  readonly alone: boolean
  /** Those are begun first, or the end would wait for them. */
  readonly patient: boolean
  readonly run: () => Promise<void>
}

/** The first failure ends it: what runs is waited for, and nothing more is begun. */
export const runJobs = async (jobs: ReadonlyArray<Job>, parallel: number): Promise<void> => {
  const others = jobs.filter(({ alone }) => !alone)
  const rest = [...others.filter(({ patient }) => patient), ...others.filter(({ patient }) => !patient)]
  const failures: Array<unknown> = []
  const lane = async () => {
    for (let job = rest.shift(); job !== undefined && failures.length === 0; job = rest.shift()) {
      await job.run().catch((cause: unknown) => void failures.push(cause))
    }
  }
  for (const job of jobs) {
    if (job.alone) await job.run()
  }
  await Promise.all(Array.from({ length: parallel }, lane))
  if (failures.length > 0) throw failures[0]
}
