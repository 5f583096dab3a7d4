// Creates the directory of a configuration.

import type { AgentSource } from '../config/schema/agents.js'
import type { Clock, Directory, Random } from '../core/contracts.js'
import type { Log } from '../ops/log.js'
import type { Metrics } from '../ops/metrics.js'
import type { FetchText } from '../runtime/http-client.js'
import type { Scheduler } from '../runtime/scheduler.js'
import { createDirectory, type DirectorySource } from './directory.js'
import { createAnySource } from './sources/any.js'
import { createDomainsSource } from './sources/domains.js'
import { createFileSource } from './sources/file.js'
import { createHttpListSource } from './sources/http/list.js'
import { createHttpLookupSource } from './sources/http/lookup.js'

export interface DirectoryDeps {
  fetchText: FetchText
  clock: Clock
  random: Random
  log: Log
  metrics: Pick<Metrics, 'directory'>
  /** Default: a timer that does not keep the process alive. */
  later?: Scheduler
}

/** Throws when an agents file cannot be used; an API that is down is no reason. `agents`: the configuration's list, in its order. */
export function openDirectory(agents: readonly AgentSource[], deps: DirectoryDeps): Required<Directory> {
  const sources = agents.map(source => createSource(source, deps))
  deps.log.info({ sources: sources.map(({ name }) => name) }, 'the directory')
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
