// The directory of a configuration: finds agents by asking its sources in their order. The first source that knows the e-mail
// decides, also when the agent is inactive. A source that cannot answer must never be skipped.

import type { AgentSource } from '../config/schema/agents.js'
import type { RecordCheck } from '../core/checks.js'
import type { Clock } from '../core/clock.js'
import type { Agent, AgentRecord, Directory, DirectorySource, KnownState } from '../core/directory.js'
import { canonicalEmail, domainOf } from '../core/email.js'
import { DirectoryUnavailable } from '../core/errors.js'
import type { Identity } from '../core/identity.js'
import { createFileSource } from './sources/file.js'
import { createHttpListSource, type HttpSourceDeps } from './sources/http/list.js'
import { createHttpLookupSource } from './sources/http/lookup.js'

type DirectoryDeps = Omit<HttpSourceDeps, 'name' | 'settings'>

/** Throws when an agents file cannot be used; an API that is down is not a reason. `agents`: the configuration's list, in its order. */
export function openDirectory(agents: readonly AgentSource[], deps: DirectoryDeps): Required<Directory> {
  const sources = agents.map(source => createSource(source, deps))
  deps.log.info({ sources: sources.map(({ name }) => name) }, 'directory sources')
  return createDirectory(sources)
}

function createSource(source: AgentSource, deps: DirectoryDeps): DirectorySource {
  if ('file' in source) return createFileSource(source.file, deps)
  if ('domains' in source) return createDomainsSource(source.domains, deps)
  if ('any' in source) return createAnySource(deps)
  const { http: settings } = source
  const { origin, pathname } = new URL(settings.url)
  const name = `http ${origin}${pathname.replaceAll('%7Bemail%7D', '{email}')}`
  const create = settings.url.includes('{email}') ? createHttpLookupSource : createHttpListSource
  return create({ ...deps, name, settings })
}

function createAnySource({ clock }: { clock: Clock }): DirectorySource {
  const at = clock.now()
  return { name: 'any', find: async email => ({ email }), knownState: email => ({ found: { email }, at }) }
}

function createDomainsSource(domains: readonly string[], { clock }: { clock: Clock }): DirectorySource {
  // A to Z only, as in addresses: other letters are never folded.
  const known = new Set(domains.map(domain => domain.replace(/[A-Z]+/g, letters => letters.toLowerCase())))
  const at = clock.now()
  const found = (email: string) => (known.has(domainOf(email)) ? { email } : 'unknown')
  return { name: 'domains', find: async email => found(email), knownState: email => ({ found: found(email), at }) }
}

export function createDirectory(sources: readonly DirectorySource[]): Required<Directory> {
  const periods = sources.flatMap(({ askEvery }) => askEvery ?? [])
  const locate: Required<Directory>['locate'] = async address => {
    const email = canonicalEmail(address)
    if (email === undefined) return { found: 'unknown' }
    for (const source of sources) {
      const found = await ask(source, email)
      if (found === 'disabled') return { source: source.name, found }
      // The address as it was asked for, whatever spelling the source has.
      if (found !== 'unknown') return { source: source.name, found: { ...found, email } }
    }
    return { found: 'unknown' }
  }
  return {
    find: async address => (await locate(address)).found,
    locate,
    sources: () => sources.map(({ name }) => name),
    emails: () => [...new Set(sources.flatMap(source => source.emails?.() ?? []))],
    knownState(address) {
      const email = canonicalEmail(address)
      return email === undefined ? undefined : knownStateFrom(sources, { email, at: Number.POSITIVE_INFINITY })
    },
    onChange(listener) {
      for (const source of sources) source.onChange?.(listener)
    },
    askEvery: periods.length === 0 ? undefined : Math.min(...periods),
    async ready() {
      await Promise.all(sources.map(source => source.ready?.()))
    },
    async prepareFiles(files) {
      const swaps = await Promise.all(sources.map(source => source.prepareFiles?.(files)))
      return () => {
        for (const swap of swaps) swap?.()
      }
    },
    close() {
      for (const source of sources) source.close?.()
    },
  }
}

async function ask(source: DirectorySource, email: string): Promise<AgentRecord | 'unknown' | 'disabled'> {
  try {
    return await source.find(email)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : 'unknown error'
    throw new DirectoryUnavailable(`${source.name}: ${why}`, { cause })
  }
}

/** `at`: the time at which the earlier sources did not know the address. Synchronous while each source is. */
function knownStateFrom(
  sources: readonly DirectorySource[],
  { email, at }: { email: string; at: number },
): KnownState | undefined | Promise<KnownState | undefined> {
  const [source, ...later] = sources
  if (!source) return at === Number.POSITIVE_INFINITY ? undefined : { found: 'unknown', at }
  const combine = (state: KnownState | undefined): KnownState | undefined | Promise<KnownState | undefined> => {
    if (!state) return undefined
    // The combined answer is only as new as its oldest part.
    const oldestAt = Math.min(at, state.at)
    if (state.found === 'unknown') return knownStateFrom(later, { email, at: oldestAt })
    return { found: state.found === 'disabled' ? 'disabled' : { ...state.found, email }, at: oldestAt }
  }
  const state = source.knownState?.(email)
  return state instanceof Promise ? state.then(combine, () => undefined) : combine(state)
}

/** The agent of a canonical e-mail address; throws Refused (core/checks.ts) with the reason of the first check that fails. */
export async function checkAgentInDirectory(
  check: RecordCheck,
  directory: Directory,
  email: string,
): Promise<AgentRecord> {
  const result = await directory.find(email).catch((error: unknown) => {
    if (error instanceof DirectoryUnavailable) return 'unavailable' as const
    throw error
  })
  const details = {
    expected: 'an active agent',
    seen: typeof result === 'string' ? `${email}: ${result}` : email,
    setting: 'agents',
  }
  check('directory answers', { ok: result !== 'unavailable', reason: 'agent.directory_unavailable', setting: 'agents' })
  check('agent is known', { ok: result !== 'unknown', reason: 'agent.unknown', ...details })
  check('agent is active', { ok: result !== 'disabled', reason: 'agent.disabled', ...details })
  return result as AgentRecord
}

/**
 * The agent of a session. Values of the directory (also an empty list of roles) replace the claims of the identity provider,
 * whose ID, name and roles count only where the directory has none. Attributes come from the identity provider alone.
 */
export function mergeIdentity(
  record: AgentRecord,
  claims: Pick<Identity, 'id' | 'name' | 'roles' | 'attributes'>,
): Agent {
  const id = record.id ?? claims.id
  const name = record.name ?? claims.name
  const { attributes } = claims
  return {
    email: record.email,
    ...(id === undefined ? {} : { id }),
    ...(name === undefined ? {} : { name }),
    roles: [...(record.roles ?? claims.roles ?? [])],
    ...(attributes === undefined ? {} : { attributes }),
  }
}
