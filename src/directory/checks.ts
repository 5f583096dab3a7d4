// The directory checks of a login: the directory answers, it knows the agent, the agent is active.

import type { RecordCheck } from '../core/checks.js'
import type { AgentRecord, Directory } from '../core/contracts.js'
import { DirectoryUnavailable } from '../core/errors.js'

/** The agent of a canonical e-mail address; throws Refused (core/checks.ts) with the reason of the first check that fails. */
export async function checkAgentInDirectory(
  check: RecordCheck,
  directory: Directory,
  email: string,
): Promise<AgentRecord> {
  const result = await directory.find(email).catch((error: unknown) => {
    if (error instanceof DirectoryUnavailable) return 'unavailable' as const
    throw error
  })
  const details = {
    expected: 'an active agent',
    seen: typeof result === 'string' ? `${email}: ${result}` : email,
    setting: 'agents',
  }
  check('directory answers', { ok: result !== 'unavailable', reason: 'agent.directory_unavailable', setting: 'agents' })
  check('agent is known', { ok: result !== 'unknown', reason: 'agent.unknown', ...details })
  check('agent is active', { ok: result !== 'disabled', reason: 'agent.disabled', ...details })
  return result as AgentRecord
}
