// POST /auth/revoke: an identity provider ends the access of one of its people (draft-parecki-oauth-global-token-revocation,
// Okta's Universal Logout). The call is signed, its body is not: a token counts once. Ends nothing of another provider.

import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Check, type RecordCheck, runChecks } from '../../core/checks.js'
import type { Clock } from '../../core/clock.js'
import { canonicalEmail } from '../../core/email.js'
import type { Provider, RevocationVerdict } from '../../core/providers.js'
import { hintOf, type Reason, settingOf, statusOf } from '../../core/reasons.js'
import type { SessionSelector, Sessions } from '../../core/sessions.js'
import type { Store } from '../../core/store.js'
import type { Audit } from '../../ops/audit.js'
import type { Log } from '../../ops/log.js'
import type { RefusedLogins } from '../../ops/refused-logins.js'
import { getOwn, isObject, parseObject } from '../../providers/jwt/strict-json.js'
import { verifyRevocation } from '../../providers/select.js'
import { markKeys, type RevocationMarks } from '../../sessions/revocation-marks.js'
import { everySession } from '../../sessions/sessions.js'
import { bearerTokenOf } from '../access/bearer.js'
import type { LoginLimit } from '../login/login-limit.js'
import { consumeOnce, releaseClaim } from '../login/replay-guard.js'
import type { BodyBudget } from '../request/body-budget.js'
import { clientInfoOf } from '../request/fetch-metadata.js'
import { acceptJson } from '../request/form.js'
import type { Paths } from '../request/paths.js'
import { requestIds } from '../request/trace-context.js'
import { replyError, retryAfter } from '../responses/errors.js'
import { problemResponse } from '../responses/page-responses.js'
import { dropRest, replyWith } from '../responses/send.js'

export interface RevocationRouteDeps {
  paths: Pick<Paths, 'revoke'>
  budget: BodyBudget
  store: Pick<Store, 'claim' | 'delete'>
  sessions: Pick<Sessions, 'end' | 'list'>
  marks: Pick<RevocationMarks, 'add'>
  clock: Clock
  refusedLogins: RefusedLogins
  audit: Audit
  log: Log
  revocationLimit: LoginLimit
}

const why = 'access ended by the identity provider'

export function revokeRoutes(app: FastifyInstance, deps: RevocationRouteDeps): void {
  const url = deps.paths.revoke
  const isOff = ({ context }: FastifyRequest) => context.snapshot.providers.every(one => one.revocation === undefined)

  app.register(async own => {
    acceptJson(own, deps.budget)
    own.post(url, {
      onRequest: async (request, reply) =>
        isOff(request) ? replyError('not_found', request, reply) : admit(deps, request, reply),
      // A reload may have switched it off while the body came.
      handler: async (request, reply) =>
        isOff(request) ? replyError('not_found', request, reply) : revoke(deps, request, reply),
    })
  })
  const refuseMethod = async (request: FastifyRequest, reply: FastifyReply) => {
    if (isOff(request)) return replyError('not_found', request, reply)
    return replyError('method_not_allowed', request, reply.header('allow', 'POST'))
  }
  const method = app.supportedMethods.filter(name => name !== 'POST')
  app.route({ method, url, onRequest: refuseMethod, handler: refuseMethod })
}

/** Attack: guessing tokens, or keeping the gateway busy with bad ones. Decides before the body is read. */
async function admit({ revocationLimit }: RevocationRouteDeps, request: FastifyRequest, reply: FastifyReply) {
  const admission = await revocationLimit.admit(request.context, [])
  if ('wait' in admission) {
    dropRest(request.raw)
    const reason: Reason = 'login.rate_limited'
    reply.header('retry-after', String(admission.wait))
    return replyWith(reply, problemResponse(429, { title: 'Too many refused calls from this address', reason }))
  }
  if (reply.raw.destroyed) admission.done()
  else reply.raw.once('close', admission.done)
  return undefined
}

interface RefusedCall {
  status: 400 | 401
  reason: Reason
  provider: string | undefined
  checks: Check[]
}

