// Agents from a file, read again when it changes. A file that is broken, or suddenly empty, changes nothing but the log.
// Must never know an agent whom the file does not name.

import { type AgentEntry, parseAgents } from '../../config/agents.js'
import { formatProblem } from '../../config/problems.js'
import type { FileText } from '../../config/schema/values.js'
import type { Clock } from '../../core/contracts.js'
import type { Log } from '../../ops/log.js'
import type { Metrics } from '../../ops/metrics.js'
import { type Later, timer } from '../../runtime/scheduler.js'
import { readTextFile } from '../../runtime/watched-file.js'
import type { DirectorySource } from '../directory.js'
import { type AgentsList, changesOf, foundIn } from './agents-list.js'
import { createTeller } from './source-status.js'

export interface AgentsFileDeps {
  clock: Clock
  log: Log
  metrics: Pick<Metrics, 'directory'>
  later?: Later
}

/** Milliseconds between two looks at the file: mounted files are swapped without notice. */
const pause = 1000
/** As much as when the configuration is loaded. */
const bytes = 4 * 1024 * 1024

/** Throws when the text is no agents file; the message says the first problem and its place. */
export function createAgentsFile({ path, text, madeUp }: FileText, deps: AgentsFileDeps): DirectorySource {
  const { clock, later = timer } = deps
  const name = `file ${path}`
  const teller = createTeller({ ...deps, name })
  const listeners: ((emails: readonly string[]) => void)[] = []
  let current = { text, agents: read(text, path), at: clock.now() }
  let mark: string | undefined
  let waiting: string | undefined
  let closed = false
  teller.again(current.agents.size)

  const adopt = (changedText: string) => {
    const agents = read(changedText, path)
    if (agents.size === 0 && current.agents.size > 0) throw new Error(`${path} names no agent any more: not believed`)
    const changed = changesOf(current.agents, agents)
    current = { text: changedText, agents, at: clock.now() }
    teller.read({ agents: agents.size, changed: changed.length, troubles: [] })
    if (changed.length > 0) for (const listener of listeners) listener(changed)
  }
  const look = async () => {
    try {
      const next = await readTextFile(path, { bytes, mark })
      if (!next) return
      // An editor may still be writing: a file counts once two looks in a row have seen the same.
      if (next.mark !== waiting && next.text !== current.text) {
        waiting = next.mark
        return
      }
      mark = next.mark
      if (next.text === current.text) teller.again(current.agents.size)
      else if (!closed) adopt(next.text)
    } catch (error) {
      teller.failed(error, current.at)
    }
  }
  let next: { cancel(): void } | undefined
  const lookLater = () => {
    if (closed) return
    next = later(() => void look().finally(lookLater), pause)
  }
  if (!madeUp) lookLater()

  return {
    name,
    find: async email => foundIn(current.agents, email),
    standing: email => ({ found: foundIn(current.agents, email), at: current.at }),
    onChange: listener => void listeners.push(listener),
    close() {
      closed = true
      next?.cancel()
    },
  }
}

function read(text: string, path: string): AgentsList {
  const parsed = parseAgents(text, path)
  if ('problems' in parsed) throw new Error(parsed.problems.slice(0, 3).map(formatProblem).join('; '))
  // A Map: an object would know an agent called __proto__. The parser lets no two entries have the same address.
  return new Map(parsed.agents.map((agent: AgentEntry) => [agent.email, agent]))
}
