// The key ring for everything that outlives a reload: one object whose secrets can be replaced. One call never mixes
// two rings.

import type { Keyring } from './keyring.js'

export interface ReplaceableKeyring extends Keyring {
  /** Uses `next` from now on. */
  replace(next: Keyring): void
}

export function createReplaceableKeyring(first: Keyring): ReplaceableKeyring {
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
