// access.paths: what a path of Desk requires of who asks for it. A rule restricts access, so in doubt it applies: every
// reading of a path that some server could have is checked, and a path with too many readings meets every rule.

import type { Config } from '../../config/schema/index.js'
import type { Clock } from '../../core/clock.js'
import { domainOf } from '../../core/email.js'
import { hasContext, isRecent, type StepUp } from '../../core/identity.js'
import { systemClock } from '../../runtime/clock.js'
import type { AskedRequest, Asker, PathAccess } from '../context.js'
import { createFrom } from '../request/client-address.js'
import type { Target } from '../request/target.js'
import { createPathIndex, fold } from './path-index.js'

export type PathRule = Config['access']['paths'][number]

/** One kind of requirement of a rule; its values are alternatives. */
export interface Requirement {
  kind: Exclude<keyof PathRule, 'match'>
  isMetBy(who: Asker, request: AskedRequest): boolean
}

/** A rule: all of its requirements have to be met. */
export interface CompiledRule {
  match: string
  /** Undefined: any. */
  method: string | undefined
  requirements: readonly Requirement[]
  /** Those of them that another login of the same agent can meet. */
  stepUp: StepUp | undefined
}

export interface CompiledPathAccess {
  permits: PathAccess
  /** Every rule that applies to a request. */
  rulesFor(method: string, target: Target): CompiledRule[]
}

/** The most rounds of decoding; a path that needs more is an attack. */
const maxDecodings = 4
const escaped = /%[0-9A-Fa-f]{2}/
/** Attack: 8 kB of double escapes cost a millisecond to read in every way. No honest path is as long and as unclear. */
const mostAmbiguous = { characters: 1024, marks: 24 }
const ambiguousMark = /[%;]/g
/** What deeper decodings must not yield: then the path is uncertain. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const uncertain = /[\\\u0000-\u001f\u007f]|(?:^|\/)\.\.?(?:\/|$)/

/**
 * What some servers read otherwise, though it is one segment here: '?' and '#' that a second server decodes, dots and spaces
 * at the end of a name, which Windows drops, and marks, which others compose with their letter.
 */
