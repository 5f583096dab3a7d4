// The keys that verify a provider's tokens: shared secrets, or public keys from a file or a URL. Which key is tried
// follows from the settings; a token only chooses among them, and causes no request but the bounded refresh.

import { createSecretKey } from 'node:crypto'
import type { JwtSettings } from '../../config/schema/providers.js'
import type { Clock } from '../../core/contracts.js'
import type { Log } from '../../ops/log.js'
import type { FetchText } from '../../runtime/http-client.js'
import { counted, type KeySet, KeySetInvalid, type ProviderKeys, readKeySet } from './key-set.js'
import { createRemoteKeySet } from './remote-jwks.js'

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

function createSecretKeys({ id, secrets }: KeySettings): ProviderKeys {
  const keys = secrets.map(secret => {
    const bytes = Buffer.from(secret.reveal(), 'utf8')
    if (bytes.length < shortestSecret) throw new Error(`provider ${id}: a secret is shorter than 32 bytes`)
    return createSecretKey(bytes)
  })
  return {
    find: async ({ alg }) => (alg === 'HS256' ? keys : []),
    version: async () => 0,
    knows: () => false,
    ready: async () => {},
    describe: () => counted(keys.length, 'shared secret'),
    close: () => {},
  }
}

function fromFile({ path, text }: { path: string; text: string }): ProviderKeys {
  const set = readFile(path, text)
  return {
    find: set.find,
    version: async () => 0,
    knows: kid => set.kids.has(kid),
    ready: async () => {},
    describe: () => counted(set.size, 'public key'),
    close: () => {},
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
