// `deskgate observed`: who would have been stopped in mode: observe, and why, as the running gateway has counted it.

import type { ObservedFacts, ObservedGroup, StopReason } from '../../ops/observed.js'
import { type ExitCode, escapeControls, type Io } from '../io.js'
import { askOps, OpsUnreachable, opsAccess } from '../ops-client.js'

interface ObservedOptions {
  config?: string
  ops?: string
  json?: boolean
}

export async function observed(options: ObservedOptions, io: Io): Promise<ExitCode> {
  const at = await opsAccess(options, io)
  if (!at) return 1
  const facts = (await askOps(at, '/api/observed')) as ObservedFacts | undefined
  if (!facts) throw new OpsUnreachable('no observe API at this address: set ops.adminToken there, and check --ops')
  if (options.json) io.out(JSON.stringify(facts))
  else for (const line of linesOf(facts)) io.out(line)
  if (facts.mode === 'observe') return 0
  io.err('nothing to report: mode is enforce, so the gateway stops these requests')
  return 1
}

const reasons: Record<StopReason, string> = {
  no_session: 'no session',
  forbidden: 'forbidden by access.paths',
  step_up: 'needs another login (access.paths)',
  bearer_refused: 'bearer token refused',
  wrong_origin: 'WebSocket from another site',
  store_unavailable: 'session store unavailable',
}

function linesOf({ mode, since, requests, groups, forgotten }: ObservedFacts): string[] {
  if (mode !== 'observe') return []
  if (requests === 0) return [`nothing would have been stopped since ${since}`]
  const rest =
    forgotten === 0 ? [] : [`${forgotten} requests of other groups are not listed: there were too many groups`]
  const total = `${requests} ${requests === 1 ? 'request' : 'requests'} would have been stopped since ${since}`
  return [...groups.flatMap(groupLines), total, ...rest]
}

function groupLines(group: ObservedGroup): string[] {
  const { requests, method, path, client, why, detail, agents, addresses, last } = group
  const reason = detail === undefined ? reasons[why] : `${reasons[why]}: ${detail}`
  const who = [...agents, ...addresses].join(', ')
  const lines = [`${method} ${path}  (${client})  ${requests}`, `  ${reason}`, `  ${who}, last at ${last}`, '']
  return lines.map(escapeControls)
}
