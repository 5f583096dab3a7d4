// Creates the directory of a configuration.

import type { AgentSource } from '../config/schema/agents.js'
import type { Clock } from '../core/clock.js'
import type { Directory } from '../core/directory.js'
import { domainOf } from '../core/email.js'
import { createDirectory, type DirectorySource } from './directory.js'
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
