// The public keys at /auth/jwks.json: those of now, and those that signed until a moment ago. A key that the configuration
// has dropped stays until the last assertion that it signed is dead.

import type { Clock } from '../core/contracts.js'
import type { PublicKey } from './assertion-keys.js'

export interface PublishedKeys {
  /** These keys, and those that were in use before and are still needed. */
  with(keys: readonly PublicKey[]): PublicKey[]
  /** Keys whose assertions live for `ttl` milliseconds more. */
  keep(keys: readonly PublicKey[], ttl: number): void
}

/** Milliseconds longer than an assertion lives: clocks differ, and requests that began before are still being sent. */
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
