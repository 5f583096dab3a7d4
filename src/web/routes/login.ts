// The login page, and the start of an attempt. Sets a cookie only for a page that a person navigates to: not for a frame, a
// program or a prefetch. An agent who is logged in already is redirected, except with `chooser: always` or a provider in
// the path. `display=popup` is for the small window of pages/browser/session.js.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Check, Refused } from '../../core/checks.js'
import type { Clock } from '../../core/clock.js'
import { agentDigest } from '../../core/identity.js'
import type { Attempt, Navigation, OtherAccount, StepUpAttempt } from '../../core/providers.js'
import type { Session, Sessions } from '../../core/sessions.js'
import { deskId } from '../../providers/desk-login.js'
import type { Rehearsals } from '../../providers/rehearsal.js'
import type { ConfigSnapshot, ResponseData } from '../context.js'
import type { Attempts } from '../login/attempts.js'
import { type BrowserSessions, warnBefore } from '../login/browser-sessions.js'
import type { DeskSignIn, DeskSignInResult } from '../login/desk-login.js'
import type { RefuseLogin } from '../login/refuse-login.js'
import { fragmentField } from '../pages/layout.js'
import { chooserPage, sendingPage } from '../pages/pages.js'
import { fill } from '../pages/sentence.js'
import { clientKindOf, isSpeculative, saysNavigation } from '../request/fetch-metadata.js'
import { type BodyLimits, formOf } from '../request/form.js'
import type { Paths } from '../request/paths.js'
import { readCookies } from '../request/read-cookies.js'
import {
  askAccount,
  loginHref,
  otherAccount,
  returnField,
  returnToIn,
  splitFragment,
  stepUpField,
  withFragment,
} from '../request/return-to.js'
import { escapeBytes, isAtPublicUrl, readTarget } from '../request/target.js'
import { errorResponse, replyError } from '../responses/errors.js'
import {
  chosenLanguage,
  leavingResponse,
  loginFormPolicy,
  otherHostResponse,
  pageContextOf,
  pageResponse,
} from '../responses/page-responses.js'
import { goTo, jarOf, replyWith, writeCookies } from '../responses/send.js'

export interface LoginDeps {
  paths: Paths
  attempts: Attempts
  browserSessions: BrowserSessions
  sessions: Pick<Sessions, 'verify'>
  refuseLogin: RefuseLogin
  deskSignIn: DeskSignIn
  rehearsals: Pick<Rehearsals, 'find'>
  clock: Clock
}

/** What an agent can choose on the login page: an identity provider, or Desk's own login. */
interface LoginChoice {
  id: string
  name: string
  begin(attempt: Attempt): Promise<Navigation> | Navigation
}

/** This many finished logins within a minute, and still no session cookie: the browser does not keep it. */
const loopAfter = 5
const loopWithin = 60_000
/** A longer form, which is not a page's of ours, is read to its end, and the login begins without its fragment. */
const fragmentForm: BodyLimits = { keep: 2048, read: 512 * 1024 }

export function loginRoutes(app: FastifyInstance, deps: LoginDeps): void {
  app.get(deps.paths.login, async (request, reply) => {
    const refusal = refuseNonNavigation(request) ?? refuseOtherHost(request)
    if (refusal) return replyWith(reply, refusal)
    const { config } = request.context.snapshot
    const session = await deps.browserSessions.current(jarOf(request))
    const returnTo = returnToOf(request)
    const stepUp = session && (await stepUpFor(deps, request, session))
    if (stepUp) return sendOrStart(deps, request, reply, stepUp.provider, stepUp.asked)
    const afterRefusal = otherAccountIn(request) !== undefined
    if (session && !afterRefusal && isEnough(deps, request, session))
      return reply.code(302).header('location', returnTo).send()
    const deskResult = session ? undefined : await deps.deskSignIn(request)
    if (deskResult && deskResult.kind !== 'nobody') return finishDeskLogin(deps, request, reply, deskResult)
    if (deskResult) writeCookies(reply, request.context.snapshot.cookies.clearMarkers())
    const [only, ...others] = loginChoices(request.context.snapshot)
    const skipChooser =
      config.login.chooser === 'auto' && others.length === 0 && request.method !== 'HEAD' && !afterRefusal
    if (only && skipChooser) return sendOrStart(deps, request, reply, only)
    return replyWith(reply, chooserResponse(request, session?.agent.email))
  })

  const start = async (request: FastifyRequest<{ Params: { id: string } }>, reply: FastifyReply) => {
    const { id: asked } = request.params
    // It is offered to nobody.
    const rehearsal = (await deps.rehearsals.find(asked))?.provider
    const provider = loginChoices(request.context.snapshot).find(({ id }) => id === asked) ?? rehearsal
    if (!provider) return replyError('not_found', request, reply)
    const refusal = refuseNonNavigation(request) ?? refuseOtherHost(request)
    if (refusal) return replyWith(reply, refusal)
    if (request.method === 'HEAD') return replyWith(reply, chooserResponse(request))
    const session = await deps.browserSessions.current(jarOf(request))
    const stepUp = session?.provider === provider.id ? await stepUpFor(deps, request, session) : undefined
    return startLogin(deps, request, reply, provider, stepUp?.asked)
  }
  app.get(`${deps.paths.login}/:id`, start)
  app.post(`${deps.paths.login}/:id`, { config: { form: () => fragmentForm } }, start)
}

