// `tests` of the configuration: what agents may and may not do, tried by the rules of the same configuration. A rule that
// became wider makes one fail. Opens nothing: a source that would have to be asked is not.

import { agentsIn } from '../../config/agents-files.js'
import type { Finding } from '../../config/problems.js'
import type { Config } from '../../config/schema/index.js'
import type { AgentRecord } from '../../core/directory.js'
import { domainOf } from '../../core/email.js'
import { findInList } from '../../directory/sources/agents-list.js'
import type { RuleOutcome } from '../context.js'
import { createPaths } from '../request/paths.js'
import { createGuard, publicRulesOf } from './authorize.js'
import { type AccessWay, type ExplainPolicy, explainWays } from './explain-access.js'
import { compilePathAccess } from './path-access.js'

type AccessTest = Config['tests'][number]

/** One problem for each test that fails. */
export function accessTestFindings(config: Config): Finding[] {
  if (config.tests.length === 0) return []
  const policy = policyOf(config)
  const known = agentsOf(config)
  return config.tests.flatMap((test, index) => {
    const finding = tried(test, policy, known)
    return finding ? [{ path: ['tests', index], ...finding }] : []
  })
}

/** The guard of a configuration that serves nobody: it only answers what it would decide. */
function policyOf(config: Config): ExplainPolicy {
  const { permits, rulesFor } = compilePathAccess(config.access.paths)
  const guard = createGuard({
    paths: createPaths(config.prefix),
    publicRules: publicRulesOf(config),
    idleRules: [],
    pathAccess: permits,
    rulesFor,
    authenticate: () => undefined,
    sessions: { touch: () => {}, verify: async () => undefined },
    providers: config.providers.map(({ id }) => id),
    bearer: undefined,
    observes: () => false,
  })
  return { config, guard }
}

type Known = (email: string) => AgentRecord | 'unknown' | 'disabled' | 'not asked'

/** The sources in their order, as far as they can be read here. */
function agentsOf({ agents }: Config): Known {
  const sources = agents.map((source): Known => {
    if ('any' in source) return email => ({ email })
    if ('domains' in source) return email => (source.domains.includes(domainOf(email)) ? { email } : 'unknown')
    if ('http' in source) return () => 'not asked'
    const parsed = agentsIn(source.file)
    return email => ('agents' in parsed ? findInList(parsed.agents, email) : 'unknown')
  })
  return email => {
    for (const source of sources) {
      const found = source(email)
      if (found !== 'unknown') return found
    }
    return 'unknown'
  }
}

function tried(
  { agent: email, roles, request, expect }: AccessTest,
  policy: ExplainPolicy,
  known: Known,
): Omit<Finding, 'path'> | undefined {
  const found = roles === undefined ? known(email) : { email, roles }
  if (found === 'not asked') {
    return { message: 'roles is missing: a test does not query agents.http', hint: 'roles: [agent]' }
  }
  if (typeof found === 'string') {
    if (expect === 'forbidden') return undefined
    const state = found === 'unknown' ? 'no source knows the agent' : 'the agent is inactive'
    return { message: `expects allowed, but ${state}`, hint: 'see agents' }
  }
  const space = request.indexOf(' ')
  const asked = { method: request.slice(0, space), target: request.slice(space + 1) }
  const ways = explainWays(policy, { record: found, source: 'tests', sessions: [] }, asked)
  const open = ways.find(isOpen)
  if (expect === 'forbidden') return open ? widened(policy, open) : untold(policy, found, ways)
  if (open) return undefined
  return { message: 'expects allowed, but it is forbidden', hint: ways.map(way => closedBy(policy, way)).join('; ') }
}

/** Kinds that a test cannot meet, and that leave the agent a way: from the right address, by another login. */
const openToOthers = new Set<string>(['from', 'context', 'maxAge'])

/** A test that would pass whatever the rules say: nobody knows here what roles a provider states, nor any address. */
function untold(
  { config }: ExplainPolicy,
  { roles }: AgentRecord,
  ways: AccessWay[],
): Omit<Finding, 'path'> | undefined {
  const kinds = (way: AccessWay) => way.rules.flatMap(({ missing }) => missing)
  const askRoles = config.providers.some(({ allow }) => allow.roles.length > 0)
  if (roles === undefined && (askRoles || ways.some(way => kinds(way).includes('roles')))) {
    return { message: 'roles is missing: the directory states none for this agent', hint: 'roles: [agent]' }
  }
  const isOpenElsewhere = (way: AccessWay) =>
    way.enters && way.outcome === 'forbidden' && kinds(way).every(kind => openToOthers.has(kind))
  if (!ways.some(isOpenElsewhere)) return undefined
  return {
    message: 'this test proves nothing: only `from` forbids the request, and a test has no client address',
    hint: 'leave the test out',
  }
}

function isOpen({ enters, outcome }: AccessWay): boolean {
  return outcome === 'public' || (enters && outcome === 'allowed')
}

function widened(policy: ExplainPolicy, way: AccessWay): Omit<Finding, 'path'> {
  if (way.outcome === 'public') return { message: 'expects forbidden, but it is public', hint: 'see desk.public' }
  const rules = way.rules.map(rule => ruleName(policy, rule))
  const hint = rules.length === 0 ? 'no rule of access.paths applies' : `${rules.join(' and ')} let it pass`
  return { message: `expects forbidden, but it is allowed by ${providerName(policy, way)}`, hint }
}

/** By places: a problem never shows a value of the configuration. */
function closedBy(policy: ExplainPolicy, way: AccessWay): string {
  const name = providerName(policy, way)
  if (!way.enters) return `${name}.allow refuses the login`
  if (way.outcome !== 'forbidden') return `${name}: ${way.outcome}`
  const missing = way.rules.filter(rule => rule.missing.length > 0)
  return `${name}: ${missing.map(rule => `${ruleName(policy, rule)} does not allow this agent (${rule.missing.join(', ')})`).join(', ')}`
}

function providerName({ config }: ExplainPolicy, { provider }: AccessWay): string {
  const index = config.providers.findIndex(({ id }) => id === provider)
  return index < 0 ? 'login.alsoAllowDeskAuthentication' : `providers[${index}]`
}

function ruleName({ config }: ExplainPolicy, { match }: RuleOutcome): string {
  return `access.paths[${config.access.paths.findIndex(rule => rule.match === match)}]`
}