async function revoke(deps: RevocationRouteDeps, request: FastifyRequest, reply: FastifyReply) {
  const { providers } = request.context.snapshot
  const token = bearerTokenOf(request.raw.rawHeaders) ?? ''
  const verdicts = (await verifyRevocation(token, providers)) ?? []
  const [verdict] = verdicts
  const { provider, checks = [] } = verdict ?? {}
  if (!verdict?.token) {
    const reason = verdict?.reason ?? 'jwt.malformed'
    return refuse(deps, request, reply, { status: 401, reason, provider, checks })
  }
  const named = verdicts.flatMap(one => providers.filter(({ id }) => id === one.provider))
  const body = await runChecks(check => readSubject(request.body, named, check))
  const all = [...checks, ...body.checks]
  if ('reason' in body) return refuse(deps, request, reply, { status: 400, reason: body.reason, provider, checks: all })
  if (!(await carryOutOnce(deps, request, body.value, verdict.token))) {
    const used = { name: 'not used before', ok: false, expected: 'a token that was not used before', seen: 'used' }
    return refuse(deps, request, reply, { status: 401, reason: 'jwt.replayed', provider, checks: [...all, used] })
  }
  return reply.code(204).send()
}

type RevocationToken = NonNullable<RevocationVerdict['token']>

/** False: the token was used before. Rejects with StoreUnavailable: then the provider may bring the same token again. */
async function carryOutOnce(
  deps: RevocationRouteDeps,
  request: FastifyRequest,
  subject: RevokedSubject,
  token: RevocationToken,
) {
  const { until } = token.replayKey
  const key = claimKey(token)
  try {
    const claimed = await consumeOnce(deps, key, until).catch(error => error as Error)
    if (claimed === false) return false
    // While nobody can tell whether it was used, access ends: in this process at once, elsewhere when the store answers.
    await carryOut(deps, request, subject, token.issuedAt)
    if (claimed !== true) throw claimed
    return true
  } catch (error) {
    releaseClaim(deps, key, until)
    throw error
  }
}

/** By its ID, not its bytes: those can be changed without harm to a signature. */
function claimKey({ replayKey }: RevocationToken): string {
  return `c:revoke:${createHash('sha256').update(replayKey.id).digest('base64url')}`
}

/** Whose access ends, at which providers (RFC 9493 3.2.1 and 3.2.4). */
interface RevokedSubject {
  providers: readonly Provider[]
  person: { email: string } | { name: string }
}

function readSubject(body: unknown, providers: readonly Provider[], check: RecordCheck): RevokedSubject {
  const object = parseObject(typeof body === 'string' ? body : '')
  check('body', {
    ok: object !== undefined,
    reason: 'jwt.malformed',
    expected: 'a JSON object without duplicate names',
  })
  // Older drafts say `subject`. With both, two readers could end the access of two people.
  const given = ['sub_id', 'subject']
    .map(name => getOwn(object ?? {}, name))
    .filter(one => one !== undefined && one !== null)
  const [subject] = given
  check('sub_id', {
    ok: given.length === 1 && isObject(subject),
    reason: 'jwt.claim_missing',
    expected: 'one object',
    seen: given.length === 0 ? 'none' : `${given.length}`,
  })
  const { format, ...members } = isObject(subject) ? subject : {}
  const names = Object.keys(members).sort().join(' ')
  const known = (format === 'email' && names === 'email') || (format === 'iss_sub' && names === 'iss sub')
  check('sub_id format', { ok: known, reason: 'jwt.claim_invalid', expected: 'email, or iss_sub with iss and sub' })
  if (format === 'email') {
    const email = canonicalEmail(members.email)
    check('sub_id email', { ok: email !== undefined, reason: 'jwt.claim_invalid', expected: 'one e-mail address' })
    return { providers, person: { email: email ?? '' } }
  }
  const { iss, sub: name } = members
  check('sub_id sub', {
    ok: typeof name === 'string' && name !== '',
    reason: 'jwt.claim_invalid',
    expected: 'a string',
  })
  const meant = providers.filter(one => one.revocation?.issuer === iss || one.issuer?.() === iss)
  check('sub_id iss', {
    ok: meant.length > 0,
    reason: 'jwt.issuer_mismatch',
    expected: providers.flatMap(one => [one.revocation?.issuer ?? '', one.issuer?.() ?? []].flat()).join(' or '),
    setting: 'providers[].revocation.issuer',
  })
  return { providers: meant, person: { name: String(name) } }
}

