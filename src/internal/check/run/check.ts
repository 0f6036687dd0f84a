/**
 * A whole check: what the server offers, each scenario, and the report.
 */
import type { Counts, Offer, Progress, Report, Result, Settings, Verdict } from "../model.js"
import { scenarios } from "../scenario/all.js"
import type { Scenario } from "../scenario/scenario.js"
import { now } from "../wait.js"
import { isUnix, placeOf } from "./place.js"
import { probe } from "./probe.js"
import { type Outcome, runScenario } from "./runScenario.js"
import { runJobs } from "./schedule.js"
import { start } from "./start.js"

export const runCheck = async (settings: Settings, onProgress: (progress: Progress) => void): Promise<Report> => {
  const began = now()
  const offer = await offerOf(settings)
  const chosen = scenarios.filter(({ name }) =>
    (settings.only.length === 0 || settings.only.includes(name)) && !settings.skip.includes(name)
  )
  const outcomes = new Map<string, Array<Outcome>>()
  const results = new Map<string, Result>()
  const leftMillis = () => estimate(settings, offer, chosen.filter(({ name }) => !results.has(name)))
  onProgress({ _tag: "Offered", offer, scenarios: chosen.map(({ name }) => name), leftMillis: leftMillis() })
  const round = (scenario: Scenario, rounds: number) => async (isUndisturbed: boolean) => {
    const before = outcomes.get(scenario.name) ?? []
    if (before.length === 0) onProgress({ _tag: "Started", name: scenario.name })
    outcomes.set(scenario.name, before)
    const outcome = await runScenario(settings, offer, scenario, isUndisturbed)
    if (outcome === undefined) return false
    before.push(outcome)
    if (before.length < rounds) return true
    const result = resultOf(scenario, before)
    results.set(scenario.name, result)
    onProgress({ _tag: "Finished", result, leftMillis: leftMillis() })
    return true
  }
  const jobs = chosen.flatMap((scenario) => {
    // what cannot be asked is not asked again
    const rounds = scenario.unasked(offer, settings) === undefined ? settings.repeat : 1
    const { alone, patient } = scenario
    return Array.from({ length: rounds }, () => ({ alone, patient, run: round(scenario, rounds) }))
  })
  await runJobs(jobs, offer.separate ? settings.parallel : 1)
  return reportOf(settings, offer, chosen.flatMap(({ name }) => results.get(name) ?? []), Math.round(now() - began))
}

/** What most servers take: a patient scenario takes a good part of the supervisor's time. */
const estimate = (settings: Settings, offer: Offer, left: ReadonlyArray<Scenario>): number => {
  const lanes = offer.separate ? settings.parallel : 1
  const millis = left.filter((scenario) => scenario.unasked(offer, settings) === undefined).map((scenario) => {
    const one = offer.startMillis + (scenario.patient ? settings.killAfterMillis * 0.7 : 700)
    return one * settings.repeat / (scenario.alone ? 1 : lanes)
  })
  return Math.round(millis.reduce((sum, one) => sum + one, 0))
}

const offerOf = async (settings: Settings): Promise<Offer> => {
  const place = await placeOf(settings)
  const started = await start(settings, place, { search: settings.port === undefined && !isUnix(settings) })
  try {
    const { target } = started
    const told = place.targets.some((each) => JSON.stringify(each) === JSON.stringify(target))
    return await probe(settings, started, told)
  } finally {
    await started.server.destroy()
  }
}

const resultOf = (scenario: Scenario, outcomes: ReadonlyArray<Outcome>): Result => {
  const shown = outcomes.find(({ finding }) => finding.verdict === "lost")
    ?? outcomes.find(({ finding }) => finding.verdict === "notAsked")
    ?? outcomes[0]!
  const { end, finding, transcript } = shown
  return {
    name: scenario.name,
    sentence: scenario.sentence,
    rule: scenario.rule,
    ...finding,
    counts: countsOf(outcomes.map(({ finding }) => finding.verdict)),
    ...(end === undefined ? {} : { end }),
    millis: outcomes.reduce((sum, { millis }) => sum + millis, 0),
    ...(finding.verdict === "lost" ? { advice: scenario.advice } : {}),
    transcript
  }
}

const countsOf = (verdicts: ReadonlyArray<Verdict>): Counts => {
  const count = (verdict: Verdict) => verdicts.filter((each) => each === verdict).length
  return { kept: count("kept"), lost: count("lost"), notAsked: count("notAsked") }
}

const reportOf = (settings: Settings, offer: Offer, results: ReadonlyArray<Result>, millis: number): Report => {
  const { kept, lost, notAsked } = countsOf(results.map(({ verdict }) => verdict))
  const failed = results.some(({ name, unasked, verdict }) =>
    unasked === "failed" || (verdict === "notAsked" && settings.only.includes(name))
  )
  return {
    command: settings.command,
    offer,
    results,
    kept,
    lost,
    notAsked,
    millis,
    exitCode: lost > 0 ? 1 : failed ? 2 : 0
  }
}
