// The login page, and the start of an attempt. Sets a cookie only for a person's own visit to a page: not for a frame, a
// program, or a browser that loads ahead. Who is logged in already goes straight on, except where the page is wanted
// (chooser: always) or a provider is named.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Check, Refused } from '../../core/checks.js'
import type { Attempt, Clock, Leave } from '../../core/contracts.js'
import type { Answer, Generation, Visit } from '../context.js'
import type { DeskEntry, DeskOutcome } from '../desk-login/login.js'
import type { Attempts } from '../login/attempts.js'
import type { Holder } from '../login/browser-sessions.js'
import type { Refusals } from '../login/refuse.js'
import { contentPolicy, pageAnswer } from '../pages/layout.js'
import { chooserPage } from '../pages/pages.js'
import { askerOf, isSpeculative, isVisit } from '../request/fetch-metadata.js'
import type { Paths } from '../request/paths.js'
import { judgeReturnTo } from '../request/return-to.js'
import { formTargetsOf, leavingAnswer, loginHref, placeOf, troubleAnswer } from '../responses/errors.js'
import { goTo, jarOf, replyWith } from '../responses/fastify-reply.js'

export interface LoginDeps {
  paths: Paths
  attempts: Attempts
  holder: Holder
  refusals: Refusals
  deskEntry: DeskEntry
  clock: Clock
}

/** What an agent can choose on the login page: an identity provider, or Desk's own login. */
interface Way {
  id: string
  name: string
  begin(attempt: Attempt): Promise<Leave> | Leave
}

/** This many finished logins within a minute, and still no session cookie: the browser does not keep it. */
const loopAfter = 5
const loopWithin = 60_000

export function loginRoutes(app: FastifyInstance, deps: LoginDeps): void {
  app.get(deps.paths.login, async (request, reply) => {
    const aside = notForPeople(request)
    if (aside) return replyWith(reply, aside)
    const { config } = request.visit.generation
    const here = await deps.holder.current(jarOf(request))
    const returnTo = returnToOf(request)
    if (here && config.login.chooser === 'auto') return reply.code(302).header('location', returnTo).send()
    const fromDesk = here ? undefined : await deps.deskEntry.enter(request)
    if (fromDesk && fromDesk.how !== 'nobody') return fromDeskItself(deps, request, reply, fromDesk)
    if (fromDesk) for (const line of request.visit.generation.cookies.forgetMarks()) reply.header('set-cookie', line)
    const [only, ...others] = waysOf(request.visit.generation)
    const straightOn = config.login.chooser === 'auto' && others.length === 0 && isVisit(request.raw)
    if (only && straightOn) return start(deps, request, reply, only)
    return replyWith(reply, chooser(request.visit, returnTo, here?.agent.email))
  })

  app.get<{ Params: { id: string } }>(`${deps.paths.login}/:id`, async (request, reply) => {
    const provider = waysOf(request.visit.generation).find(({ id }) => id === request.params.id)
    if (!provider) return replyWith(reply, troubleAnswer('not_found', request.headers, request.visit))
    const aside = notForPeople(request)
    if (aside) return replyWith(reply, aside)
    if (!isVisit(request.raw)) return replyWith(reply, chooser(request.visit, returnToOf(request)))
    return start(deps, request, reply, provider)
  })
}

/** The answer to whoever is no person in a tab of their own. */
function notForPeople(request: FastifyRequest): Answer | undefined {
  const { visit, headers, raw } = request
  if (askerOf(headers) !== 'document') return visit.generation.answers('challenge', raw, visit)
  // Attack: a prerendered page may begin logins, and set cookies, that nobody asked for.
  return isSpeculative(headers) ? troubleAnswer('prefetch', headers, visit) : undefined
}

function returnToOf(request: FastifyRequest): string {
  const { config, paths } = request.visit.generation
  return judgeReturnTo((request.query as { return_to?: unknown }).return_to, config.publicUrl, paths)
}

