/**
 * One scenario, once: a new server, its clients, and nothing of either afterwards.
 */
import type { End, Finding, Offer, Settings, TranscriptEntry } from "../model.js"
import type { Scenario } from "../scenario/scenario.js"
import { notAsked } from "../scenario/scenario.js"
import { now } from "../wait.js"
import { placeOf } from "./place.js"
import { Stage } from "./stage.js"
import { start } from "./start.js"

export interface Outcome {
  readonly finding: Finding
  readonly end: End | undefined
  readonly millis: number
  readonly transcript: ReadonlyArray<TranscriptEntry>
}

export const runScenario = async (settings: Settings, offer: Offer, scenario: Scenario): Promise<Outcome> => {
  const began = now()
  const unasked = scenario.unasked(offer, settings)
  if (unasked !== undefined) return { finding: notAsked(unasked), end: undefined, millis: 0, transcript: [] }
  const place = await placeOf(settings, offer.separate ? undefined : offer.target)
  const { server, target } = await start(settings, place, false)
  server.endsWithLeader = !scenario.keepsOrphans
  const stage = new Stage(settings, offer, server, target)
  try {
    const finding = await scenario.run(stage)
    return { finding, end: stage.seen(), millis: Math.round(now() - began), transcript: stage.transcript.entries() }
  } finally {
    stage.leave()
    await server.destroy()
  }
}
