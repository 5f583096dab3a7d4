// A key set behind a URL: fetched at the start, again when it is old or a token names a key that it lacks, and kept while
// the endpoint is down. Tokens that anybody may send cause at most one request per cool-down.

import type { Clock } from '../../core/contracts.js'
import type { Log } from '../../ops/log.js'
import type { FetchText } from '../../runtime/http-client.js'
import { counted, type KeySet, type ProviderKeys, readKeySet } from './key-set.js'

/** Milliseconds. A key that was taken out of the set is refused at the latest after `fresh`. */
const fresh = 600_000
const stale = 86_400_000
const coolDown = 30_000
/** While there are no keys at all, no login is possible: try again sooner. */
const coolDownWithout = 5_000
const limits = { bytes: 256 * 1024, ms: 5000 }
/** The most unknown key IDs that are remembered between two look-ups. */
const mostAbsent = 1000

export function createRemoteKeySet(
  source: { id: string; url: string },
  deps: { clock: Clock; fetchText: FetchText; log: Log },
): ProviderKeys {
  let set: KeySet | undefined
  let published = ''
  let version = 0
  let fetchedAt = 0
  let triedAt: number | undefined
  let failure: string | undefined
  let inFlight: Promise<void> | undefined
  let closed = false
  let fetches = 0
  /** Key IDs that the last look-up was made for and did not find. */
  const absent = new Set<string>()

  /** Milliseconds, whichever way the clock was moved in between. */
  const since = (at: number) => Math.abs(deps.clock.now() - at)
  const current = () => (set && set.size > 0 && since(fetchedAt) <= stale ? set : undefined)

  const fetchSet = async () => {
    try {
      const { text } = await deps.fetchText(source.url, limits)
      const next = readKeySet(text)
      if (next.ignored.length > 0) {
        deps.log.warn({ provider: source.id, ignored: next.ignored.slice(0, 10) }, 'JWKS keys ignored')
      }
      if (next.size === 0) deps.log.warn({ provider: source.id }, 'JWKS without a usable key')
      // An empty set is adopted too: that is how a provider takes its keys back.
      set = next
      if (text !== published) version++
      published = text
      fetchedAt = deps.clock.now()
      failure = undefined
      fetches++
      absent.clear()
    } catch (error) {
      failure = error instanceof Error ? error.message : 'unknown error'
      deps.log.warn({ provider: source.id, error: failure }, 'JWKS fetch failed')
    }
  }

  /** One flight for all who need it; none within the cool-down. */
  const refresh = (): Promise<void> => {
    if (inFlight) return inFlight
    const pause = current() ? coolDown : coolDownWithout
    if (closed || (triedAt !== undefined && since(triedAt) < pause)) return Promise.resolve()
    triedAt = deps.clock.now()
    inFlight = fetchSet().finally(() => {
      inFlight = undefined
    })
    return inFlight
  }

  const lacks = (kid: string | undefined) => {
    const known = current()
    if (!known || since(fetchedAt) >= fresh) return true
    return kid !== undefined && !known.kids.has(kid)
  }

  const first = refresh()
  return {
    ready: () => first,
    async find({ alg, kid }) {
      const before = fetches
      if (lacks(kid)) await refresh()
      const known = current()
      const found = await known?.find(kid === undefined ? { alg } : { alg, kid })
      if (!known || !found || found.length > 0 || kid === undefined || known.kids.has(kid)) return found
      // A key that was published a moment ago is no forgery: only a look-up for it can tell.
      if (fetches > before && absent.size < mostAbsent) absent.add(kid)
      return fetches > before || absent.has(kid) ? found : undefined
    },
    async version() {
      if (lacks(undefined)) await refresh()
      return current() && version
    },
    knows: kid => current()?.kids.has(kid) ?? false,
    describe() {
      const count = counted(current()?.size ?? 0, 'public key')
      return failure === undefined ? count : `${count}; last try: ${failure}`
    },
    close() {
      closed = true
    },
  }
}
