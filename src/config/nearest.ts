// "Did you mean idle?": the name that a mistyped one stands for. Twenty lines instead of a package: none of those kept
// today counts a swap of two letters as one mistake and weighs it against the length.

/** The nearest of the known names, or undefined when none is near enough to be meant. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  if (name.length > 60) return undefined
  let best: { name: string; distance: number } | undefined
  for (const candidate of known) {
    const distance = between(fold(name), fold(candidate))
    const allowed = Math.floor(Math.max(name.length, candidate.length) / 3)
    if (distance <= allowed && (!best || distance < best.distance)) best = { name: candidate, distance }
  }
  return best?.name
}

/** public_url, public-url and PUBLICURL are publicUrl. */
function fold(name: string): string {
  return name.toLowerCase().replace(/[-_\s]/g, '')
}

/** How many letters to add, drop, change or swap with their neighbour (optimal string alignment distance). */
function between(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const swap = swapped ? (beforeLast[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY
      row.push(Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, change, swap))
    }
    ;[beforeLast, last] = [last, row]
  }
  return last[b.length] ?? 0
}
