/**
 * A request that has begun and is not answered, of a server of which nothing but its address is known: its body is late,
 * or its head.
 */
import type { Client } from "../client/client.js"
import { bodies, type Body, halfBody, halfHead } from "../client/requests.js"
import type { Offer } from "../model.js"
import type { Stage } from "../run/stage.js"
import { pause } from "../wait.js"

/** For what was sent to be read. */
export const arrivalMillis = 100

/** The body that the server reads. */
export const bodyOf = (offer: Offer): Body => offer.post ?? bodies[0]

export interface InFlight {
  readonly client: Client
  /** Of its answer. */
  readonly status: number
  /** The client sends the rest, and more with it. */
  readonly finish: (more?: string) => void
}

export const inFlight = async (stage: Stage, name = "client"): Promise<InFlight> => {
  const { offer, settings } = stage
  const client = await stage.connect(name)
  const [first, rest] = offer.post === undefined
    ? halfHead(settings.path)
    : halfBody(settings.post ?? settings.path, offer.post)
  client.write(first)
  await pause(arrivalMillis)
  return { client, status: offer.post?.status ?? offer.status, finish: (more = "") => client.write(rest + more) }
}
