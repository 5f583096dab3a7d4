// From an identity that a provider has verified to an agent with access: directory, merged claims, providers[].allow,
// header size. The same checks for a login, a bearer token and the revalidation of a live session. Never opens a
// session itself.

import { isDeepStrictEqual } from 'node:util'
import type { Config } from '../../config/schema/index.js'
import type { RecordCheck } from '../../core/checks.js'
import type { Agent } from '../../core/directory.js'
import { domainOf } from '../../core/email.js'
import { StoreUnavailable } from '../../core/errors.js'
import type { Identity, VouchedIdentity } from '../../core/identity.js'
import type { Provider } from '../../core/providers.js'
import { checkAgentInDirectory, mergeIdentity } from '../../directory/directory.js'
import type { ConfigSnapshot } from '../context.js'

/** The part of a config snapshot that decides on access. */
export type AgentPolicy = Pick<ConfigSnapshot, 'directory' | 'identity'> & { config: Pick<Config, 'providers'> }

/** The most bytes of all identity headers of an agent: servers refuse more. */
const maxIdentityBytes = 8192

/** Looks the agent up and applies the access rules. Throws Refused (core/checks.ts) at the first failed check. */
export async function authorizeAgent(
  step: RecordCheck,
  policy: AgentPolicy,
  identity: VouchedIdentity,
): Promise<Agent> {
  const agent = mergeIdentity(await checkAgentInDirectory(step, policy.directory, identity.email), identity)
  checkAgent(step, policy, identity.provider, agent, identity.rolesOmitted)
  return agent
}

/**
 * What the provider issued before it ended the person's access opens nothing. `revokedAt`: the latest mark, in milliseconds
 * since the epoch (sessions/revocation-marks.ts). Throws Refused; a store that fails refuses too.
 */
export async function checkNotRevoked(
  step: RecordCheck,
  { issuedAt = Number.NaN }: Pick<Identity, 'issuedAt'>,
  how: { type: Provider['type']; revokedAt(): number | undefined | Promise<number | undefined> },
): Promise<void> {
  let at: number | undefined
  try {
    at = await how.revokedAt()
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error
    step('session store answers', { ok: false, reason: 'session.store_unavailable', setting: 'sessions.store' })
  }
  if (at === undefined) return
  step('access not ended by the provider', {
    ok: issuedAt > at,
    reason: how.type === 'saml' ? 'saml.authentication_too_old' : 'jwt.too_old',
    expected: `issued after ${iso(at)}, when the provider ended this person's access`,
    seen: `issued at ${iso(issuedAt)}`,
    setting: 'providers[].revocation',
    hint: "The identity provider ended this person's access after issuing this. A new login works if the provider still allows it.",
  })
}

function iso(at: number): string {
  return Number.isFinite(at) ? new Date(at).toISOString() : 'an unknown time'
}

/** The checks after the directory. Synchronous; throws Refused. */
export function checkAgent(
  step: RecordCheck,
  policy: Omit<AgentPolicy, 'directory'>,
  provider: string,
  agent: Agent,
  hint?: string,
): void {
  checkAllowed(step, policy.config, { provider, agent, hint })
  checkHeaderSize(step, policy.identity, provider, agent)
}

/**
 * providers[].allow. A login without a configured provider has no such rule. Throws Refused. `hint`: why roles may be
 * missing.
 */
export function checkAllowed(
  step: RecordCheck,
  config: AgentPolicy['config'],
  { provider, agent, hint }: { provider: string; agent: Agent; hint?: string | undefined },
): void {
  const allow = config.providers.find(({ id }) => id === provider)?.allow
  if (!allow) return
  const { roles, domains } = allow
  if (domains.length > 0) {
    step('domain may log in with this provider', {
      ok: domains.includes(domainOf(agent.email)),
      reason: 'agent.forbidden',
      expected: `an address at ${domains.join(' or ')}`,
      seen: agent.email,
      setting: 'providers[].allow.domains',
    })
  }
  if (roles.length > 0) {
    step('role may log in with this provider', {
      ok: agent.roles.some(role => roles.includes(role)),
      reason: 'agent.forbidden',
      expected: `one of the roles ${roles.join(', ')}`,
      seen: agent.roles.length === 0 ? 'no role' : agent.roles.join(', '),
      setting: 'providers[].allow.roles',
      hint,
    })
  }
}

function checkHeaderSize(step: RecordCheck, identity: AgentPolicy['identity'], provider: string, agent: Agent): void {
  const bytes = identity.headerBytes(agent, provider)
  step('identity fits the headers', {
    ok: bytes <= maxIdentityBytes,
    reason: 'agent.forbidden',
    expected: `at most ${maxIdentityBytes} bytes`,
    seen: `${bytes} bytes, ${agent.roles.length} roles`,
    setting: 'agents',
    hint: 'The identity headers of this agent would be too large. Give the agent fewer roles, or limit the roles that the provider sends (providers[].roles).',
  })
}

/** Whether Desk would get the same identity. */
export function sameAgent(a: Agent, b: Agent): boolean {
  if (a === b) return true
  return a.email === b.email && a.id === b.id && a.name === b.name && sameRoles(a, b) && sameAttributes(a, b)
}

function sameAttributes({ attributes: a }: Agent, { attributes: b }: Agent): boolean {
  return a === b || isDeepStrictEqual(a, b)
}

export function sameRoles({ roles: a }: Agent, { roles: b }: Agent): boolean {
  return a.length === b.length && a.every((role, index) => role === b[index])
}
