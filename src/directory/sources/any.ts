// Everyone who logs in at an identity provider is an agent. Knows nothing of an agent but the address.

import type { Clock } from '../../core/contracts.js'
import type { DirectorySource } from '../directory.js'

export function createAnySource({ clock }: { clock: Clock }): DirectorySource {
  const at = clock.now()
  return { name: 'any', find: async email => ({ email }), knownState: email => ({ found: { email }, at }) }
}
