import * as Effect from "effect/Effect"
import type { InvalidPolicy } from "../../model/errors.js"

export const usesFastPath = (_option: unknown): Effect.Effect<boolean, InvalidPolicy> => Effect.succeed(false)
