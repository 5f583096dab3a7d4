// The paths that identity providers post their responses to. Everything in the form is untrusted; only the attempts in the
// cookies come from this browser. Never repeats anything of the form in its response.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Check } from '../../core/checks.js'
import type { Attempt, CallbackRequest, Provider, Verdict } from '../../core/providers.js'
import type { Reason } from '../../core/reasons.js'
import { protocols } from '../../providers/create.js'
import type { Rehearsal, Rehearsals } from '../../providers/rehearsal.js'
import { readPostedLogout, readRedirectLogout } from '../../providers/saml/logout/summary.js'
import { prescanOf } from '../../providers/saml/response/prescan.js'
import { handleJwtCallback, handleSamlCallback } from '../../providers/select.js'
import type { Attempts } from '../login/attempts.js'
import type { LoginLimit } from '../login/login-limit.js'
import type { RefuseLogin } from '../login/refuse-login.js'
import type { SignIn } from '../login/sign-in.js'
import { clientInfoOf } from '../request/fetch-metadata.js'
import { FormError, formOf } from '../request/form.js'
import type { Paths } from '../request/paths.js'
import { returnToIn, takeState } from '../request/return-to.js'
import { replyError } from '../responses/errors.js'
import { dropRest, goTo, jarOf, replyWith } from '../responses/send.js'
import { callbackLimits, checkForm, isNavigation, missingTokenCheck, sizeCheck, withQuery } from './callback-form.js'
import type { HandleSlo } from './saml-slo.js'

export interface CallbackDeps {
  paths: Paths
  attempts: Attempts
  signIn: SignIn
  rehearsals: Pick<Rehearsals, 'find'>
  /** In the place of signIn. */
  signInRehearsal(rehearsal: Rehearsal): SignIn
  refuseLogin: RefuseLogin
  /** For what providers send here that is not a login. */
  handleSlo: HandleSlo
  limit: LoginLimit
}

const jwtFields = ['jwt', 'token', 'state', 'return_to']
const samlFields = ['SAMLResponse', 'RelayState']

/** A callback on its way through these routes. */
interface Callback {
  request: FastifyRequest
  reply: FastifyReply
  malformed: Reason
  /** The attempt of that ID; each is opened once. */
  attempt(id: string): Attempt | undefined
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The attempts of this browser that a refusal of this callback counts against. */
    countedAttempts?: Set<string>
  }
}

/** The routes that identity providers post to, as patterns of the router. */
export function callbackUrls({ jwt, acs }: Paths): { jwt: string; callback: string; jwtOf: string; acs: string } {
  return { jwt, callback: `${jwt}/callback`, jwtOf: `${jwt}/:id(^[a-z0-9.-]+$)`, acs }
}

export function callbackRoutes(app: FastifyInstance, deps: CallbackDeps): void {
  const urls = callbackUrls(deps.paths)
  const options = (malformed: Reason, frames: 'frames' | 'no frames') => ({
    config: { form: callbackLimits },
    onRequest: (request: FastifyRequest, reply: FastifyReply) => admit(deps, request, reply, frames),
    errorHandler(error: Error, request: FastifyRequest, reply: FastifyReply) {
      return refuseUnread(deps, callbackOf(deps, request, reply, malformed), error)
    },
  })
  const jwt = options(protocols.jwt.malformed, 'no frames')
  for (const path of [urls.jwt, urls.callback]) {
    app.post(path, jwt, (request, reply) => postJwt(deps, request, reply))
  }
  app.post<{ Params: { id: string } }>(urls.jwtOf, jwt, (request, reply) =>
    postJwt(deps, request, reply, request.params.id),
  )
  // Providers log out of several services at once, each in a frame of their page.
  app.post(urls.acs, options(protocols.saml.malformed, 'frames'), (request, reply) => postSaml(deps, request, reply))
  app.get(urls.acs, { exposeHeadRoute: false }, (request, reply) => getAcs(deps, request, reply))
  for (const url of Object.values(urls)) {
    const answered = url === urls.acs ? ['POST', 'GET'] : ['POST', 'HEAD']
    const method = app.supportedMethods.filter(name => !answered.includes(name))
    app.route({ method, url, handler: rejectMethod })
  }
}

