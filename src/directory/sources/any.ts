// Everyone whom an identity provider vouches for. States nothing of an agent but the address.

import type { Clock } from '../../core/contracts.js'
import type { DirectorySource } from '../directory.js'

export function createAny({ clock }: { clock: Clock }): DirectorySource {
  const at = clock.now()
  return { name: 'any', find: async email => ({ email }), standing: email => ({ found: { email }, at }) }
}
