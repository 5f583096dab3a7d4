// An agents file: YAML text to agents, or every mistake with its place. The one reading of such a file, for `check` and
// for the directory alike.

import * as z from 'zod'
import { canonicalEmail } from '../core/email.js'
import { readDocument } from './document.js'
import { draft } from './partial-config.js'
import { dotted, type Finding, inOrder, type Problem } from './problems.js'
import { agentEntry } from './schema/agents.js'

/** One agent as the file states them: what is left out is not stated. The address is canonical. */
export type AgentEntry = z.output<typeof agentEntry>

const agentList = z.array(agentEntry)

/** Reads an agents file. Never throws; `path` is only what problems call the file. */
export function parseAgents(text: string, path: string): { agents: AgentEntry[] } | { problems: Problem[] } {
  const { document, problems } = readDocument(text, path)
  if (!document) return { problems }
  // An empty file, or one of comments, is a list that nobody is on yet.
  const { value, findings } = draft(agentList, document.value ?? [])
  const { agents, repeated } = canonical(value ?? [])
  const found = [...findings, ...repeated].map(({ path: key, message, hint }) => ({
    ...document.place(key),
    key: dotted(key),
    message,
    ...(hint === undefined ? {} : { hint }),
  }))
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
    if (email === undefined) repeated.push({ path, message: 'is no e-mail address that can log in' })
    else if (before !== undefined) repeated.push({ path, message: `is the address of [${before}] too` })
    else first.set(email, index)
    agents.push({ ...entry, email: email ?? '' } as AgentEntry)
  }
  return { agents, repeated }
}
