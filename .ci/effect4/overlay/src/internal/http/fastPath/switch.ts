import * as Effect from "effect/Effect"
import type { InvalidPolicy } from "../../model/errors.js"

export const usesFastPath = (_options: object): Effect.Effect<boolean, InvalidPolicy> => Effect.succeed(false)
