// The keys that verify a provider's tokens: shared secrets, or public keys from a file or a URL. Which key is tried
// follows from the settings; a token only chooses among them, and causes no request but the bounded refresh.

import { createSecretKey } from 'node:crypto'
import type { JwtSettings } from '../../config/schema/providers.js'
import type { Clock } from '../../core/clock.js'
import type { Log } from '../../ops/log.js'
import type { FetchText } from '../../runtime/http-client.js'
import { counted, type KeySet, KeySetInvalid, type ProviderKeys, readKeySet } from './key-set.js'

type KeySettings = Pick<JwtSettings, 'id' | 'secrets' | 'jwks'>

/** RFC 7518 3.2: a key of at least the size of the hash. */
const shortestSecret = 32

/** Throws when a secret is shorter than 32 bytes, or a file holds no usable key; a URL is fetched in the background. */
export function createProviderKeys(
  settings: KeySettings,
  deps: { clock: Clock; fetchText: FetchText; log: Log },
): ProviderKeys {
  const { jwks } = settings
  // Attack: RS256 becomes HS256 and the public key the secret. A provider has one kind of key, and the two never meet.
  if (!jwks) return createSecretKeys(settings)
  return 'url' in jwks ? createRemoteKeySet({ id: settings.id, url: jwks.url }, deps) : fromFile(jwks)
}

/** Keys that stay what they are. */
const unchanging = { version: async () => 0, ready: async () => {}, close: () => {} }

function createSecretKeys({ id, secrets }: KeySettings): ProviderKeys {
  const keys = secrets.map(secret => {
    const bytes = Buffer.from(secret.reveal(), 'utf8')
    if (bytes.length < shortestSecret) throw new Error(`provider ${id}: a secret is shorter than 32 bytes`)
    return createSecretKey(bytes)
  })
  return {
    ...unchanging,
    find: async ({ alg }) => (alg === 'HS256' ? keys : []),
    knows: () => false,
    describe: () => counted(keys.length, 'shared secret'),
  }
}

function fromFile({ path, text }: { path: string; text: string }): ProviderKeys {
  const set = readFile(path, text)
  return {
    ...unchanging,
    find: set.find,
    knows: kid => set.kids.has(kid),
    describe: () => counted(set.size, 'public key'),
  }
}

function readFile(path: string, text: string): KeySet {
  let why = 'it holds no usable key'
  try {
    const set = readKeySet(text)
    if (set.size > 0) return set
    why = [why, ...set.ignored].join('; ')
  } catch (error) {
    if (!(error instanceof KeySetInvalid)) throw error
    why = error.message
  }
  throw new Error(`jwks ${path}: ${why}`)
}

/** Milliseconds. A key that was taken out of the set is refused at the latest after `fresh`. */
const fresh = 600_000
const stale = 86_400_000
const coolDown = 30_000
/** While there are no keys at all, no login is possible: try again sooner. */
const coolDownWithout = 5_000
const limits = { bytes: 256 * 1024, ms: 5000 }
/** The most unknown key IDs that are remembered between two look-ups. */
const mostAbsent = 1000

/**
 * Fetched at the start, again when it is old or a token names a key that it lacks, and kept while the endpoint is down.
 * Tokens that anybody may send cause at most one request per cool-down.
 */
function createRemoteKeySet(
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
      // A key that was published a moment ago is not a forgery: only a look-up for it can tell.
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
