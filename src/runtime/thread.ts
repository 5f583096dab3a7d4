// Work that would hold up requests: in a thread of its own, or in slices between which requests get their turn.

import { extname } from 'node:path'
import { setImmediate as yieldToEvents } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Piscina } from 'piscina'

/** The thread gave no result. */
export class ThreadFailed extends Error {
  override name = 'ThreadFailed'
  /** It would fail in the same way again. */
  readonly tooCostly: boolean
  constructor(message: string, tooCostly: boolean) {
    super(message)
    this.tooCostly = tooCostly
  }
}

interface ThreadLimits {
  ms: number
  megabytes: number
}

/** A file of the sources as an entry for a thread: `.js` once it is built, `.ts` where the sources run. */
export function threadEntry(name: string, besides: string): URL {
  return new URL(`./${name}${extname(besides)}`, besides)
}

let last: Promise<unknown> = Promise.resolve()

/**
 * What the export `run` of `entry` makes of `input`, in a thread that ends with it: what it leaves behind in memory is gone
 * with it. One after the other: each may need all its memory. Rejects with ThreadFailed.
 */
export function runInThread(entry: URL, input: unknown, limits: ThreadLimits): Promise<unknown> {
  const result = last.then(() => runAlone(entry, input, limits))
  last = result.catch(() => {})
  return result
}

async function runAlone(entry: URL, input: unknown, { ms, megabytes }: ThreadLimits): Promise<unknown> {
  const thread = new Piscina({
    filename: fileURLToPath(entry),
    name: 'run',
    minThreads: 1,
    maxThreads: 1,
    atomics: 'disabled',
    recordTiming: false,
    resourceLimits: { maxOldGenerationSizeMb: megabytes },
  })
  // Of a thread that has no work, which has ended by then.
  thread.on('error', () => {})
  const signal = AbortSignal.timeout(ms)
  try {
    return await thread.run(input, { signal })
  } catch (error) {
    if (signal.aborted) throw new ThreadFailed(`takes more than ${ms / 1000} s`, true)
    const { code, message } = error as Error & { code?: string }
    const outOfMemory = code === 'ERR_WORKER_OUT_OF_MEMORY'
    throw new ThreadFailed(outOfMemory ? `takes more than ${megabytes} MB of memory` : message, outOfMemory)
  } finally {
    await thread.destroy()
  }
}

/** Items between two turns of other work: they take about a millisecond. */
const sliceSize = 500

export async function inSlices<Item>(
  items: Iterable<Item>,
  work: (item: Item) => void,
  size = sliceSize,
): Promise<void> {
  let count = 0
  for (const item of items) {
    if (++count % size === 0) await yieldToEvents()
    work(item)
  }
}
