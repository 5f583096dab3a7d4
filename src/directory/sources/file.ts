// Agents from a file, read again when it changes. While the file is invalid, or suddenly empty, the previous list stays
// in use.

import { type AgentsFile, type AgentsList, agentsIn, agentsWhileServing } from '../../config/agents-files.js'
import { formatProblem } from '../../config/problems.js'
import type { FileText } from '../../config/schema/values.js'
import type { Clock } from '../../core/clock.js'
import type { Log } from '../../ops/log.js'
import type { Metrics } from '../../ops/metrics.js'
import { type Scheduler, systemScheduler } from '../../runtime/clock.js'
import { ThreadFailed } from '../../runtime/thread.js'
import { readTextFile } from '../../runtime/watched-file.js'
import type { DirectorySource } from '../directory.js'
import { changedEmails, findInList } from './agents-list.js'
import { createSourceStatus } from './source-status.js'

export interface FileSourceDeps {
  clock: Clock
  log: Log
  metrics: Pick<Metrics, 'directory'>
  /** Default: a timer that does not keep the process alive. */
  later?: Scheduler
}

/** Milliseconds between two reads of the file: mounted files are swapped without notice. */
const pollEvery = 1000
/** The same limit as when the configuration is loaded. */
const maxBytes = 4 * 1024 * 1024

/** Throws when the text is not a valid agents file; the message names the first problems and where they are. */
export function createFileSource(file: FileText, deps: FileSourceDeps): DirectorySource {
  const { path, madeUp } = file
  const { clock, later = systemScheduler } = deps
  const name = `file ${path}`
  const status = createSourceStatus({ ...deps, name })
  const listeners: ((emails: readonly string[]) => void)[] = []
  let current = { text: file.text, agents: valid(agentsIn(file)), at: clock.now() }
  let fingerprint: string | undefined
  let pendingFingerprint: string | undefined
  let closed = false
  status.unchanged(current.agents.size)

  const adopt = async (text: string) => {
    const agents = valid(await agentsWhileServing({ path, text }))
    if (agents.size === 0 && current.agents.size > 0) throw new Error(`${path} no longer names any agent; ignored`)
    const changed = await changedEmails(current.agents, agents)
    if (closed) return
    current = { text, agents, at: clock.now() }
    status.loaded({ agents: agents.size, changed: changed.length, problems: [] })
    if (changed.length > 0) for (const listener of listeners) listener(changed)
  }
  const poll = async () => {
    try {
      const next = await readTextFile(path, { bytes: maxBytes, fingerprint })
      if (!next) return
      // An editor may still be writing: a change is used once two reads in a row have seen it.
      if (next.fingerprint !== pendingFingerprint && next.text !== current.text) {
        pendingFingerprint = next.fingerprint
        return
      }
      fingerprint = next.fingerprint
      if (next.text === current.text) status.unchanged(current.agents.size)
      else if (!closed) await adopt(next.text)
    } catch (error) {
      // A thread that did not come up is tried again; one that took too much would do so again.
      if (error instanceof ThreadFailed && !error.tooCostly) fingerprint = undefined
      if (!closed) status.failed(error, current.at)
    }
  }
  let next: { cancel(): void } | undefined
  const pollLater = () => {
    if (closed) return
    next = later(() => void poll().finally(pollLater), pollEvery)
  }
  if (!madeUp) pollLater()

  return {
    name,
    find: async email => findInList(current.agents, email),
    emails: () => [...current.agents.keys()],
    knownState: email => ({ found: findInList(current.agents, email), at: current.at }),
    onChange: listener => void listeners.push(listener),
    close() {
      closed = true
      next?.cancel()
    },
  }
}

function valid(file: AgentsFile): AgentsList {
  if ('problems' in file) throw new Error(file.problems.slice(0, 3).map(formatProblem).join('; '))
  return file.agents
}
