// Everyone with an address in one of the domains, exactly: subdomains and look-alikes are other domains. States nothing of
// an agent but the address.

import type { Clock } from '../../core/contracts.js'
import { domainOf } from '../../core/email.js'
import type { DirectorySource } from '../directory.js'

export function createDomains(domains: readonly string[], { clock }: { clock: Clock }): DirectorySource {
  // A to Z only, as in addresses: other letters are never folded.
  const known = new Set(domains.map(domain => domain.replace(/[A-Z]+/g, letters => letters.toLowerCase())))
  const at = clock.now()
  const found = (email: string) => (known.has(domainOf(email)) ? { email } : 'unknown')
  return { name: 'domains', find: async email => found(email), standing: email => ({ found: found(email), at }) }
}