/**
 * First the marks, then the sessions: a login that finishes in between meets one of them. What fails keeps nothing else
 * alive. Rejects with StoreUnavailable: then it acts in this process, and is written as soon as the store answers.
 */
async function carryOut(deps: RevocationRouteDeps, request: FastifyRequest, subject: RevokedSubject, issuedAt: number) {
  const { person } = subject
  const at = Math.ceil(Math.max(deps.clock.now(), issuedAt))
  const failures: unknown[] = []
  const attempt = <T>(run: Promise<T>, otherwise: T) =>
    run.catch((error: unknown) => {
      failures.push(error)
      return otherwise
    })
  for (const { id: provider } of subject.providers) {
    const emails =
      'email' in person ? [person.email] : await attempt(emailsOf(deps, { provider, nameId: person.name }), [])
    const keys = [...emails.map(email => ({ email })), person].flatMap(one => markKeys(provider, one))
    const selectors: SessionSelector[] = emails.map(email => ({ email, provider }))
    if ('name' in person) selectors.push({ provider, nameId: person.name })
    await attempt(deps.marks.add([...new Set(keys)], at), undefined)
    let sessions = 0
    for (const selector of selectors) sessions += await attempt(deps.sessions.end(selector, why, 'provider'), 0)
    if (failures.length === 0) record(deps, request, { provider, emails, sessions })
  }
  if (failures.length > 0) throw failures[0]
}

/** The addresses of the live sessions that a provider's own name means. */
async function emailsOf({ sessions }: RevocationRouteDeps, selector: SessionSelector): Promise<string[]> {
  const emails = new Set<string>()
  for await (const { agent } of everySession(sessions, selector)) emails.add(agent.email)
  return [...emails]
}

function record(
  { audit, log }: RevocationRouteDeps,
  { context }: FastifyRequest,
  { provider, emails, sessions }: { provider: string; emails: string[]; sessions: number },
): void {
  const facts = {
    provider,
    why: 'requested by the identity provider',
    address: context.address,
    ...requestIds(context),
  }
  for (const agent of emails.length === 0 ? [undefined] : emails) {
    audit({ event: 'access_revoked', ...(agent === undefined ? {} : { agent }), ...facts })
  }
  const hint =
    'This provider has no live session of this person. An iss_sub has to name the NameID, or the external_id.'
  log.info({ provider, sessions, ...requestIds(context), ...(sessions === 0 ? { hint } : {}) }, why)
}

/** Records the refusal. The response is for a program; identity providers show the status alone. */
function refuse(deps: RevocationRouteDeps, request: FastifyRequest, reply: FastifyReply, refused: RefusedCall) {
  const { context, headers } = request
  const { reason, provider, checks } = refused
  const origin = clientInfoOf(context, headers)
  const reference = deps.refusedLogins.record({ provider, reason, checks, ...origin, of: 'revocation' })
  const facts = { reason, reference, ...(provider === undefined ? {} : { provider }), address: context.address }
  const { name, setting } = checks.at(-1) ?? { name: 'token' }
  const advice = { check: name, hint: hintOf(reason), setting: setting ?? settingOf(reason) }
  deps.log.info({ ...facts, ...requestIds(context), ...advice }, 'revocation refused')
  deps.audit({ event: 'revocation_refused', ...facts, ...requestIds(context) })
  deps.revocationLimit.countRefused(context, { reason })
  const status = statusOf(reason) === 503 ? 503 : refused.status
  if (status === 503) reply.header('retry-after', String(retryAfter))
  if (status === 401) reply.header('www-authenticate', `Bearer error="invalid_token", error_description="${reason}"`)
  return replyWith(reply, problemResponse(status, { title: 'The revocation was refused', reason, reference }))
}