function waysOf({ providers, deskLogin }: Generation): Way[] {
  return deskLogin ? [...providers, { ...deskLogin.way, name: deskLogin.way.id }] : [...providers]
}

/** A login at Desk itself, as it ended: on to the page that was wanted, or a refusal after which Desk's cookie is gone. */
function fromDeskItself(
  deps: LoginDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  outcome: Exclude<DeskOutcome, { how: 'nobody' }>,
) {
  const { visit, headers } = request
  const jar = jarOf(request)
  const wanted = returnToOf(request)
  if (outcome.how === 'refused') {
    const { reason, checks, agent } = outcome
    const refused = { reason, checks, agent, provider: visit.generation.deskLogin?.way.id, returnTo: wanted }
    return replyWith(reply, deps.refusals.refuse(visit, headers, refused), jar.cookies.forgetDesk())
  }
  const { entered, attempt } = outcome
  // Desk often sends everybody to the same page: then the one that the login began with is meant.
  const returnTo = wanted === '/' ? (attempt?.returnTo ?? wanted) : wanted
  const used = attempt ? [deps.attempts.markUsed(jar, attempt)] : []
  return goTo(reply, returnTo, [...entered.setCookies, ...used])
}

function chooser(visit: Visit, returnTo: string, email?: string): Answer {
  const { paths, providers, deskLogin } = visit.generation
  const hrefOf = (id: string) => loginHref(`${paths.login}/${id}`, returnTo)
  const ways = providers.map(({ id, name }) => ({ name, href: hrefOf(id) }))
  const desk = deskLogin && hrefOf(deskLogin.way.id)
  const already = email === undefined ? undefined : { email, href: returnTo }
  const body = chooserPage(placeOf(visit.generation), { ways, desk, already })
  return pageAnswer(200, body, contentPolicy(formTargetsOf(visit.generation)))
}

async function start(deps: LoginDeps, request: FastifyRequest, reply: FastifyReply, provider: Way) {
  const { visit, headers } = request
  const jar = jarOf(request)
  const returnTo = returnToOf(request)
  const refuse = (reason: Refused['reason'], checks: Check[]) =>
    replyWith(reply, deps.refusals.refuse(visit, headers, { reason, provider: provider.id, checks, returnTo }))

  const finished = loops(deps, request)
  if (finished >= loopAfter) return refuse('login.loop', [loopCheck(finished)])
  const { attempt, setCookies } = deps.attempts.begin(jar, provider.id, returnTo)
  const leave = await begin(provider, attempt)
  if (leave instanceof Refused) return refuse(leave.reason, [{ name: 'provider can begin a login', ok: false }])
  // A login at Desk begins afresh: what Desk gave to this browser before is not shown to it again.
  const cookies = [...setCookies, ...jar.cookies.forgetMarks()]
  if ('redirect' in leave) return replyWith(reply, redirect(leave.redirect), cookies)
  const { texts } = placeOf(visit.generation)
  return replyWith(reply, leavingAnswer(visit.generation, texts.leaving.text(provider.name), leave), cookies)
}

/** How many logins this browser finished in the last minute without bringing a session cookie now. */
function loops(deps: LoginDeps, request: FastifyRequest): number {
  const jar = jarOf(request)
  if (jar.cookies.readSession(jar.header) !== undefined) return 0
  const since = deps.clock.now() - loopWithin
  return deps.attempts.list(jar).filter(({ usedAt }) => usedAt !== undefined && usedAt > since).length
}

function loopCheck(finished: number): Check {
  const seen = `${finished} finished logins within a minute, and no session cookie`
  return { name: 'the browser keeps its session cookie', ok: false, expected: `fewer than ${loopAfter}`, seen }
}

async function begin(provider: Way, attempt: Attempt): Promise<Leave | Refused> {
  try {
    return await provider.begin(attempt)
  } catch (error) {
    if (error instanceof Refused) return error
    throw error
  }
}

function redirect(location: string): Answer {
  return { status: 302, headers: ['Location', location], body: '' }
}
