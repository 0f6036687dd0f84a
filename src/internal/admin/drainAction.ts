/**
 * What the page of an admin listener may do to the server, where its operator has allowed it. A page of another site can
 * have a browser send a form here; it cannot read the token that the page has.
 */
import * as Effect from "effect/Effect"
import { createHash, randomBytes, timingSafeEqual } from "node:crypto"
import * as Line from "../log/line.js"
import { type Page, type Posted, textPage } from "../model/page.js"
import type { Administered } from "./administered.js"

export const makeToken = (): string => randomBytes(18).toString("base64url")

/** Why a form is none of the page's; `undefined`: it is. */
const refusal = ({ body, contentType, host, origin, site }: Posted, token: string): string | undefined => {
  // what a browser says of the page that sends it (Fetch Metadata); others, and older ones, say nothing
  if (site !== undefined && site !== "same-origin") return `it comes from another site (Sec-Fetch-Site: ${site})`
  if (origin !== undefined && hostOf(origin) !== host?.toLowerCase()) {
    return "its Origin is not the Host that it was sent to; a proxy before this listener must pass on the Host"
  }
  if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(contentType ?? "")) return "it is no form"
  const given = new URLSearchParams(body).get("token")
  if (given === null || !isSame(given, token)) return "its token is not that of the page; load the page again"
  return undefined
}

const hostOf = (origin: string): string | undefined => URL.canParse(origin) ? new URL(origin).host : undefined

const digest = (text: string) => createHash("sha256").update(text).digest()

const isSame = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b))

/** Starts draining, and sends the browser back to the page. */
export const drainNow = (of: Administered, posted: Posted, token: string): Effect.Effect<Page> => {
  const why = refusal(posted, token)
  const { remoteAddress } = posted
  if (why !== undefined) {
    return Effect.as(
      Line.warning(`Refused to drain at the request of ${remoteAddress}: ${why}`),
      textPage(403, `Refused: ${why}.\n`)
    )
  }
  return Effect.gen(function*() {
    yield* Line.info(`Draining now, as ${remoteAddress} has asked for on the admin page`, {
      event: "DrainRequested",
      remoteAddress
    })
    yield* of.drainNow
    return { ...textPage(303, "Draining.\n"), headers: { "cache-control": "no-store", location: "./" } }
  })
}
