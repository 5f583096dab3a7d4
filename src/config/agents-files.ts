// The agents files in use, each parsed once for a text: the rules, the tests of the configuration and the directory ask
// for the same. While requests are served a thread does the parsing.

import { inSlices, runInThread, threadEntry } from '../runtime/thread.js'
import { type AgentEntry, type AgentsJson, parseAgents } from './agents.js'
import type { Problem } from './problems.js'
import type { FileText } from './schema/values.js'

export type AgentsList = ReadonlyMap<string, AgentEntry>

export type AgentsFile = { agents: AgentsList } | { problems: Problem[] }

/** Characters that are parsed where they are: no request notices. */
const smallText = 8 * 1024
/** A file has at most 4 MB. */
const limits = { ms: 120_000, megabytes: 1024 }
const mostFiles = 16

const entry = threadEntry('agents', import.meta.url)
const parsed = new Map<string, { text: string; result: AgentsFile | Promise<AgentsFile> }>()

/** At once, however long it takes. Never throws. */
export function agentsIn(file: FileText): AgentsFile {
  const known = resultFor(file)
  if (known && !(known instanceof Promise)) return known
  return keep(file, listed(parseAgents(file.text, file.path)))
}

/** Holds up no request. Rejects with ThreadFailed when the thread could not do it. */
export async function agentsWhileServing(file: FileText): Promise<AgentsFile> {
  const known = resultFor(file)
  if (known) return known
  if (file.text.length <= smallText) return agentsIn(file)
  const previous = parsed.get(file.path)?.result
  const result = inThread(file, previous instanceof Promise ? undefined : previous)
  keep(file, result)
  try {
    return keep(file, await result)
  } catch (error) {
    if (resultFor(file) === result) parsed.delete(file.path)
    throw error
  }
}

function resultFor({ path, text }: FileText) {
  const known = parsed.get(path)
  return known?.text === text ? known.result : undefined
}

function keep<Result extends AgentsFile | Promise<AgentsFile>>({ path, text }: FileText, result: Result): Result {
  parsed.delete(path)
  parsed.set(path, { text, result })
  const [oldest] = parsed.keys()
  if (parsed.size > mostFiles && oldest !== undefined) parsed.delete(oldest)
  return result
}

/** A Map: an object would have an agent called __proto__. The parser refuses two entries with the same address. */
function listed(result: ReturnType<typeof parseAgents>): AgentsFile {
  return 'problems' in result ? result : { agents: new Map(result.agents.map(agent => [agent.email, agent])) }
}

async function inThread({ path, text }: FileText, previous: AgentsFile | undefined): Promise<AgentsFile> {
  const sent = (await runInThread(entry, { path, text }, limits)) as AgentsJson
  if ('problems' in sent) return sent
  const before: AgentsList = previous && 'agents' in previous ? previous.agents : new Map()
  const agents = new Map<string, AgentEntry>()
  await inSlices(
    sent.slices,
    slice => {
      for (const agent of JSON.parse(slice) as AgentEntry[]) {
        // An agent who is as before stays the same object: comparing two lists is quick then.
        const known = before.get(agent.email)
        agents.set(agent.email, known && sameEntry(known, agent) ? known : agent)
      }
    },
    1,
  )
  return { agents }
}

export function sameEntry(a: AgentEntry, b: AgentEntry): boolean {
  if (a.email !== b.email || a.id !== b.id || a.name !== b.name || a.active !== b.active) return false
  if (a.roles === undefined || b.roles === undefined) return a.roles === b.roles
  return a.roles.length === b.roles.length && a.roles.every((role, index) => role === b.roles?.[index])
}
