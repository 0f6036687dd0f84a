/**
 * What peers of WebSockets are told, as it is given, by programs with and without types.
 */
import * as Effect from "effect/Effect"
import { InvalidPolicy } from "../model/errors.js"
import type { WebSocketPolicy } from "../model/policy.js"
import { defaultPolicy } from "./defaults.js"
import { duration } from "./durations.js"
import { checkNames, webSocketNames } from "./optionNames.js"

export interface ResolvedWebSocket {
  readonly code: number
  readonly reason: string
  readonly message: string | Uint8Array | undefined
  readonly grace: number
}

/** RFC 6455 §5.5: a control frame has 125 bytes at the most, of which the code takes two. */
const reasonBytes = 123

/** RFC 6455 §7.4.1: these say that there was no code, and are never sent. */
const neverSent: ReadonlyArray<unknown> = [1004, 1005, 1006]

const isCode = (code: unknown): boolean =>
  Number.isInteger(code) && !neverSent.includes(code) &&
  ((Number(code) >= 1000 && Number(code) <= 1014) || (Number(code) >= 3000 && Number(code) <= 4999))

/** The fields that it cannot have are left to their defaults. */
export const resolveWebSocket = (policy: WebSocketPolicy): Effect.Effect<ResolvedWebSocket, InvalidPolicy> =>
  Effect.zipRight(
    checkNames("webSocket", policy, webSocketNames, " of webSocket"),
    Effect.suspend(() => {
      // `null` is a mistake, and not a field that was left out
      const { code, grace, message, reason } = { ...defaultPolicy.webSocket, ...withoutUndefined(policy) }
      return Effect.all({
        code: check("code", code, isCode, "a close code that may be sent: 1000 to 1003, 1007 to 1014, or 3000 to 4999"),
        reason: check(
          "reason",
          reason,
          (value) => typeof value === "string" && Buffer.byteLength(value) <= reasonBytes,
          `a text of ${reasonBytes} bytes of UTF-8 at the most`
        ),
        message: check(
          "message",
          message,
          (value) => value === undefined || typeof value === "string" || value instanceof Uint8Array,
          "a text, or a Uint8Array; left out, there is none"
        ),
        grace: duration("webSocket.grace", grace === undefined ? 0 : grace)
      })
    })
  )

const check = <A>(
  field: string,
  value: unknown,
  isRight: (value: unknown) => boolean,
  expected: string
): Effect.Effect<A, InvalidPolicy> =>
  isRight(value) ? Effect.succeed(value as A) : new InvalidPolicy({ field: `webSocket.${field}`, value, expected })

const withoutUndefined = <A extends object>(policy: A): Partial<A> =>
  Object.fromEntries(Object.entries(policy).filter(([, value]) => value !== undefined)) as Partial<A>
