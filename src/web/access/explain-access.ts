// Who may do what, and why: for `deskgate access` and for `tests` of the configuration. It decides nothing by itself: it
// asks the guard and the checks of a login, by which requests and logins are decided.

import { setImmediate as breathe } from 'node:timers/promises'
import type { Config } from '../../config/schema/index.js'
import { type RecordCheck, Refused } from '../../core/checks.js'
import type { Agent, AgentRecord } from '../../core/directory.js'
import { DirectoryUnavailable } from '../../core/errors.js'
import type { Session, Sessions } from '../../core/sessions.js'
import { mergeIdentity } from '../../directory/directory.js'
import type { AccessFacts, AccessReader, AccessRequest } from '../../ops/api/access.js'
import { deskId } from '../../providers/desk-login.js'
import { everySession } from '../../sessions/sessions.js'
import type { ConfigSnapshot, Guard, IdentityWriter, RuleOutcome } from '../context.js'
import { readTarget } from '../request/target.js'
import { checkAgent, checkAllowed } from './authorize-agent.js'

/** What becomes of a request. `gateway`: it is answered by the gateway; `unreadable`: it is refused whoever sends it. */
export type AccessOutcome = 'allowed' | 'forbidden' | 'public' | 'gateway' | 'unreadable'

/** One way in, and what an agent may do who took it. */
export interface AccessWay {
  provider: string
  roles: string[]
  /** Where the roles come from: a source of the directory, or the provider. */
  rolesFrom: string
  /** Whether a login by this provider is accepted. */
  enters: boolean
  /** The check that refuses it, with the setting to change. */
  why?: string
  /** Of the request that was asked about. */
  outcome?: AccessOutcome
  /** The rules of access.paths that apply to the request, or, without a request, all that are closed to the agent. */
  rules: RuleOutcome[]
}

export interface ExplainPolicy {
  config: Pick<Config, 'providers' | 'access' | 'login'>
  guard: Pick<Guard, 'classify' | 'permit' | 'explain'>
  /** For the size of the headers; left out where only rules are tried. */
  identity?: IdentityWriter
}

export interface ExplainedAgent {
  record: AgentRecord
  /** The source that knows the agent. */
  source: string
  /** Live sessions, which tell what providers have said. */
  sessions: readonly Session[]
}

/** Every way in that the configuration has. */
export function explainWays(
  policy: ExplainPolicy,
  agent: ExplainedAgent,
  request: AccessRequest | undefined,
): AccessWay[] {
  const { providers, login } = policy.config
  const ids = [...providers.map(({ id }) => id), ...(login.alsoAllowDeskAuthentication ? [deskId] : [])]
  return ids.map(provider => explainWay(policy, agent, provider, request))
}

function explainWay(
  policy: ExplainPolicy,
  { record, source, sessions }: ExplainedAgent,
  provider: string,
  request: AccessRequest | undefined,
): AccessWay {
  const session = newest(sessions.filter(one => one.provider === provider))
  const agent = session?.agent ?? mergeIdentity(record, {})
  const current = record.roles === undefined ? agent : { ...agent, roles: [...record.roles] }
  const refusal = whyRefused(policy, provider, current)
  const rules = request
    ? policy.guard.explain({ agent: current, provider }, request.method, asked(request))
    : closedRules(policy, current, provider)
  return {
    provider,
    roles: current.roles,
    rolesFrom: rolesFrom(record, source, session),
    enters: refusal === undefined,
    ...(refusal === undefined ? {} : { why: refusal }),
    ...(request ? { outcome: outcomeOf(policy.guard, current, provider, request) } : {}),
    rules,
  }
}

function rolesFrom(record: AgentRecord, source: string, session: Session | undefined): string {
  if (record.roles !== undefined) return source
  if (!session) return `the provider, at the login: ${source} states none`
  return `the provider, at the login of ${new Date(session.createdAt).toISOString()}`
}

/** The outcome for somebody who is logged in by this provider. */
export function outcomeOf(
  guard: ExplainPolicy['guard'],
  agent: Agent,
  provider: string,
  request: AccessRequest,
): AccessOutcome {
  const { method } = request
  const target = readTarget(request.target)
  if (!target) return 'unreadable'
  const served = guard.classify(target, method)
  if (served === 'own' || served === 'rehearsal') return 'gateway'
  if (served !== 'protected') return served
  const verdict = guard.permit({ agent, provider }, method, { ...asked(request), target })
  // What another login of the same agent opens is open to the agent.
  return verdict.kind === 'pass' || 'stepUp' in verdict ? 'allowed' : 'forbidden'
}

