// Entries by their time of expiry, in a binary heap: the next to expire is found without looking at the others. Entries
// that the owner has replaced stay until they expire or outnumber the live ones; `isLive` tells them apart.

export interface Expiring {
  /** Milliseconds since the epoch. */
  expiresAt: number
}

export interface Expiry<T extends Expiring> {
  add(entry: T): void
  /** Removes and returns the entry that expires first, if it has expired by `now`. */
  takeDue(now: number): T | undefined
}

/** `isLive`: whether the owner still has this very entry. */
export function createExpiry<T extends Expiring>(deps: { isLive: (entry: T) => boolean }): Expiry<T> {
  let heap: T[] = []
  let compactAt = 1024

  return {
    add(entry) {
      heap.push(entry)
      rise(heap, heap.length - 1)
      if (heap.length < compactAt) return
      heap = heap.filter(deps.isLive).sort((a, b) => a.expiresAt - b.expiresAt)
      compactAt = Math.max(1024, heap.length * 2)
    },
    takeDue(now) {
      const due = heap[0]
      if (!due || due.expiresAt > now) return undefined
      const last = heap.pop()
      if (last && heap.length > 0) {
        heap[0] = last
        sink(heap)
      }
      return due
    },
  }
}

function rise<T extends Expiring>(heap: T[], from: number): void {
  let at = from
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (!swapped(heap, parent, at)) return
    at = parent
  }
}

function sink<T extends Expiring>(heap: T[]): void {
  let at = 0
  for (;;) {
    const left = 2 * at + 1
    const right = left + 1
    const child = expiryOf(heap, right) < expiryOf(heap, left) ? right : left
    if (!swapped(heap, at, child)) return
    at = child
  }
}

/** Swaps the two when the lower one expires earlier. */
function swapped<T extends Expiring>(heap: T[], upper: number, lower: number): boolean {
  const [a, b] = [heap[upper], heap[lower]]
  if (!a || !b || a.expiresAt <= b.expiresAt) return false
  heap[upper] = b
  heap[lower] = a
  return true
}

function expiryOf<T extends Expiring>(heap: T[], at: number): number {
  return heap[at]?.expiresAt ?? Number.POSITIVE_INFINITY
}
