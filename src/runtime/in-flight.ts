// The items in flight, as an unordered list: each item knows its index, and the last one takes the index of one that
// leaves. On the hot path a Set would cost more: V8 keeps the tables that a Set has outgrown, with everything they
// held, until the next major collection.

export interface InFlight<One extends object> {
  add(one: One): void
  /** Whether it was there. */
  remove(one: One): boolean
  all(): readonly One[]
}

export function createInFlight<One extends object>(): InFlight<One> {
  // A symbol for each list: an item in two lists has an index in each.
  const index = Symbol('index')
  type Indexed = One & { [index]?: number }
  const list: Indexed[] = []

  return {
    add(one: Indexed) {
      one[index] = list.length
      list.push(one)
    },
    remove(one: Indexed) {
      const at = one[index]
      if (at === undefined || list[at] !== one) return false
      const last = list.pop() as Indexed
      if (last === one) return true
      list[at] = last
      last[index] = at
      return true
    },
    all: () => list,
  }
}