/** The response to anything but a page that a person opens in a tab; else undefined. */
function refuseNonNavigation(request: FastifyRequest): ResponseData | undefined {
  const { context, headers, raw } = request
  if (clientKindOf(headers) !== 'document') return context.snapshot.renderError('challenge', raw, context)
  // Attack: a prerendered page may begin logins, and set cookies, that nobody asked for.
  return isSpeculative(headers) ? errorResponse('prefetch', headers, context) : undefined
}

/** The query field of the link on the page for another host. */
const atPublicUrl = 'here'

/**
 * A browser at another host than publicUrl: the cookie of its attempt would stay there, and the login would end in a
 * refusal. The page leads to publicUrl. A browser that has followed that link and still seems to be elsewhere is behind a
 * proxy that writes its own Host: then the login begins.
 */
function refuseOtherHost(request: FastifyRequest): ResponseData | undefined {
  const { context, headers, query } = request
  const { publicUrl } = context.snapshot.config
  if (isAtPublicUrl(headers, publicUrl) || (query as Record<string, unknown>)[atPublicUrl] !== undefined)
    return undefined
  const { path } = context.target
  const fields = { ...returnField(context.snapshot.paths, returnToOf(request)), [atPublicUrl]: '1' }
  const href = `${publicUrl}${path}?${new URLSearchParams(fields)}`
  return otherHostResponse(context, href)
}

/**
 * The stronger or fresher login that the wanted page needs of this session, and the provider to ask for it. By the rules in
 * force: what the query says selects the page, and grants nothing.
 */
async function stepUpFor({ sessions }: LoginDeps, request: FastifyRequest, known: Session) {
  const { context } = request
  const { providers, config, pipeline, paths } = context.snapshot
  const [, method = 'GET', path = returnToOf(request)] =
    /^([A-Z]{1,20}) (\/.*)$/.exec(String((request.query as Record<string, unknown>)[stepUpField] ?? '')) ?? []
  const target = readTarget(path.split('#', 1)[0] ?? '/', config.publicUrl)
  if (request.method === 'HEAD' || !target || paths.owns(target.path)) return undefined
  const needed = (session: Session) => {
    const verdict = pipeline.guard.permit(session, method, { ...context, target })
    return 'stepUp' in verdict ? verdict.stepUp : undefined
  }
  // Another replica may have done it.
  const session = needed(known) && (await sessions.verify(known.handle))
  const stepUp = session && needed(session)
  const provider = session && providers.find(({ id }) => id === session.provider)
  if (!session || !stepUp || !provider) return undefined
  const asked = { ...stepUp, origin: session.origin ?? session.handle, agent: agentDigest(session.agent.email) }
  return { provider, asked }
}

/** Whether somebody who is logged in goes on at once. A small window also renews a session that ends in a moment. */
function isEnough({ clock, paths }: LoginDeps, request: FastifyRequest, session: Session): boolean {
  const { config } = request.context.snapshot
  if (returnToOf(request) === paths.popup) return session.endsAt - clock.now() > warnBefore(config)
  return config.login.chooser === 'auto'
}

function returnToOf({ context, query, headers }: FastifyRequest): string {
  const { return_to: asked, display } = query as { return_to?: unknown; display?: unknown }
  // Attack: a window that another site opens would close at once, and so tell that site whether somebody is logged in.
  const site = headers['sec-fetch-site']
  const ours = site === undefined || site === 'same-origin' || site === 'none'
  return display === 'popup' && ours ? context.snapshot.paths.popup : returnToIn(context.snapshot, asked)
}

/** After a refusal: the providers are to ask who it is, and nobody is sent straight back. */
function otherAccountIn({ query }: FastifyRequest): OtherAccount | undefined {
  const { account } = query as { account?: unknown }
  if (account === otherAccount.account) return 'logout'
  return account === askAccount.account ? 'ask' : undefined
}

function loginChoices({ providers, deskLogin }: ConfigSnapshot): LoginChoice[] {
  return deskLogin ? [...providers, { ...deskLogin.provider, name: deskLogin.provider.id }] : [...providers]
}

/** After a login at Desk itself: on to the wanted page, or a refusal that also clears Desk's cookie. */
function finishDeskLogin(
  deps: LoginDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  result: Exclude<DeskSignInResult, { kind: 'nobody' }>,
) {
  const { context, headers } = request
  const jar = jarOf(request)
  const wanted = returnToOf(request)
  if (result.kind === 'refused') {
    const { reason, checks, agent } = result
    const refused = { reason, checks, agent, provider: context.snapshot.deskLogin?.provider.id, returnTo: wanted }
    return replyWith(reply, deps.refuseLogin(context, headers, refused), jar.cookies.clearDesk())
  }
  const { signedIn, attempt } = result
  // Desk often sends every login to the same page: then the page that this login began with is meant.
  const isMeant =
    attempt &&
    (wanted === '/' || attempt.returnTo === deps.paths.popup || wanted === splitFragment(attempt.returnTo).page)
  const returnTo = isMeant ? attempt.returnTo : wanted
  const used = attempt ? [deps.attempts.markUsed(jar, attempt)] : []
  return goTo(reply, returnTo, [...signedIn.setCookies, ...used, jar.cookies.remember('way', deskId)])
}

