/**
 * Runs jobs, several at once, and those that must have the machine for themselves one by one.
 */

export interface Job {
  readonly alone: boolean
  /** Those are begun first, or the end would wait for them. */
  readonly patient: boolean
  /** False where it says nothing since it was disturbed: it is run again when nothing else does. */
  readonly run: (isUndisturbed: boolean) => Promise<boolean>
}

/** The first failure ends it: what runs is waited for, and nothing more is begun. */
export const runJobs = async (jobs: ReadonlyArray<Job>, parallel: number): Promise<void> => {
  const others = jobs.filter(({ alone }) => !alone)
  const rest = [...others.filter(({ patient }) => patient), ...others.filter(({ patient }) => !patient)]
  const failures: Array<unknown> = []
  const again: Array<Job> = []
  const isUndisturbed = parallel === 1
  const lane = async () => {
    for (let job = rest.shift(); job !== undefined && failures.length === 0; job = rest.shift()) {
      try {
        if (!(await job.run(isUndisturbed))) again.push(job)
      } catch (cause) {
        failures.push(cause)
      }
    }
  }
  for (const job of jobs) {
    if (job.alone) await job.run(true)
  }
  await Promise.all(Array.from({ length: parallel }, lane))
  if (failures.length > 0) throw failures[0]
  for (const job of again) await job.run(true)
}
