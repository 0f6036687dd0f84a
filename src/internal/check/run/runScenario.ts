/**
 * One scenario, once: a new server, its clients, and nothing of either afterwards.
 */
import { CheckFailed } from "../errors.js"
import type { End, Finding, Offer, Settings, TranscriptEntry } from "../model.js"
import type { Scenario } from "../scenario/scenario.js"
import { notAsked } from "../scenario/scenario.js"
import { now } from "../wait.js"
import { untilOnTime } from "./lag.js"
import { type Place, placeOf } from "./place.js"
import { Stage } from "./stage.js"
import { start } from "./start.js"

export interface Outcome {
  readonly finding: Finding
  readonly end: End | undefined
  readonly millis: number
  readonly transcript: ReadonlyArray<TranscriptEntry>
}

const notRun = (finding: Finding): Outcome => ({ finding, end: undefined, millis: 0, transcript: [] })

/** How often a scenario is tried on a machine that is too busy, and how long is waited before. */
const tries = 8
const waitMillis = 5000

/** A server that closes what is left after a few seconds must not meet clients that are still at it for lack of time. */
const lateInAllMillis = 2000

/** Nothing where others that run beside it may be why it says nothing. */
export const runScenario = async (
  settings: Settings,
  offer: Offer,
  scenario: Scenario,
  isUndisturbed: boolean
): Promise<Outcome | undefined> => {
  const unasked = scenario.unasked(offer, settings)
  if (unasked !== undefined) return notRun(notAsked(unasked))
  for (let nth = 1;; nth++) {
    const { doubt, outcome } = await runOnce(settings, offer, scenario)
    if (doubt === undefined) return outcome
    if (!isUndisturbed) return undefined
    const why = `the machine was too busy: ${doubt}, ${nth} times`
    if (nth === tries) return { ...outcome, finding: notAsked({ why, failed: true }) }
    await untilOnTime(scenario.lateMillis, waitMillis)
  }
}

/** Why it says nothing of the server, but only of a machine that is too busy. */
const doubtOf = (scenario: Scenario, stage: Stage, finding: Finding): string | undefined => {
  if (stage.endedInDoubt()) return "the server ended a little after its time"
  const { longest, total } = stage.lag.noted()
  // clients that load the machine make this process late by themselves, a little each time
  const isLate = longest > scenario.lateMillis || (!scenario.alone && total > lateInAllMillis)
  // a client that does nothing but wait cannot be late with that
  if (scenario.patient) return undefined
  if (isLate) return `clients were ${longest} ms late, ${total} ms in all`
  const serverLate = scenario.alone || finding.verdict !== "lost" ? 0 : stage.serverLate()
  return serverLate > lateInAllMillis ? `the server was kept from running for ${serverLate} ms` : undefined
}

const runOnce = async (
  settings: Settings,
  offer: Offer,
  scenario: Scenario
): Promise<{ readonly outcome: Outcome; readonly doubt: string | undefined }> => {
  const began = now()
  const place = await placeOf(settings, offer.separate ? undefined : offer.target)
  const started = await start(settings, place).catch(asFailure)
  if (started instanceof CheckFailed) {
    return {
      doubt: undefined,
      outcome: notRun(notAsked({ why: `it did not start: ${started.message}`, failed: true }))
    }
  }
  const { server, target } = started
  server.endsWithLeader = !scenario.keepsOrphans
  const stage = new Stage(settings, offer, server, target, () => startAgain(settings, place))
  try {
    const finding = await scenario.run(stage)
    const transcript = stage.transcript.entries()
    return {
      doubt: doubtOf(scenario, stage, finding),
      outcome: { finding, end: stage.seen(), millis: Math.round(now() - began), transcript }
    }
  } finally {
    stage.lag.stop()
    stage.leave()
    await server.destroy()
  }
}

/** Why a new server does not start where the one before it was; nothing if it does. */
const startAgain = async (settings: Settings, place: Place): Promise<string | undefined> => {
  const again = await start(settings, place, { again: true }).catch(asFailure)
  if (again instanceof CheckFailed) return again.message
  await again.server.destroy()
  return undefined
}

const asFailure = (cause: unknown): CheckFailed => {
  if (cause instanceof CheckFailed) return cause
  throw cause
}
