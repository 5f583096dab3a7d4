// What runs in a thread: parses one agents file.

import { workBehindRequests } from '../runtime/thread-priority.js'
import { parseAgents } from './agents.js'
import type { AgentsJson } from './agents-files.js'
import type { FileText } from './schema/values.js'

const sliceSize = 200

workBehindRequests()

export function run({ text, path }: FileText): AgentsJson {
  const parsed = parseAgents(text, path)
  return 'problems' in parsed ? parsed : { slices: slicesOf(parsed.agents) }
}

/** A few long texts cost the receiver next to nothing, thousands of objects hold it up. */
function slicesOf(agents: readonly unknown[]): string[] {
  const slices: string[] = []
  for (let at = 0; at < agents.length; at += sliceSize) slices.push(JSON.stringify(agents.slice(at, at + sliceSize)))
  return slices
}
