// The paths that identity providers post their responses to. Everything in the form is untrusted; only the attempts in the
// cookies come from this browser. Never repeats anything of the form in its response.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Check } from '../../core/checks.js'
import type { CallbackRequest, Verdict } from '../../core/contracts.js'
import type { Reason } from '../../core/reasons.js'
import { protocols } from '../../providers/create.js'
import { handleJwtCallback, handleSamlCallback } from '../../providers/select.js'
import type { Attempts } from '../login/attempts.js'
import type { LoginLimit } from '../login/login-limit.js'
import type { RefuseLogin } from '../login/refuse.js'
import type { SignIn } from '../login/sign-in.js'
import { type Form, formOf } from '../request/form.js'
import type { Paths } from '../request/paths.js'
import { safeReturnTo, takeState } from '../request/return-to.js'
import { browserName } from '../request/user-agent.js'
import { errorResponse } from '../responses/errors.js'
import { goTo, jarOf, replyWith } from '../responses/fastify-reply.js'

export interface CallbackDeps {
  paths: Paths
  attempts: Attempts
  signIn: SignIn
  refuseLogin: RefuseLogin
  /** Without it the number of refused logins is not limited. */
  limit?: LoginLimit | undefined
}

/** The size limit of a callback, in bytes. */
const maxBytes = 256 * 1024
/** Larger forms are refused but still read, up to here: a browser shows no page when it is cut off while it sends. */
const readLimit = 4 * maxBytes

const jwtFields = ['jwt', 'token', 'state', 'return_to']
const samlFields = ['SAMLResponse', 'RelayState']

interface PostedForm {
  request: FastifyRequest
  reply: FastifyReply
  malformed: Reason
}

/** The routes that identity providers post to, as patterns of the router. */
export function callbackUrls({ jwt, acs }: Paths): { jwt: string; callback: string; jwtOf: string; acs: string } {
  return { jwt, callback: `${jwt}/callback`, jwtOf: `${jwt}/:id(^[a-z0-9-]+$)`, acs }
}

export function callbackRoutes(app: FastifyInstance, deps: CallbackDeps): void {
  const urls = callbackUrls(deps.paths)
  const options = (malformed: Reason) => ({
    bodyLimit: readLimit,
    // After the body was read, for the same reason.
    preHandler: (request: FastifyRequest, reply: FastifyReply) => checkLoginLimit(deps, request, reply),
    errorHandler(error: Error & { code?: string }, request: FastifyRequest, reply: FastifyReply) {
      if (error.code !== 'FST_ERR_CTP_BODY_TOO_LARGE') throw error
      reply.header('connection', 'close')
      return refuse(deps, { request, reply, malformed }, [sizeCheck(`over ${readLimit} bytes`)])
    },
  })
  for (const path of [urls.jwt, urls.callback]) {
    app.post(path, options(protocols.jwt.malformed), (request, reply) => postJwt(deps, request, reply))
  }
  app.post<{ Params: { id: string } }>(urls.jwtOf, options(protocols.jwt.malformed), (request, reply) =>
    postJwt(deps, request, reply, request.params.id),
  )
  app.post(urls.acs, options(protocols.saml.malformed), (request, reply) => postSaml(deps, request, reply))
  for (const url of Object.values(urls)) {
    const method = app.supportedMethods.filter(name => name !== 'POST' && name !== 'HEAD')
    app.route({ method, url, handler: rejectMethod })
  }
}

/** Attack: guessing tokens and assertions. After too many refusals a client has to wait. */
async function checkLoginLimit(deps: CallbackDeps, request: FastifyRequest, reply: FastifyReply) {
  const { context, headers } = request
  const wait = await deps.limit?.wait(context, headers)
  if (wait === undefined) return undefined
  const expected = `at most ${context.snapshot.config.limits.logins} refused logins from one address`
  const checks = [{ name: 'not too many refused logins', ok: false, expected, setting: 'limits.logins' }]
  const refused = { reason: 'login.rate_limited', provider: undefined, checks, returnTo: '/', wait } as const
  return replyWith(reply, deps.refuseLogin(context, headers, refused))
}

async function rejectMethod(request: FastifyRequest, reply: FastifyReply) {
  reply.header('allow', 'POST')
  return replyWith(reply, errorResponse('method_not_allowed', request.headers, request.context))
}

