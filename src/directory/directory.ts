// Who is an agent: the sources in the order of the configuration. The first that knows the e-mail ends the search, also
// when it says inactive. Must never take a later source for one that cannot answer.

import type { Directory, Found } from '../core/contracts.js'
import { canonicalEmail } from '../core/email.js'
import { DirectoryUnavailable } from '../core/errors.js'

/** One place that knows agents. */
export interface DirectorySource {
  /** For the operator: `file agents.yaml`. */
  readonly name: string
  /**
   * `email` in its canonical form. `unknown`: the next source is asked. Throws DirectoryUnavailable when it cannot tell;
   * any other error counts as that too.
   */
  find(email: string): Promise<Found | 'unknown' | 'disabled'>
}

export function createDirectory(sources: readonly DirectorySource[]): Directory {
  return {
    async find(address) {
      const email = canonicalEmail(address)
      if (email === undefined) return 'unknown'
      for (const source of sources) {
        const found = await ask(source, email)
        if (found === 'disabled') return found
        // The address is the one asked for, whatever spelling the source keeps.
        if (found !== 'unknown') return { ...found, email }
      }
      return 'unknown'
    },
  }
}

async function ask(source: DirectorySource, email: string): Promise<Found | 'unknown' | 'disabled'> {
  try {
    return await source.find(email)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : 'unknown error'
    throw new DirectoryUnavailable(`${source.name}: ${why}`, { cause })
  }
}
