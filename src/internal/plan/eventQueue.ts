/**
 * What happens next: a binary heap. Events of the same time happen in the order in which they were put in, so that a seed
 * always tells the same story.
 */

interface Event {
  readonly at: number
  readonly order: number
  readonly run: (at: number) => void
}

const isBefore = (one: Event, other: Event): boolean =>
  one.at < other.at || (one.at === other.at && one.order < other.order)

export class EventQueue {
  readonly #heap: Array<Event> = []
  #order = 0

  /** At infinity is never. */
  add(at: number, run: (at: number) => void): void {
    if (at === Number.POSITIVE_INFINITY) return
    const heap = this.#heap
    const event = { at, order: this.#order++, run }
    let hole = heap.length
    heap.push(event)
    while (hole > 0) {
      const parent = (hole - 1) >> 1
      const above = heap[parent]
      if (above === undefined || !isBefore(event, above)) break
      heap[hole] = above
      hole = parent
    }
    heap[hole] = event
  }

  /** Until there is nothing more to happen. */
  run(): void {
    for (let event = this.#take(); event !== undefined; event = this.#take()) event.run(event.at)
  }

  #take(): Event | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    let hole = 0
    for (;;) {
      const left = 2 * hole + 1
      const [one, other] = [heap[left], heap[left + 1]]
      if (one === undefined) break
      const [child, below] = other !== undefined && isBefore(other, one) ? [left + 1, other] : [left, one]
      if (!isBefore(below, last)) break
      heap[hole] = below
      hole = child
    }
    heap[hole] = last
    return first
  }
}
