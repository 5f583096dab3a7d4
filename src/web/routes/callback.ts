// Where identity providers post their answers. Everything in the form is untrusted; only the attempts in the cookies are
// this browser's own. Never answers with anything of what was posted.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Check } from '../../core/checks.js'
import type { Handover, Verdict } from '../../core/contracts.js'
import type { Reason } from '../../core/reasons.js'
import { acceptJwt, acceptSaml } from '../../providers/select.js'
import type { Attempts } from '../login/attempts.js'
import type { LoginLimit } from '../login/login-limit.js'
import type { Refusals } from '../login/refuse.js'
import type { SignIn } from '../login/sign-in.js'
import { type Form, formOf } from '../request/form.js'
import type { Paths } from '../request/paths.js'
import { judgeReturnTo, takeState } from '../request/return-to.js'
import { browserName } from '../request/user-agent.js'
import { troubleAnswer } from '../responses/errors.js'
import { goTo, jarOf, replyWith } from '../responses/fastify-reply.js'

export interface HandoverDeps {
  paths: Paths
  attempts: Attempts
  signIn: SignIn
  refusals: Refusals
  /** Without it nobody is held to a number of refused logins. */
  limit?: LoginLimit | undefined
}

/** The most bytes of a hand-over. */
const largest = 256 * 1024
/** Read, though refused, up to here: a browser that is cut off while it sends shows no page at all. */
const readAtMost = 4 * largest

const jwtFields = ['jwt', 'token', 'state', 'return_to']
const samlFields = ['SAMLResponse', 'RelayState']

interface Posted {
  request: FastifyRequest
  reply: FastifyReply
  malformed: Reason
}

/** The routes that identity providers post to, as patterns of the router. */
export function handoverUrls({ jwt, acs }: Paths): { jwt: string; callback: string; jwtOf: string; acs: string } {
  return { jwt, callback: `${jwt}/callback`, jwtOf: `${jwt}/:id(^[a-z0-9-]+$)`, acs }
}

export function handoverRoutes(app: FastifyInstance, deps: HandoverDeps): void {
  const urls = handoverUrls(deps.paths)
  const options = (malformed: Reason) => ({
    bodyLimit: readAtMost,
    // After the body has come: a browser that is cut off while it sends shows no page.
    preHandler: (request: FastifyRequest, reply: FastifyReply) => holdBack(deps, request, reply),
    errorHandler(error: Error & { code?: string }, request: FastifyRequest, reply: FastifyReply) {
      if (error.code !== 'FST_ERR_CTP_BODY_TOO_LARGE') throw error
      reply.header('connection', 'close')
      return refuse(deps, { request, reply, malformed }, [sizeCheck(`over ${readAtMost} bytes`)])
    },
  })
  for (const path of [urls.jwt, urls.callback]) {
    app.post(path, options('jwt.malformed'), (request, reply) => takeJwt(deps, request, reply))
  }
  app.post<{ Params: { id: string } }>(urls.jwtOf, options('jwt.malformed'), (request, reply) =>
    takeJwt(deps, request, reply, request.params.id),
  )
  app.post(urls.acs, options('saml.malformed'), (request, reply) => takeSaml(deps, request, reply))
  for (const url of Object.values(urls)) {
    const method = app.supportedMethods.filter(name => name !== 'POST' && name !== 'HEAD')
    app.route({ method, url, handler: onlyPost })
  }
}

/** Attack: trying out tokens and assertions. Whoever was refused too often is not looked at for a while. */
async function holdBack(deps: HandoverDeps, request: FastifyRequest, reply: FastifyReply) {
  const { visit, headers } = request
  const wait = await deps.limit?.wait(visit, headers)
  if (wait === undefined) return undefined
  const expected = `at most ${visit.generation.config.limits.logins} refused logins from one address`
  const checks = [{ name: 'not too many refused logins', ok: false, expected, setting: 'limits.logins' }]
  const refused = { reason: 'login.rate_limited', provider: undefined, checks, returnTo: '/', wait } as const
  return replyWith(reply, deps.refusals.refuse(visit, headers, refused))
}

async function onlyPost(request: FastifyRequest, reply: FastifyReply) {
  reply.header('allow', 'POST')
  return replyWith(reply, troubleAnswer('method_not_allowed', request.headers, request.visit))
}

