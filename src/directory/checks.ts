// The directory's rungs on the ladder of a login: does it answer, does it know the agent, is the agent active.

import type { Step } from '../core/checks.js'
import type { Directory, Found } from '../core/contracts.js'
import { DirectoryUnavailable } from '../core/errors.js'

/** The agent of a canonical e-mail address; throws Refused (core/checks.ts) with the reason of the first rung that fails. */
export async function lookUp(step: Step, directory: Directory, email: string): Promise<Found> {
  const found = await directory.find(email).catch((error: unknown) => {
    if (error instanceof DirectoryUnavailable) return 'unavailable' as const
    throw error
  })
  const rung = {
    expected: 'an active agent',
    seen: typeof found === 'string' ? `${email}: ${found}` : email,
    setting: 'agents',
  }
  step('directory answers', { ok: found !== 'unavailable', reason: 'agent.directory_unavailable', setting: 'agents' })
  step('agent is known', { ok: found !== 'unknown', reason: 'agent.unknown', ...rung })
  step('agent is active', { ok: found !== 'disabled', reason: 'agent.disabled', ...rung })
  return found as Found
}
