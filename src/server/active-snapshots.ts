// The config snapshots in use: the current one for new requests, and older ones whose requests have not finished. What only
// an old snapshot uses is closed after its last request, never earlier.

import type { Provider } from '../core/providers.js'
import type { Log } from '../ops/log.js'
import type { ConfigSnapshot } from '../web/context.js'

export interface Snapshots {
  /** Throws before the first: nothing is decided without a configuration. */
  current(): ConfigSnapshot
  /** The current one, for a new request. Each call needs one `release`. */
  acquire(): ConfigSnapshot
  /** A request that has acquired it has finished. */
  release(snapshot: ConfigSnapshot): void
  /** New requests use `next` from now on. */
  replace(next: ConfigSnapshot): void
  /** The number of snapshots that are not closed, including the current one. */
  openCount(): number
  /** Closes all; open requests can finish. */
  close(): Promise<void>
}

/** The one pointer to the current snapshot; `replace` sets the first too. */
export function createSnapshots(deps: { log: Log }): Snapshots {
  const openRequests = new Map<ConfigSnapshot, number>()
  let newest: ConfigSnapshot | undefined

  const current = () => {
    if (!newest) throw new Error('there is no configuration yet')
    return newest
  }

  const retire = async (snapshot: ConfigSnapshot) => {
    openRequests.delete(snapshot)
    const others = [...openRequests.keys()]
    const shared = (provider: Provider) => others.some(({ providers }) => providers.includes(provider))
    for (const provider of snapshot.providers) if (!shared(provider)) provider.close()
    if (others.every(({ directory }) => directory !== snapshot.directory)) snapshot.directory.close?.()
    if (others.every(({ pipeline }) => pipeline !== snapshot.pipeline)) await snapshot.pipeline.close()
  }
  const retireIfUnused = (snapshot: ConfigSnapshot) => {
    if (snapshot === newest || openRequests.get(snapshot) !== 0) return
    retire(snapshot).catch((error: Error) => {
      deps.log.warn({ cause: error.message }, 'resources of an earlier configuration could not be closed')
    })
  }

  return {
    current,
    acquire() {
      const snapshot = current()
      openRequests.set(snapshot, (openRequests.get(snapshot) ?? 0) + 1)
      return snapshot
    },
    release(snapshot) {
      const count = openRequests.get(snapshot)
      if (count === undefined) return
      openRequests.set(snapshot, count - 1)
      retireIfUnused(snapshot)
    },
    replace(next) {
      const previous = newest
      openRequests.set(next, 0)
      newest = next
      if (previous) retireIfUnused(previous)
    },
    openCount: () => openRequests.size,
    async close() {
      await Promise.all([...openRequests.keys()].map(retire))
    },
  }
}