async function takeJwt(deps: HandoverDeps, request: FastifyRequest, reply: FastifyReply, path?: string) {
  const posted: Posted = { request, reply, malformed: 'jwt.malformed' }
  const form = formOf(request)
  const wrong = checkForm(request, form, jwtFields)
  if (wrong) return refuse(deps, posted, [wrong])
  const echoed = form.one('return_to')
  const { states } = takeState(echoed ?? '')
  const state = form.one('state') || states[0]
  const handover: Handover = {
    message: form.one('jwt') || form.one('token') || '',
    ...(state ? { state } : {}),
    ...(echoed === undefined ? {} : { returnTo: echoed }),
    attempt: id => deps.attempts.open(jarOf(request), id),
  }
  const attempt = state ? handover.attempt(state) : undefined
  const ids = { ...(path === undefined ? {} : { path }), ...(attempt ? { attempt: attempt.provider } : {}) }
  const verdict = await acceptJwt(handover, ids, request.visit.generation.providers)
  if (!verdict) return replyWith(reply, troubleAnswer('not_found', request.headers, request.visit))
  return finish(deps, posted, verdict, echoed ?? verdict.returnTo)
}

async function takeSaml(deps: HandoverDeps, request: FastifyRequest, reply: FastifyReply) {
  const posted: Posted = { request, reply, malformed: 'saml.malformed' }
  const form = formOf(request)
  const wrong = checkForm(request, form, samlFields)
  if (wrong) return refuse(deps, posted, [wrong])
  const message = form.one('SAMLResponse') ?? ''
  const relayState = form.one('RelayState') || undefined
  const attempt = (id: string) => deps.attempts.open(jarOf(request), id)
  const state = relayState === undefined ? {} : { state: relayState }
  const underWay = deps.attempts.list(jarOf(request)).length
  const verdict = await acceptSaml({ message, ...state, attempt, underWay }, request.visit.generation.providers)
  if (verdict.provider === undefined) {
    const began = relayState === undefined ? undefined : attempt(relayState)
    return refuse(deps, { ...posted, malformed: verdict.reason }, verdict.checks, began?.returnTo)
  }
  // In a login that begins at the identity provider, RelayState is where to go (SAML Profiles 4.1.5).
  return finish(deps, posted, verdict, verdict.unsolicited ? relayState : undefined)
}

/** The rungs before any provider is asked; the one that failed. */
function checkForm(request: FastifyRequest, form: Form, names: readonly string[]): Check | undefined {
  const { 'sec-fetch-mode': mode, 'sec-fetch-dest': destination } = request.headers
  // Attack: a script on another site posts its own answer in the background. Only a page navigation sets cookies.
  if (mode !== undefined && (mode !== 'navigate' || (destination !== undefined && destination !== 'document'))) {
    const seen = `${mode}, ${destination ?? ''}`
    return { name: 'page navigation', ok: false, expected: 'a form that a page of its own window sent', seen }
  }
  if (form.bytes > largest) return sizeCheck(`${form.bytes} bytes`)
  const repeated = form.repeated(names)
  if (repeated.length === 0) return undefined
  return { name: 'form', ok: false, expected: 'each field once', seen: `more than one ${repeated.join(', ')}` }
}

function sizeCheck(seen: string): Check {
  return { name: 'size', ok: false, expected: `at most ${largest} bytes`, seen }
}

function refuse(deps: HandoverDeps, { request, reply, malformed }: Posted, checks: Check[], returnTo = '/') {
  const refused = { reason: malformed, provider: undefined, checks, returnTo }
  return replyWith(reply, deps.refusals.refuse(request.visit, request.headers, refused))
}

/** From the provider's verdict to a session, and on to the page; or to a refusal. */
async function finish(deps: HandoverDeps, { request, reply }: Posted, verdict: Verdict, asked: string | undefined) {
  const { visit, headers } = request
  const { config, paths, providers } = visit.generation
  const { attempt, bereft } = verdict
  const returnTo = attempt?.returnTo ?? judgeReturnTo(takeState(asked ?? '/').returnTo, config.publicUrl, paths)
  const provider = providers.find(({ id }) => id === verdict.provider)
  if (!provider) throw new Error('a verdict names a provider that is not configured')
  const jar = jarOf(request)
  const from = { address: visit.address, browser: browserName(headers['user-agent']) }
  const browser = attempt && deps.attempts.list(jar)[0]?.id
  const result = await deps.signIn.enter({ visit, jar, browser, from, provider, verdict })
  if ('reason' in result) {
    const refused = { ...result, provider: provider.id, returnTo }
    return replyWith(reply, deps.refusals.refuse(visit, headers, refused))
  }
  const { how, setCookies } = result.entered
  const used = attempt && how !== 'repeated' ? [deps.attempts.markUsed(jar, attempt)] : []
  // What it was for is gone with the attempt: what the answer itself says of it was never this browser's word.
  return goTo(reply, bereft ? '/' : returnTo, [...setCookies, ...used])
}
