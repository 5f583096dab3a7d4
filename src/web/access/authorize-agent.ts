// From what an identity provider vouched for to the agent who is let in: directory, who wins, providers[].allow, weight.
// The same steps for a login, for a bearer token and for a live session that is looked at again; whoever would be refused
// here has no access. Never opens anything itself.

import type { Config } from '../../config/schema/index.js'
import type { Step } from '../../core/checks.js'
import type { Agent, Identity } from '../../core/contracts.js'
import { domainOf } from '../../core/email.js'
import { lookUp } from '../../directory/checks.js'
import { agentOf } from '../../directory/merge-identity.js'
import type { Generation } from '../context.js'

/** What is known of somebody before the directory is asked. The address is canonical. */
export type Vouched = Pick<Identity, 'provider' | 'email' | 'name' | 'roles'>

/** The part of a generation that decides who is let in. */
export type Gatekeeper = Pick<Generation, 'directory' | 'identity'> & { config: Pick<Config, 'providers'> }

/** The identity headers of an agent together, in bytes: Desk's server refuses more. */
const heaviest = 8192

/** Asks the directory and judges; the agent as Desk is told of them. Throws Refused (core/checks.ts) at the first rung that fails. */
export async function admit(step: Step, gate: Gatekeeper, vouched: Vouched): Promise<Agent> {
  const agent = agentOf(await lookUp(step, gate.directory, vouched.email), vouched)
  checkAgent(step, gate, vouched.provider, agent)
  return agent
}

/** The rungs behind the directory. Synchronous; throws Refused. */
export function checkAgent(step: Step, gate: Omit<Gatekeeper, 'directory'>, provider: string, agent: Agent): void {
  checkAllowed(step, gate.config, provider, agent)
  checkWeight(step, gate.identity, provider, agent)
}

/** providers[].allow. A way in that is no configured provider has no such rule. Throws Refused. */
export function checkAllowed(step: Step, config: Gatekeeper['config'], provider: string, agent: Agent): void {
  const allow = config.providers.find(({ id }) => id === provider)?.allow
  if (!allow) return
  const { roles, domains } = allow
  if (domains.length > 0) {
    step('domain may come this way', {
      ok: domains.includes(domainOf(agent.email)),
      reason: 'agent.forbidden',
      expected: `an address at ${domains.join(' or ')}`,
      seen: agent.email,
      setting: 'providers[].allow.domains',
    })
  }
  if (roles.length > 0) {
    step('role may come this way', {
      ok: agent.roles.some(role => roles.includes(role)),
      reason: 'agent.forbidden',
      expected: `one of the roles ${roles.join(', ')}`,
      seen: agent.roles.length === 0 ? 'no role' : agent.roles.join(', '),
      setting: 'providers[].allow.roles',
    })
  }
}

function checkWeight(step: Step, identity: Gatekeeper['identity'], provider: string, agent: Agent): void {
  const weight = identity.weight(agent, provider)
  step('identity fits the headers', {
    ok: weight <= heaviest,
    reason: 'agent.forbidden',
    expected: `at most ${heaviest} bytes`,
    seen: `${weight} bytes, ${agent.roles.length} roles`,
    setting: 'agents',
  })
}