const loose = /[?#]|[. ](?:\/|$)|[\u0300-\u036f]/

/** Every matching rule must hold. `clock`: for rules with maxAge. */
export function compilePathAccess(paths: readonly PathRule[], clock: Clock = systemClock): CompiledPathAccess {
  const from = createFrom()
  const rules = paths.map(rule => compileRule(rule, from, clock))
  if (rules.length === 0) return { permits: () => true, rulesFor: () => [] }
  const index = createPathIndex(rules.map(rule => ({ pattern: rule.match.slice(rule.match.indexOf(' ') + 1), rule })))
  const applicable = (target: Target): readonly CompiledRule[] => {
    if (!target.ambiguous && !loose.test(target.path)) return index.find(fold(target.path))
    const readings = ambiguousReadings(target)
    return readings ? [...new Set(readings.flatMap(index.find))] : rules
  }
  return {
    permits(who, method, request) {
      let weak: CompiledRule[] | undefined
      const found = applicable(request.target)
      for (const rule of found) {
        if (!hasMethod(rule, method)) continue
        for (const requirement of rule.requirements) {
          if (requirement.isMetBy(who, request)) continue
          if (requirement.kind !== 'context' && requirement.kind !== 'maxAge') return false
          weak ??= found.filter(one => hasMethod(one, method))
        }
      }
      return weak === undefined || (allStepUps(weak) ?? false)
    },
    rulesFor: (method, target) => applicable(target).filter(rule => hasMethod(rule, method)),
  }
}

/** What a login has to show to meet all of the rules; undefined when none can. */
function allStepUps(rules: readonly CompiledRule[]): StepUp | undefined {
  let all: StepUp = { context: [] }
  for (const { stepUp } of rules) {
    if (stepUp === undefined) continue
    const both = all.context.filter(one => stepUp.context.includes(one))
    if (all.context.length > 0 && stepUp.context.length > 0 && both.length === 0) return undefined
    const maxAge = Math.min(all.maxAge ?? Number.POSITIVE_INFINITY, stepUp.maxAge ?? Number.POSITIVE_INFINITY)
    const context = both.length > 0 ? both : [...all.context, ...stepUp.context]
    all = { context, ...(Number.isFinite(maxAge) ? { maxAge } : {}) }
  }
  return all
}

function compileRule(rule: PathRule, from: ReturnType<typeof createFrom>, clock: Clock): CompiledRule {
  const { match, context = [], maxAge } = rule
  const space = match.indexOf(' ')
  const stepUp = { context, ...(maxAge === undefined ? {} : { maxAge }) }
  return {
    match,
    method: space < 0 ? undefined : match.slice(0, space),
    requirements: requirementsOf(rule, from, clock),
    stepUp: context.length > 0 || maxAge !== undefined ? stepUp : undefined,
  }
}

/** Another kind of requirement is one line here. */
function requirementsOf(rule: PathRule, compileFrom: ReturnType<typeof createFrom>, clock: Clock): Requirement[] {
  const { context, maxAge } = rule
  const requirements: Requirement[] = []
  const [roles, emails, domains, providers] = [rule.roles, rule.emails, rule.domains, rule.providers].map(setOf)
  if (roles) requirements.push({ kind: 'roles', isMetBy: ({ agent }) => agent.roles.some(role => roles.has(role)) })
  if (emails) requirements.push({ kind: 'emails', isMetBy: ({ agent }) => emails.has(agent.email) })
  if (domains) requirements.push({ kind: 'domains', isMetBy: ({ agent }) => domains.has(domainOf(agent.email)) })
  if (providers) requirements.push({ kind: 'providers', isMetBy: ({ provider }) => providers.has(provider) })
  if (rule.from) {
    const isFrom = compileFrom(rule.from)
    requirements.push({ kind: 'from', isMetBy: (_, request) => isFrom(request) })
  }
  if (context) {
    requirements.push({ kind: 'context', isMetBy: ({ authentication }) => hasContext(authentication, context) })
  }
  if (maxAge !== undefined) {
    requirements.push({
      kind: 'maxAge',
      isMetBy: ({ authentication }) => isRecent(authentication, maxAge, clock.now()),
    })
  }
  return requirements
}

function setOf(values: readonly string[] | undefined): ReadonlySet<string> | undefined {
  return values && new Set(values)
}

function hasMethod({ method }: CompiledRule, asked: string): boolean {
  return method === undefined || method === asked || (method === 'GET' && asked === 'HEAD')
}

/** Attack: /admin%2Fusers, /admin;x/users, /%2561dmin: one server sees the rule's path where another sees a letter. */
function ambiguousReadings({ raw, path }: Target): string[] | undefined {
  if (path.length > mostAmbiguous.characters || hasTooManyMarks(path)) return undefined
  const found = new Set<string>([raw.split('?', 1)[0] ?? '', path])
  let deeper = path
  for (let depth = 1; escaped.test(deeper); depth++) {
    deeper = decodeOnce(deeper)
    if (depth >= maxDecodings) return undefined
    found.add(deeper)
  }
  for (const read of [...found]) {
    found.add(withoutParameters(read))
    found.add(read.split(';', 1)[0] ?? '')
  }
  for (const read of [...found]) found.add(read.split(/[?#]/, 1)[0] ?? '')
  for (const read of [...found]) found.add(read.replace(/[. ]+(?=\/|$)/g, '').normalize('NFC'))
  const readings = [...found].map(fold)
  return readings.some(read => uncertain.test(read)) ? undefined : readings
}

function hasTooManyMarks(path: string): boolean {
  return (path.match(ambiguousMark)?.length ?? 0) > mostAmbiguous.marks
}

/** Byte by byte: invalid UTF-8 must not stop the decoding of the rest. */
function decodeOnce(path: string): string {
  return path.replace(/(?:%[0-9A-Fa-f]{2})+/g, escapes => Buffer.from(escapes.replaceAll('%', ''), 'hex').toString())
}

/** RFC 3986 3.3: some servers drop what is behind a ';' in each segment. */
function withoutParameters(path: string): string {
  return path.replace(/;[^/]*/g, '')
}
