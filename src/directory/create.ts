// The directory that a configuration describes.

import type { AgentSource } from '../config/schema/agents.js'
import type { Clock, Directory, Random } from '../core/contracts.js'
import type { Log } from '../ops/log.js'
import type { Metrics } from '../ops/metrics.js'
import type { FetchText } from '../runtime/http-client.js'
import type { Later } from '../runtime/scheduler.js'
import { createDirectory, type DirectorySource } from './directory.js'
import { createAny } from './sources/any.js'
import { createDomains } from './sources/domains.js'
import { createAgentsFile } from './sources/file.js'
import { createAgentsMirror } from './sources/http/list.js'
import { createAgentsLookUp } from './sources/http/lookup.js'

export interface DirectoryDeps {
  fetchText: FetchText
  clock: Clock
  random: Random
  log: Log
  metrics: Pick<Metrics, 'directory'>
  /** Runs something once, later; default: a timer that keeps no process alive. */
  later?: Later
}

/** Throws when an agents file cannot be used; an API that is down is no reason. `agents`: the configuration's list, in its order. */
export function openDirectory(agents: readonly AgentSource[], deps: DirectoryDeps): Required<Directory> {
  const sources = agents.map(source => openSource(source, deps))
  deps.log.info({ sources: sources.map(({ name }) => name) }, 'the directory')
  return createDirectory(sources)
}

function openSource(source: AgentSource, deps: DirectoryDeps): DirectorySource {
  if ('file' in source) return createAgentsFile(source.file, deps)
  if ('domains' in source) return createDomains(source.domains, deps)
  if ('any' in source) return createAny(deps)
  const { http: settings } = source
  const { origin, pathname } = new URL(settings.url)
  const name = `http ${origin}${pathname.replaceAll('%7Bemail%7D', '{email}')}`
  const open = settings.url.includes('{email}') ? createAgentsLookUp : createAgentsMirror
  return open({ ...deps, name, settings })
}
