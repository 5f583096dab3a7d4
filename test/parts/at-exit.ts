// What has to be ended when this process ends, however it ends: by one listener for all.

const ends = new Set<() => void>()
process.once('exit', () => {
  for (const end of ends) end()
})

/** Returns the way to take it back. */
export function atExit(end: () => void): () => void {
  ends.add(end)
  return () => void ends.delete(end)
}
