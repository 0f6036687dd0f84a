/**
 * A worker thread, as it is to the main thread, which tells it of signals: none arrives here.
 */
import { threadId as thread } from "node:worker_threads"
import type { Phase } from "../model/policy.js"
import {
  type Channel,
  type Demand,
  isAnnounced,
  openChannel,
  type Said,
  unheard,
  waitUntil,
  watchStarted
} from "./threadChannel.js"

/** Whoever drains the servers of this thread. */
export type Obey = (demand: Demand["asks"]) => void

let channel: Channel | undefined
let isListening = false
let obey: Obey | undefined
/** What was asked before anybody could obey. */
let waiting: Array<Demand["asks"]> = []
const children = new Set<number>()

const say = (said: Said): void => channel?.post(said)

const sayAll = (): void => {
  say({ says: "Loaded", thread })
  for (const child of children) say({ says: "Started", thread: child, by: thread })
  if (isListening) say({ says: "Listens", thread })
}

/** The main thread learns that it reaches this one. */
export const join = (): void => {
  channel = openChannel((message) => {
    if (!("asks" in message)) return
    if (message.asks === "Who") return sayAll()
    if (message.thread !== thread) return
    if (obey === undefined) waiting.push(message.asks)
    else obey(message.asks)
  })
  watchStarted((child) => {
    children.add(child)
    say({ says: "Started", thread: child, by: thread })
  }, (child) => {
    children.delete(child)
    say({ says: "Ended", thread: child })
  })
  sayAll()
}

/** A signal is not to be lost when this returns: the main thread has a listener for it by then, unless it is busy. */
export const binds = (): void => {
  if (isListening) return
  const heard = unheard()
  say({ says: "Binds", thread, heard })
  if (isAnnounced()) waitUntil(heard)
}

/** Nothing is drained after all. */
export const unbinds = (): void => {
  if (!isListening) say({ says: "Unbinds", thread })
}

export const listens = (): void => {
  if (isListening) return
  isListening = true
  say({ says: "Listens", thread })
}

export const obeyWith = (then: Obey): void => {
  obey = then
  for (const demand of waiting.splice(0)) then(demand)
}

export const sayPhase = (phase: Phase): void => say({ says: "Phase", thread, phase })

export const closed = (hasCut: boolean): void => {
  if (!isListening) return
  isListening = false
  waiting = []
  say({ says: "Closed", thread, hasCut })
}

export const failed = (reason: string): void => say({ says: "Failed", thread, reason })
