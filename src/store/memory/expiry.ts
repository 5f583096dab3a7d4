// What ends when, as a binary heap: the next to end is found without looking at the others. Entries that the owner has
// replaced stay in it until their time comes or until they outnumber the live ones; they are told apart by `live`.

export interface Ending {
  /** Milliseconds since the epoch. */
  end: number
}

export interface Expiry<T extends Ending> {
  add(entry: T): void
  /** The entry that ends first, taken out, if it has ended by `now`. */
  takeDue(now: number): T | undefined
}

/** `live`: whether the owner still holds this very entry. */
export function createExpiry<T extends Ending>(deps: { live: (entry: T) => boolean }): Expiry<T> {
  let heap: T[] = []
  let compactAt = 1024

  return {
    add(entry) {
      heap.push(entry)
      rise(heap, heap.length - 1)
      if (heap.length < compactAt) return
      heap = heap.filter(deps.live).sort((a, b) => a.end - b.end)
      compactAt = Math.max(1024, heap.length * 2)
    },
    takeDue(now) {
      const due = heap[0]
      if (!due || due.end > now) return undefined
      const last = heap.pop()
      if (last && heap.length > 0) {
        heap[0] = last
        sink(heap)
      }
      return due
    },
  }
}

function rise<T extends Ending>(heap: T[], from: number): void {
  let at = from
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (!swapped(heap, parent, at)) return
    at = parent
  }
}

function sink<T extends Ending>(heap: T[]): void {
  let at = 0
  for (;;) {
    const left = 2 * at + 1
    const right = left + 1
    const child = endOf(heap, right) < endOf(heap, left) ? right : left
    if (!swapped(heap, at, child)) return
    at = child
  }
}

/** Swaps the two when the lower one ends earlier. */
function swapped<T extends Ending>(heap: T[], upper: number, lower: number): boolean {
  const [a, b] = [heap[upper], heap[lower]]
  if (!a || !b || a.end <= b.end) return false
  heap[upper] = b
  heap[lower] = a
  return true
}

function endOf<T extends Ending>(heap: T[], at: number): number {
  return heap[at]?.end ?? Number.POSITIVE_INFINITY
}