/** Decides before the body is read whether this callback is. */
async function admit(deps: CallbackDeps, request: FastifyRequest, reply: FastifyReply, frames: 'frames' | 'no frames') {
  const { context } = request
  if (!isNavigation(request, frames)) return rejectBackground(request, reply)
  // Attack: guessing tokens and assertions. After too many refusals a client has to wait.
  const admission = await deps.limit.admit(context, deps.attempts.latest(jarOf(request)))
  if ('wait' in admission) {
    dropRest(request.raw)
    const expected = `at most ${context.snapshot.config.limits.logins} refused logins from one address`
    const checks = [{ name: 'not too many refused logins', ok: false, expected, setting: 'limits.logins' }]
    const { wait } = admission
    const refused = { reason: 'login.rate_limited', provider: undefined, checks, returnTo: '/', wait } as const
    return replyWith(reply, refusalOf(deps, request, refused))
  }
  const { attempt, done } = admission
  if (attempt !== undefined) countAgainst(request, attempt)
  // A client that has gone away meanwhile closes no response any more.
  if (reply.raw.destroyed) done()
  else reply.raw.once('close', done)
  return undefined
}

/** The memory of unfinished forms is used up, or the form is longer than is read. */
function refuseUnread(deps: CallbackDeps, callback: Callback, error: Error) {
  if (!(error instanceof FormError) || error.code === 'FORM_CUT') throw error
  const { request, reply } = callback
  reply.header('connection', 'close')
  const { config } = request.context.snapshot
  if (error.code === 'FORM_TOO_LARGE') {
    const { read } = callbackLimits(request.context.snapshot)
    return refuse(deps, callback, [sizeCheck(config.limits.callback, `a form of more than ${read} bytes`)])
  }
  const check = { name: 'memory for unfinished forms', ok: false, setting: 'limits.bodies' }
  return refuse(deps, { ...callback, malformed: 'login.busy_unavailable' }, [check])
}

function rejectBackground(request: FastifyRequest, reply: FastifyReply) {
  dropRest(request.raw)
  request.context.outcome = 'bad_request'
  return replyError('bad_request', request, reply)
}

async function rejectMethod(request: FastifyRequest, reply: FastifyReply) {
  return replyError('method_not_allowed', request, reply.header('allow', 'POST'))
}

function callbackOf(deps: CallbackDeps, request: FastifyRequest, reply: FastifyReply, malformed: Reason): Callback {
  const opened = new Map<string, Attempt | undefined>()
  return {
    request,
    reply,
    malformed,
    attempt(id) {
      if (opened.has(id)) return opened.get(id)
      const contexts = request.context.snapshot.config.access.paths.flatMap(({ context }) => context ?? [])
      const attempt = deps.attempts.open(jarOf(request), id, contexts)
      opened.set(id, attempt)
      if (attempt) countAgainst(request, id)
      return attempt
    },
  }
}

function countAgainst(request: FastifyRequest, attempt: string): void {
  request.countedAttempts ??= new Set()
  request.countedAttempts.add(attempt)
}

async function postJwt(deps: CallbackDeps, request: FastifyRequest, reply: FastifyReply, path?: string) {
  const callback = callbackOf(deps, request, reply, protocols.jwt.malformed)
  const { config, ...snapshot } = request.context.snapshot
  const form = withQuery(formOf(request), request.context.target.query, ['state', 'return_to'])
  const message = form.one('jwt') || form.one('token') || ''
  const wrong = checkForm(form, jwtFields, { message, most: config.limits.callback })
  if (wrong) return refuse(deps, callback, [wrong])
  const echoed = form.one('return_to')
  const { states } = takeState(echoed ?? '')
  const state = form.one('state') || states[0]
  const asked: CallbackRequest = {
    message,
    ...(state ? { state } : {}),
    ...(echoed === undefined ? {} : { returnTo: echoed }),
    attempt: callback.attempt,
  }
  const attempt = state ? callback.attempt(state) : undefined
  const ids = { ...(path === undefined ? {} : { path }), ...(attempt ? { attempt: attempt.provider } : {}) }
  const rehearsal = path === undefined ? undefined : await deps.rehearsals.find(path)
  const providers = rehearsal ? [rehearsal.provider] : snapshot.providers
  const verdict = await handleJwtCallback(asked, ids, providers)
  if (!verdict) return replyError('not_found', request, reply)
  const told = message === '' ? { ...verdict, checks: [missingTokenCheck(form)] } : verdict
  const signIn = rehearsal ? deps.signInRehearsal(rehearsal) : deps.signIn
  return finish({ ...deps, signIn }, callback, { verdict: told, providers, asked: echoed ?? verdict.returnTo })
}

