// Who is an agent: the sources in the order of the configuration. The first that knows the e-mail ends the search, also
// when it says inactive. Must never take a later source for one that cannot answer.

import type { Directory, Found, Standing } from '../core/contracts.js'
import { canonicalEmail } from '../core/email.js'
import { DirectoryUnavailable } from '../core/errors.js'

/** One place that knows agents. All but `find` as in Directory (core/contracts.ts). */
export interface DirectorySource extends Omit<Directory, 'find'> {
  /** For the operator: `file agents.yaml`. */
  readonly name: string
  /**
   * `email` in its canonical form. `unknown`: the next source is asked. Throws DirectoryUnavailable when it cannot tell;
   * any other error counts as that too.
   */
  find(email: string): Promise<Found | 'unknown' | 'disabled'>
}

type Stood = Standing | undefined

export function createDirectory(sources: readonly DirectorySource[]): Required<Directory> {
  const periods = sources.flatMap(({ askEvery }) => askEvery ?? [])
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
    standing(address) {
      const email = canonicalEmail(address)
      return email === undefined ? undefined : standingFrom(sources, { email, at: Number.POSITIVE_INFINITY })
    },
    onChange(listener) {
      for (const source of sources) source.onChange?.(listener)
    },
    askEvery: periods.length === 0 ? undefined : Math.min(...periods),
    async ready() {
      await Promise.all(sources.map(source => source.ready?.()))
    },
    close() {
      for (const source of sources) source.close?.()
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

/** `at`: since when the sources before these have said that they do not know the address. Synchronous while each source is. */
function standingFrom(
  sources: readonly DirectorySource[],
  { email, at }: { email: string; at: number },
): Stood | Promise<Stood> {
  const [source, ...later] = sources
  if (!source) return at === Number.POSITIVE_INFINITY ? undefined : { found: 'unknown', at }
  const go = (stood: Stood): Stood | Promise<Stood> => {
    if (!stood) return undefined
    // All that was said is only as new as its oldest part.
    const oldest = Math.min(at, stood.at)
    if (stood.found === 'unknown') return standingFrom(later, { email, at: oldest })
    return { found: stood.found === 'disabled' ? 'disabled' : { ...stood.found, email }, at: oldest }
  }
  const stood = source.standing?.(email)
  return stood instanceof Promise ? stood.then(go, () => undefined) : go(stood)
}
