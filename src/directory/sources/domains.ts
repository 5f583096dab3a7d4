// Every address in one of the domains is an agent. Subdomains and look-alikes are other domains. Knows nothing of an
// agent but the address.

import type { Clock } from '../../core/contracts.js'
import { domainOf } from '../../core/email.js'
import type { DirectorySource } from '../directory.js'

export function createDomainsSource(domains: readonly string[], { clock }: { clock: Clock }): DirectorySource {
  // A to Z only, as in addresses: other letters are never folded.
  const known = new Set(domains.map(domain => domain.replace(/[A-Z]+/g, letters => letters.toLowerCase())))
  const at = clock.now()
  const found = (email: string) => (known.has(domainOf(email)) ? { email } : 'unknown')
  return { name: 'domains', find: async email => found(email), knownState: email => ({ found: found(email), at }) }
}
