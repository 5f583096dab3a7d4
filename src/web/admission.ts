// From what an identity provider vouched for to the agent that Desk will see: directory, then access. The same for a login
// and for every request with a bearer token, so that no rule holds for one of them only.

import type { Step } from '../core/checks.js'
import type { Agent, Directory, Found, Identity } from '../core/contracts.js'
import { lookUp } from '../directory/look-up.js'
import type { IdentityWriter } from './visit.js'

export interface AdmissionDeps {
  directory: Directory
  writer: Pick<IdentityWriter, 'weight'>
  /** Who wins when the directory and the provider both say something of an agent. */
  agentOf(found: Found, identity: Pick<Identity, 'name' | 'roles'>): Agent
}

/** The identity headers together, in bytes: Desk's server refuses more. */
const heaviest = 8192

/** Climbs from the address to the agent. Throws Refused (core/checks.ts) with the reason of the first rung that fails. */
export async function admit(
  { directory, writer, agentOf }: AdmissionDeps,
  identity: Pick<Identity, 'provider' | 'email' | 'name' | 'roles'>,
  step: Step,
): Promise<Agent> {
  const agent = agentOf(await lookUp(step, directory, identity.email), identity)
  // Rules on roles and domains (providers[].allow) belong here, between who it is and what they get.
  const weight = writer.weight(agent, identity.provider)
  step('identity fits the headers', {
    ok: weight <= heaviest,
    reason: 'agent.forbidden',
    expected: `at most ${heaviest} bytes`,
    seen: `${weight} bytes, ${agent.roles.length} roles`,
    setting: 'agents',
  })
  return agent
}
