// Agents from a file, as it was when the configuration was loaded; a reload brings its next version.

import { type AgentsFile, type AgentsList, agentsIn } from '../../config/agents-files.js'
import { formatProblem } from '../../config/problems.js'
import type { FileText } from '../../config/schema/values.js'
import type { Clock } from '../../core/clock.js'
import type { DirectorySource } from '../../core/directory.js'
import type { Log } from '../../ops/log.js'
import type { Metrics } from '../../ops/metrics.js'
import { changedEmails, createSourceStatus, findInList } from './agents-list.js'

export interface FileSourceDeps {
  clock: Clock
  log: Log
  metrics: Pick<Metrics, 'directory'>
}

/** Throws when the text is not a valid agents file; the message names the first problems and where they are. */
export function createFileSource(file: FileText, deps: FileSourceDeps): DirectorySource {
  const { clock } = deps
  const name = `file ${file.path}`
  const status = createSourceStatus({ ...deps, name })
  const listeners: ((emails: readonly string[]) => void)[] = []
  let current = { text: file.text, agents: valid(agentsIn(file)), at: clock.now() }
  status.unchanged(current.agents.size)

  return {
    name,
    find: async email => findInList(current.agents, email),
    emails: () => [...current.agents.keys()],
    knownState: email => ({ found: findInList(current.agents, email), at: current.at }),
    onChange: listener => void listeners.push(listener),
    async prepareFiles(files) {
      const next = files.find(({ path }) => path === file.path)
      if (!next || next.text === current.text) return () => {}
      const agents = valid(agentsIn(next))
      const changed = await changedEmails(current.agents, agents)
      return () => {
        current = { text: next.text, agents, at: clock.now() }
        status.loaded({ agents: agents.size, changed: changed.length, problems: [] })
        if (changed.length > 0) for (const listener of listeners) listener(changed)
      }
    },
  }
}

function valid(file: AgentsFile): AgentsList {
  if ('problems' in file) throw new Error(file.problems.slice(0, 3).map(formatProblem).join('; '))
  return file.agents
}
