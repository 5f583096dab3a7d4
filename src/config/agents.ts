// Parses an agents file into agents, or into all its problems with their places. Both `check` and the directory use it; it
// is the entry of a thread too, which starts with all that this file imports.

import * as z from 'zod'
import { canonicalEmail } from '../core/email.js'
import { workBehindRequests } from '../runtime/thread-priority.js'
import { readDocument } from './document.js'
import { parsePartially } from './partial-config.js'
import { dotted, type Finding, inOrder, type Problem, problemAt } from './problems.js'
import { agentEntry } from './schema/agents.js'
import type { FileText } from './schema/values.js'

/** An agent as in the file; absent fields stay absent. The address is canonical. */
export type AgentEntry = z.output<typeof agentEntry>

const agentList = z.array(agentEntry)

type ParsedAgents = { agents: AgentEntry[] } | { problems: Problem[] }

/** Never throws; `path` is the name used in problems. */
export function parseAgents(text: string, path: string): ParsedAgents {
  const { document, problems } = readDocument(text, path)
  if (!document) return { problems }
  // An empty file, or one with comments only, is an empty list.
  const { value, findings } = parsePartially(agentList, document.value ?? [])
  const { agents, repeated } = canonical(value ?? [])
  const found = [...findings, ...repeated].map(({ path: key, message, hint }) =>
    problemAt(document.place(key), dotted(key), message, hint),
  )
  const all = inOrder([...document.problems, ...found])
  return all.length > 0 ? { problems: all } : { agents }
}

function canonical(entries: readonly (Partial<{ [Key in keyof AgentEntry]: unknown }> | undefined)[]): {
  agents: AgentEntry[]
  repeated: Finding[]
} {
  const first = new Map<string, number>()
  const repeated: Finding[] = []
  const agents: AgentEntry[] = []
  for (const [index, entry] of entries.entries()) {
    if (entry?.email === undefined) continue
    const path = [index, 'email']
    const email = canonicalEmail(entry.email)
    const before = email === undefined ? undefined : first.get(email)
    if (email === undefined) repeated.push({ path, message: 'invalid e-mail address: nobody can log in with it' })
    else if (before !== undefined) repeated.push({ path, message: `same address as [${before}]` })
    else first.set(email, index)
    agents.push({ ...entry, email: email ?? '' } as AgentEntry)
  }
  return { agents, repeated }
}

/** What a thread sends: JSON of a few hundred agents each. */
export type AgentsJson = { slices: string[] } | { problems: Problem[] }

const sliceSize = 200

/** What a thread does. */
export function run({ text, path }: FileText): AgentsJson {
  workBehindRequests()
  const parsed = parseAgents(text, path)
  return 'problems' in parsed ? parsed : { slices: slicesOf(parsed.agents) }
}

/** A few long texts cost the receiver next to nothing, thousands of objects hold it up. */
function slicesOf(agents: readonly unknown[]): string[] {
  const slices: string[] = []
  for (let at = 0; at < agents.length; at += sliceSize) slices.push(JSON.stringify(agents.slice(at, at + sliceSize)))
  return slices
}
