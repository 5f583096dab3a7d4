// What is under way, as a list in no order: each one knows its place, and the last one takes over the place of who leaves.
// On the way of every request a Set would do the same for more: V8 leaves the tables that a Set has outgrown chained to the
// next ones, and keeps with them all that they ever held until its next big collection.

export interface UnderWay<One extends object> {
  add(one: One): void
  /** Whether it was there. */
  remove(one: One): boolean
  all(): readonly One[]
}

export function createUnderWay<One extends object>(): UnderWay<One> {
  // One's own: who is in two lists has a place in each.
  const place = Symbol('place')
  type Placed = One & { [place]?: number }
  const list: Placed[] = []

  return {
    add(one: Placed) {
      one[place] = list.length
      list.push(one)
    },
    remove(one: Placed) {
      const at = one[place]
      if (at === undefined || list[at] !== one) return false
      const last = list.pop() as Placed
      if (last === one) return true
      list[at] = last
      last[place] = at
      return true
    },
    all: () => list,
  }
}
