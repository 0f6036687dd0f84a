/**
 * When each of many is told to leave, if they are told one after the other and evenly.
 */

/** So many, over so many milliseconds. */
export interface Spread {
  readonly count: number
  readonly millis: number
}

/** When it is the turn of one, in milliseconds since that of the first: of the `nth`, counted from 0. */
export const turnAt = (nth: number, { count, millis }: Spread): number => count === 0 ? 0 : nth * millis / count

/** Whose turn has come so many milliseconds after that of the first: how many. */
export const turnsUntil = (elapsed: number, { count, millis }: Spread): number =>
  elapsed < 0 ? 0 : millis === 0 ? count : Math.min(count, Math.floor(elapsed * count / millis) + 1)

/**
 * How long those take who are left when `millis` were meant for `count`: no more a second than was meant, and no longer
 * than there is room.
 */
export const spreadOfRest = (rest: number, { count, millis }: Spread, room: number): Spread => ({
  count: rest,
  millis: Math.max(0, Math.min(room, count === 0 ? millis : millis * rest / count))
})

/**
 * How long the first of those who are left waits, where its turn comes in `millis`: no longer than is right when all of
 * them share the room there is.
 */
export const pauseBeforeRest = (millis: number, rest: number, room: number): number =>
  rest === 0 ? 0 : Math.max(0, Math.min(Math.ceil(millis), Math.floor(room / rest)))