async function postSaml(deps: CallbackDeps, request: FastifyRequest, reply: FastifyReply) {
  const callback = callbackOf(deps, request, reply, protocols.saml.malformed)
  const { config, providers } = request.context.snapshot
  const form = formOf(request)
  const message = form.one('SAMLResponse') ?? ''
  const relayState = form.one('RelayState') || undefined
  const asked: CallbackRequest = {
    message,
    ...(relayState === undefined ? {} : { state: relayState }),
    attempt: callback.attempt,
    maxBytes: config.limits.callback,
    pendingAttempts: deps.attempts.names(jarOf(request)).length,
  }
  const wrong = checkForm(form, samlFields, { message, most: config.limits.callback })
  // Keycloak and others send everything to one address.
  const isLogout = form.names().includes('SAMLRequest') || (!wrong && isLogoutMessage(asked))
  if (isLogout) return deps.handleSlo(request, reply, { ...readPostedLogout(form), at: 'acs' })
  if (!isNavigation(request, 'no frames')) return rejectBackground(request, reply)
  if (wrong) return refuse(deps, callback, [wrong])
  const verdict = await handleSamlCallback(asked, providers)
  if (verdict.provider === undefined) {
    const began = relayState === undefined ? undefined : callback.attempt(relayState)
    return refuse(deps, { ...callback, malformed: verdict.reason }, verdict.checks, began?.returnTo)
  }
  // In a login that begins at the identity provider, RelayState is where to go (SAML Profiles 4.1.5).
  return finish(deps, callback, { verdict, providers, asked: verdict.unsolicited ? relayState : undefined })
}

function isLogoutMessage(callback: CallbackRequest): boolean {
  const prescan = prescanOf(callback)
  return 'malformed' in prescan && prescan.logout === true
}

/** A logout message by redirect; a response to a login never comes that way (SAML Profiles 4.1.2). */
async function getAcs(deps: CallbackDeps, request: FastifyRequest, reply: FastifyReply) {
  const reading = readRedirectLogout(request.context.target.query)
  if ('malformed' in reading) return rejectMethod(request, reply)
  return deps.handleSlo(request, reply, { ...reading, at: 'acs' })
}

function refuse(deps: CallbackDeps, { request, reply, malformed }: Callback, checks: Check[], returnTo = '/') {
  const attempts = [...(request.countedAttempts ?? [])]
  const refused = { reason: malformed, provider: undefined, checks, returnTo, attempts }
  return replyWith(reply, refusalOf(deps, request, refused))
}

/** In the language of the last login that was begun. Only a refusal opens an attempt that the callback does not name. */
function refusalOf(deps: CallbackDeps, request: FastifyRequest, refused: Parameters<RefuseLogin>[2]) {
  const [begun] = deps.attempts.latest(jarOf(request))
  request.context.language = begun?.language
  return deps.refuseLogin(request.context, request.headers, refused)
}

/** Signs in with the provider's verdict and redirects to the page, or refuses the login. */
async function finish(
  deps: CallbackDeps,
  { request, reply }: Callback,
  { verdict, providers, asked }: { verdict: Verdict; providers: readonly Provider[]; asked: string | undefined },
) {
  const { context, headers } = request
  const { attempt, attemptMissing } = verdict
  const returnTo = attempt?.returnTo ?? returnToIn(context.snapshot, takeState(asked ?? '/').returnTo)
  const provider = providers.find(({ id }) => id === verdict.provider)
  if (!provider) throw new Error('a verdict names a provider that is not configured')
  const jar = jarOf(request)
  const from = clientInfoOf(context, headers)
  // Browsers send the oldest cookie first: the same one in every tab.
  const browser = attempt && deps.attempts.names(jar)[0]
  const result = await deps.signIn({ context, jar, browser, from, provider, verdict })
  if ('reason' in result) {
    const attempts = [...(request.countedAttempts ?? [])]
    return replyWith(reply, refusalOf(deps, request, { ...result, provider: provider.id, returnTo, attempts }))
  }
  const { kind, setCookies } = result.signedIn
  const used = attempt && kind !== 'repeated' ? [deps.attempts.markUsed(jar, attempt)] : []
  // The wanted page is gone with the attempt: a return_to in the response itself does not come from this browser.
  const way = kind === 'repeated' ? [] : [jar.cookies.remember('way', provider.id)]
  return goTo(reply, attemptMissing ? '/' : returnTo, [...setCookies, ...used, ...way])
}
