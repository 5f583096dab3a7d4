// The generations of settings: one that new requests begin with, and those before it that requests still keep. What only
// an old one uses is closed once its last request is over, and not before.

import type { Provider } from '../core/contracts.js'
import type { Log } from '../ops/log.js'
import type { Generation } from '../web/context.js'

export interface Generations {
  current(): Generation
  /** The current one, for a request that begins now. */
  enter(): Generation
  /** A request that had entered is over. */
  leave(generation: Generation): void
  /** From now on requests begin with `next`. */
  swap(next: Generation): void
  /** How many are not closed yet, the current one included. */
  open(): number
  /** Closes all; requests under way are let finish. */
  close(): Promise<void>
}

export function createGenerations(first: Generation, deps: { log: Log }): Generations {
  /** Requests under way, by generation. */
  const users = new Map<Generation, number>([[first, 0]])
  let current = first

  const retire = async (generation: Generation) => {
    users.delete(generation)
    const others = [...users.keys()]
    const shared = (provider: Provider) => others.some(({ providers }) => providers.includes(provider))
    for (const provider of generation.providers) if (!shared(provider)) provider.close()
    if (others.every(({ directory }) => directory !== generation.directory)) generation.directory.close?.()
    await generation.street.close()
  }
  const retireWhenOver = (generation: Generation) => {
    if (generation === current || users.get(generation) !== 0) return
    retire(generation).catch((error: Error) => {
      deps.log.warn({ cause: error.message }, 'what an earlier configuration used could not be closed')
    })
  }

  return {
    current: () => current,
    enter() {
      users.set(current, (users.get(current) ?? 0) + 1)
      return current
    },
    leave(generation) {
      const count = users.get(generation)
      if (count === undefined) return
      users.set(generation, count - 1)
      retireWhenOver(generation)
    },
    swap(next) {
      const before = current
      users.set(next, 0)
      current = next
      retireWhenOver(before)
    },
    open: () => users.size,
    async close() {
      await Promise.all([...users.keys()].map(retire))
    },
  }
}