/** The way in that this browser used last is first, and stands out. */
function chooserResponse(request: FastifyRequest, email?: string): ResponseData {
  const { context } = request
  const { config, paths, cookies } = context.snapshot
  const returnTo = returnToOf(request)
  const fields = otherAccountIn(request) ? askAccount : {}
  const hrefOf = (id: string) => loginHref(paths, returnTo, fields, `${paths.login}/${id}`)
  const last = readCookies(request.headers.cookie).single(cookies.way)
  const choices = loginChoices(context.snapshot)
  const isKnown = choices.some(({ id }) => id === last)
  const ways = [...choices.filter(({ id }) => id === last), ...choices.filter(({ id }) => id !== last)].map(
    ({ id, name }, index) => ({
      name: id === deskId ? undefined : name,
      href: hrefOf(id),
      icon: config.providers.find(provider => provider.id === id)?.icon?.uri,
      look: (isKnown ? index > 0 : id === deskId) ? ('quiet' as const) : undefined,
    }),
  )
  const already = email === undefined ? undefined : { email, href: returnTo }
  const fragment = config.login.keepFragment ? 'kept' : 'lost'
  const body = chooserPage(pageContextOf(context), { ways, already, fragment })
  return pageResponse(200, body, loginFormPolicy(context.snapshot))
}

/** A browser is asked for the fragment first, which it does not send: the script of a small page posts it. */
function sendOrStart(
  deps: LoginDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  provider: LoginChoice,
  stepUp?: StepUpAttempt,
) {
  const { snapshot, target } = request.context
  if (!snapshot.config.login.keepFragment || !saysNavigation(request.headers)) {
    return startLogin(deps, request, reply, provider, stepUp)
  }
  const query = target.query === '' ? '' : `?${escapeBytes(target.query)}`
  const body = sendingPage(pageContextOf(request.context), `${deps.paths.login}/${provider.id}${query}`)
  return replyWith(reply, pageResponse(200, body, loginFormPolicy(snapshot)))
}

async function startLogin(
  deps: LoginDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  provider: LoginChoice,
  stepUp?: StepUpAttempt,
) {
  const { context, headers } = request
  const jar = jarOf(request)
  const returnTo = withFragment(returnToOf(request), formOf(request).one(fragmentField))
  const refuse = (reason: Refused['reason'], checks: Check[]) =>
    replyWith(reply, deps.refuseLogin(context, headers, { reason, provider: provider.id, checks, returnTo }))

  const finished = countFinished(deps, request)
  if (finished >= loopAfter) return refuse('login.loop', [loopCheck(finished)])
  const { attempt, setCookies } = deps.attempts.begin(jar, provider.id, returnTo, {
    stepUp,
    language: chosenLanguage(context)?.lang,
  })
  const account = otherAccountIn(request)
  const navigation = await beginAtProvider(provider, account ? { ...attempt, otherAccount: account } : attempt)
  if (navigation instanceof Refused)
    return refuse(navigation.reason, [{ name: 'provider can begin a login', ok: false }])
  // A login at Desk begins afresh: Desk does not see the cookie that it set before.
  const cookies = [...setCookies, ...jar.cookies.clearMarkers()]
  if ('redirect' in navigation) return replyWith(reply, redirect(request, navigation.redirect), cookies)
  const { texts } = pageContextOf(context)
  return replyWith(
    reply,
    leavingResponse(context, fill(texts.leaving.text, { name: provider.name }), navigation),
    cookies,
  )
}

/** How many logins this browser finished in the last minute; 0 when it sends a session cookie. */
function countFinished(deps: LoginDeps, request: FastifyRequest): number {
  const jar = jarOf(request)
  if (jar.cookies.readSession(jar.header) !== undefined) return 0
  const since = deps.clock.now() - loopWithin
  return deps.attempts.list(jar).filter(({ usedAt }) => usedAt !== undefined && usedAt > since).length
}

function loopCheck(finished: number): Check {
  const seen = `${finished} finished logins within a minute, and no session cookie`
  return { name: 'the browser keeps its session cookie', ok: false, expected: `fewer than ${loopAfter}`, seen }
}

async function beginAtProvider(provider: LoginChoice, attempt: Attempt): Promise<Navigation | Refused> {
  try {
    return await provider.begin(attempt)
  } catch (error) {
    if (error instanceof Refused) return error
    throw error
  }
}

/** A form is not sent on (RFC 9110 15.4.4). */
function redirect({ method }: FastifyRequest, location: string): ResponseData {
  return { status: method === 'POST' ? 303 : 302, headers: ['Location', location], body: '' }
}