async function postJwt(deps: CallbackDeps, request: FastifyRequest, reply: FastifyReply, path?: string) {
  const posted: PostedForm = { request, reply, malformed: protocols.jwt.malformed }
  const form = formOf(request)
  const wrong = checkForm(request, form, jwtFields)
  if (wrong) return refuse(deps, posted, [wrong])
  const echoed = form.one('return_to')
  const { states } = takeState(echoed ?? '')
  const state = form.one('state') || states[0]
  const callback: CallbackRequest = {
    message: form.one('jwt') || form.one('token') || '',
    ...(state ? { state } : {}),
    ...(echoed === undefined ? {} : { returnTo: echoed }),
    attempt: id => deps.attempts.open(jarOf(request), id),
  }
  const attempt = state ? callback.attempt(state) : undefined
  const ids = { ...(path === undefined ? {} : { path }), ...(attempt ? { attempt: attempt.provider } : {}) }
  const verdict = await handleJwtCallback(callback, ids, request.context.snapshot.providers)
  if (!verdict) return replyWith(reply, errorResponse('not_found', request.headers, request.context))
  return finish(deps, posted, verdict, echoed ?? verdict.returnTo)
}

async function postSaml(deps: CallbackDeps, request: FastifyRequest, reply: FastifyReply) {
  const posted: PostedForm = { request, reply, malformed: protocols.saml.malformed }
  const form = formOf(request)
  const wrong = checkForm(request, form, samlFields)
  if (wrong) return refuse(deps, posted, [wrong])
  const message = form.one('SAMLResponse') ?? ''
  const relayState = form.one('RelayState') || undefined
  const attempt = (id: string) => deps.attempts.open(jarOf(request), id)
  const state = relayState === undefined ? {} : { state: relayState }
  const pendingAttempts = deps.attempts.list(jarOf(request)).length
  const verdict = await handleSamlCallback(
    { message, ...state, attempt, pendingAttempts },
    request.context.snapshot.providers,
  )
  if (verdict.provider === undefined) {
    const began = relayState === undefined ? undefined : attempt(relayState)
    return refuse(deps, { ...posted, malformed: verdict.reason }, verdict.checks, began?.returnTo)
  }
  // In a login that begins at the identity provider, RelayState is where to go (SAML Profiles 4.1.5).
  return finish(deps, posted, verdict, verdict.unsolicited ? relayState : undefined)
}

/** The checks before a provider is selected; the one that failed. */
function checkForm(request: FastifyRequest, form: Form, names: readonly string[]): Check | undefined {
  const { 'sec-fetch-mode': mode, 'sec-fetch-dest': destination } = request.headers
  // Attack: a script on another site posts its own response in the background. Only a page navigation sets cookies.
  if (mode !== undefined && (mode !== 'navigate' || (destination !== undefined && destination !== 'document'))) {
    const seen = `${mode}, ${destination ?? ''}`
    return { name: 'page navigation', ok: false, expected: 'a form that a page of its own window sent', seen }
  }
  if (form.bytes > maxBytes) return sizeCheck(`${form.bytes} bytes`)
  const repeated = form.repeated(names)
  if (repeated.length === 0) return undefined
  return { name: 'form', ok: false, expected: 'each field once', seen: `more than one ${repeated.join(', ')}` }
}

function sizeCheck(seen: string): Check {
  return { name: 'size', ok: false, expected: `at most ${maxBytes} bytes`, seen }
}

function refuse(deps: CallbackDeps, { request, reply, malformed }: PostedForm, checks: Check[], returnTo = '/') {
  const refused = { reason: malformed, provider: undefined, checks, returnTo }
  return replyWith(reply, deps.refuseLogin(request.context, request.headers, refused))
}

/** Signs in with the provider's verdict and redirects to the page, or refuses the login. */
async function finish(deps: CallbackDeps, { request, reply }: PostedForm, verdict: Verdict, asked: string | undefined) {
  const { context, headers } = request
  const { config, paths, providers } = context.snapshot
  const { attempt, attemptMissing } = verdict
  const returnTo = attempt?.returnTo ?? safeReturnTo(takeState(asked ?? '/').returnTo, config.publicUrl, paths)
  const provider = providers.find(({ id }) => id === verdict.provider)
  if (!provider) throw new Error('a verdict names a provider that is not configured')
  const jar = jarOf(request)
  const from = { address: context.address, browser: browserName(headers['user-agent']) }
  const browser = attempt && deps.attempts.list(jar)[0]?.id
  const result = await deps.signIn({ context, jar, browser, from, provider, verdict })
  if ('reason' in result) {
    const refused = { ...result, provider: provider.id, returnTo }
    return replyWith(reply, deps.refuseLogin(context, headers, refused))
  }
  const { kind, setCookies } = result.signedIn
  const used = attempt && kind !== 'repeated' ? [deps.attempts.markUsed(jar, attempt)] : []
  // The wanted page is gone with the attempt: a return_to in the response itself does not come from this browser.
  return goTo(reply, attemptMissing ? '/' : returnTo, [...setCookies, ...used])
}
