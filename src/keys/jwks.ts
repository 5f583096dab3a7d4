// The public keys at /auth/jwks.json: the current keys, and former keys until the last assertion that they signed has
// expired.

import type { Clock } from '../core/contracts.js'
import type { PublicKey } from './assertion-keys.js'

export interface PublishedKeys {
  /** These keys, and former keys that are still needed. */
  with(keys: readonly PublicKey[]): PublicKey[]
  /** Keeps former keys, whose assertions are valid for `ttl` milliseconds more. */
  keep(keys: readonly PublicKey[], ttl: number): void
}

/** Milliseconds on top: clocks differ, and earlier requests are still being sent. */
const margin = 60_000

export function createPublishedKeys(deps: { clock: Clock }): PublishedKeys {
  let former: { key: PublicKey; until: number }[] = []

  return {
    with(keys) {
      former = former.filter(({ until }) => deps.clock.now() < until)
      const all = [...keys, ...former.map(({ key }) => key)]
      // The first of an ID stays where it is: the signing key leads.
      return all.filter((key, at) => all.findIndex(({ kid }) => kid === key.kid) === at)
    },
    keep(keys, ttl) {
      const until = deps.clock.now() + ttl + margin
      former = [...former, ...keys.map(key => ({ key, until }))]
    },
  }
}
