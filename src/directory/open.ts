// The directory that a configuration describes.

import type { AgentSource } from '../config/schema/agents.js'
import type { Directory } from '../core/contracts.js'
import type { Log } from '../ops/log.js'
import { createAgentsFile } from './agents-file.js'
import { createAny } from './any.js'
import { createDirectory, type DirectorySource } from './directory.js'
import { createDomains } from './domains.js'

/** Throws when an agents file cannot be used. `agents` is the configuration's list, in its order. */
export function openDirectory(agents: readonly AgentSource[], { log }: { log: Log }): Directory {
  const sources = agents.map(openSource)
  log.info({ sources: sources.map(({ name }) => name) }, 'the directory')
  return createDirectory(sources)
}

function openSource(source: AgentSource): DirectorySource {
  if ('file' in source) return createAgentsFile(source.file)
  if ('domains' in source) return createDomains(source.domains)
  if ('any' in source) return createAny()
  throw new Error('agents: http is not supported yet')
}