/** Why a login by this provider is refused; undefined: it is not. */
export function whyRefused(policy: ExplainPolicy, provider: string, agent: Agent): string | undefined {
  let why: string | undefined
  const step: RecordCheck = (name, { ok, reason, expected, seen, setting }) => {
    if (ok) return
    why = `${name}: expected ${expected ?? 'it'}, seen ${seen ?? 'not'} (${setting ?? reason})`
    throw new Refused(reason)
  }
  try {
    if (policy.identity) checkAgent(step, { config: policy.config, identity: policy.identity }, provider, agent)
    else checkAllowed(step, policy.config, { provider, agent })
  } catch (error) {
    if (!(error instanceof Refused)) throw error
  }
  return why
}

/** The rules that keep the agent out, each as if its path were asked for. */
function closedRules({ config, guard }: ExplainPolicy, agent: Agent, provider: string): RuleOutcome[] {
  const found = config.access.paths.flatMap(({ match }) => {
    const space = match.indexOf(' ')
    const path = match.slice(space + 1).replace(/\*$/, '')
    const request = { method: space < 0 ? 'GET' : match.slice(0, space), target: path }
    const own = guard.explain({ agent, provider }, request.method, asked(request)).filter(rule => rule.match === match)
    return own.filter(({ missing }) => missing.some(kind => kind !== 'context' && kind !== 'maxAge'))
  })
  return found.filter((rule, index) => found.findIndex(({ match }) => match === rule.match) === index)
}

function asked({ target, from }: Pick<AccessRequest, 'target' | 'from'>) {
  const read = readTarget(target) ?? { raw: target, path: target, query: '', ambiguous: true }
  return { target: read, address: from ?? '', unproven: from === undefined }
}

function newest(sessions: readonly Session[]): Session | undefined {
  return [...sessions].sort((a, b) => b.createdAt - a.createdAt)[0]
}

/** Agents of a report between two pauses: requests go on meanwhile. */
const batchSize = 50

/** Reads from the running gateway: its directory, its live sessions and the guard of the current snapshot. */
export function createAccessReader({
  snapshot,
  sessions,
}: {
  snapshot(): ConfigSnapshot
  sessions: Pick<Sessions, 'list'>
}): AccessReader {
  const locate = async (email: string): Promise<{ source?: string; found: AgentRecord | AccessFacts['state'] }> => {
    const { directory } = snapshot()
    try {
      return directory.locate ? await directory.locate(email) : { found: await directory.find(email) }
    } catch (error) {
      if (!(error instanceof DirectoryUnavailable)) throw error
      return { source: error.message, found: 'unavailable' }
    }
  }
  const sessionsOf = async (email: string) => {
    const live: Session[] = []
    for await (const session of everySession(sessions, { email })) live.push(session)
    return live
  }
  const explain = async (email: string, request?: AccessRequest): Promise<AccessFacts> => {
    const { config, pipeline, identity } = snapshot()
    const [{ source, found }, live] = await Promise.all([locate(email), sessionsOf(email)])
    const named = request ? { request: `${request.method} ${request.target}` } : {}
    const facts = { agent: email, ...(source === undefined ? {} : { source }), ...named, liveSessions: live.length }
    if (typeof found === 'string') {
      return { ...facts, state: found as AccessFacts['state'], ...(request ? { allowed: false } : {}), ways: [] }
    }
    const policy = { config, guard: pipeline.guard, identity }
    const ways = explainWays(policy, { record: found, source: source ?? 'the directory', sessions: live }, request)
    const allowed = ways.some(({ enters, outcome }) => outcome === 'public' || (enters && outcome === 'allowed'))
    return { ...facts, state: 'active', ...(request ? { allowed } : {}), ways }
  }

  return {
    explain,
    async *report() {
      let count = 0
      for (const email of snapshot().directory.emails?.() ?? []) {
        if (++count % batchSize === 0) await breathe()
        yield await explain(email)
      }
    },
  }
}
