/**
 * What a primary of `node:cluster` and its workers say to each other in a hand-over.
 */

/** What workers and their primary say to each other. */
export type Word = "ready" | "stop" | "further" | "leaving" | "left"

const key = "quiesce/Handoff"

export const say = (word: Word, more: object = {}) => ({ ...more, [key]: word })

export const wordOf = (message: unknown): unknown => fieldOf(message, key)

export const fieldOf = (message: unknown, field: string): unknown =>
  typeof message === "object" && message !== null ? Reflect.get(message, field) : undefined
