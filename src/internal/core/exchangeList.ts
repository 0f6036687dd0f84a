/**
 * What is in flight on one connection, oldest first: a linked list that goes through its members. To add one, to take
 * one out and to find the oldest or the newest takes as long with ten thousand as with one, and allocates nothing.
 */

/** A member, and its neighbours. It is in one list at the most, once. */
export interface Linked {
  previous: Linked | undefined
  next: Linked | undefined
  /** It is in the list. */
  isInFlight: boolean
}

export class ExchangeList<A extends Linked> {
  /** The oldest. */
  first: A | undefined = undefined
  /** The newest. */
  last: A | undefined = undefined
  size = 0

  add(one: A): void {
    one.isInFlight = true
    one.previous = this.last
    if (this.last === undefined) this.first = one
    else this.last.next = one
    this.last = one
    this.size++
  }

  /** False where it has been taken out before. */
  delete(one: A): boolean {
    if (!one.isInFlight) return false
    // whoever is beside it was added here
    const { next, previous } = one as { readonly next: A | undefined; readonly previous: A | undefined }
    one.isInFlight = false
    one.next = undefined
    one.previous = undefined
    if (previous === undefined) this.first = next
    else previous.next = next
    if (next === undefined) this.last = previous
    else next.previous = previous
    this.size--
    return true
  }

  /** Of the oldest. */
  map<B>(limit: number, f: (one: A) => B): Array<B> {
    const all: Array<B> = []
    for (const one of this) {
      if (all.length === limit) break
      all.push(f(one))
    }
    return all
  }

  clear(): void {
    for (const one of this) this.delete(one)
  }

  /** The one that is visited may be taken out meanwhile; others may not. */
  *[Symbol.iterator](): Generator<A, void> {
    let one = this.first
    while (one !== undefined) {
      const next = one.next as A | undefined
      yield one
      one = next
    }
  }
}
