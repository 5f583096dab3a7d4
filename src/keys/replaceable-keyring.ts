// The key ring as everything that outlives a reload holds it: one object, whose secrets can be replaced. Never mixes two
// rings within one call.

import type { Keyring } from './keyring.js'

export interface KeyringInUse extends Keyring {
  /** From now on `next` seals and opens. */
  replace(next: Keyring): void
}

export function keyringInUse(first: Keyring): KeyringInUse {
  let ring = first
  return {
    seal: (purpose, plain, bound) => ring.seal(purpose, plain, bound),
    open: (purpose, sealed, bound) => ring.open(purpose, sealed, bound),
    mac: (purpose, data) => ring.mac(purpose, data),
    verifies: (purpose, data, mac) => ring.verifies(purpose, data, mac),
    derive: (purpose, length) => ring.derive(purpose, length),
    replace(next) {
      ring = next
    },
  }
}
