/** First in, first out, of any length: `shift` of a long array moves all that is behind. */
export class Queue<A> {
  #items: Array<A> = []
  #taken = 0

  get size(): number {
    return this.#items.length - this.#taken
  }

  add(item: A): void {
    this.#items.push(item)
  }

  take(): A | undefined {
    if (this.size === 0) return undefined
    const item = this.#items[this.#taken++]
    // what has been taken is let go of, in time that each has paid for
    if (this.#taken * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#taken)
      this.#taken = 0
    }
    return item
  }
}
