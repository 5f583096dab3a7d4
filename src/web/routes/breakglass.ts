// The one-time link of a break-glass login. GET shows a page with a button and changes nothing, so that a prefetch does not
// use the link up; the button's POST does. The token is in the path: no log, page or Referer repeats it.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Check, type RecordCheck, runChecks } from '../../core/checks.js'
import type { Clock } from '../../core/clock.js'
import { whenStoreFails } from '../../core/errors.js'
import type { Verdict } from '../../core/providers.js'
import type { Reason } from '../../core/reasons.js'
import { checkAgentInDirectory } from '../../directory/directory.js'
import type { Audit } from '../../ops/audit.js'
import type { Log } from '../../ops/log.js'
import type { Metrics } from '../../ops/metrics.js'
import {
  type Breakglass,
  type BreakglassLink,
  breakglassId,
  hashOfToken,
  isBreakglassToken,
} from '../../providers/breakglass.js'
import type { RequestContext, ResponseData } from '../context.js'
import type { RefuseLogin } from '../login/refuse-login.js'
import type { SignIn } from '../login/sign-in.js'
import { noticePage } from '../pages/pages.js'
import { createFrom } from '../request/client-address.js'
import { clientInfoOf } from '../request/fetch-metadata.js'
import type { Paths } from '../request/paths.js'
import { requestIds } from '../request/trace-context.js'
import { replyError } from '../responses/errors.js'
import { ownPage, pageContextOf } from '../responses/page-responses.js'
import { goTo, jarOf, replyWith } from '../responses/send.js'

export interface BreakglassRouteDeps {
  paths: Paths
  breakglass: Pick<Breakglass, 'find' | 'used'>
  signIn: SignIn
  refuseLogin: RefuseLogin
  clock: Clock
  audit: Audit
  metrics: Metrics
  log: Log
}

type LinkRequest = FastifyRequest<{ Params: { token: string } }>

const minute = 60_000

export function breakglassRoutes(app: FastifyInstance, deps: BreakglassRouteDeps): void {
  const path = `${deps.paths.breakglass}/:token`

  app.get(path, async (request: LinkRequest, reply) => {
    if (!isBreakglassToken(request.params.token)) return replyError('link_gone', request, reply)
    const { context } = request
    const page = pageContextOf(context)
    const { title, text, button } = page.texts.breakglass
    const buttons = [{ label: button, to: { post: context.target.path } }]
    return replyWith(reply, withReferrerPolicy(ownPage(context, noticePage(page, { title, text, buttons }))))
  })

  app.post(path, async (request: LinkRequest, reply) => {
    if (!isBreakglassToken(request.params.token)) return replyError('link_gone', request, reply)
    return useLink(deps, request, reply)
  })
}

async function useLink(deps: BreakglassRouteDeps, request: LinkRequest, reply: FastifyReply) {
  const { context, headers } = request
  const { token } = request.params
  let link: BreakglassLink | undefined
  // The directory is asked before the link is used up: a directory that is down, or an agent who has to be added to it,
  // must not cost the only link in an emergency.
  const outcome = await runChecks(async check => {
    checkFrom(context, check)
    link = await findLink(deps, token, check)
    await checkAgentInDirectory(check, context.snapshot.directory, link.agent)
    return link
  })
  if ('reason' in outcome) return refuse(deps, request, reply, { ...outcome, link })
  const found = outcome.value
  const verdict = verdictOf(found, outcome.checks, hashOfToken(token), deps.clock)
  const from = clientInfoOf(context, headers)
  const provider = { id: breakglassId, type: 'breakglass' as const }
  const arrival = { context, jar: jarOf(request), browser: undefined, from, provider, verdict }
  const result = await deps.signIn(arrival)
  if ('reason' in result) return refuse(deps, request, reply, { ...result, link: found })
  deps.breakglass.used(token)
  const { session, setCookies } = result.signedIn
  const facts = { ...linkFields(found), session: session.handle, address: context.address, ...requestIds(context) }
  deps.audit({ event: 'breakglass_used', ...facts, browser: from.browser })
  deps.log.warn(facts, 'break-glass link used')
  deps.metrics.breakglass('used')
  reply.header('referrer-policy', onlyOrigin)
  return goTo(reply, '/', setCookies)
}

/** breakglass.from. Before the link is looked for, so that nobody elsewhere learns whether it is good. */
function checkFrom(context: RequestContext, check: RecordCheck): void {
  const allowed = context.snapshot.config.breakglass.from
  if (allowed.length === 0) return
  const proxy = context.unproven ? ': a proxy that is not in trustedProxies, or names no client in X-Forwarded-For' : ''
  check('link is used from an allowed address', {
    ok: createFrom()(allowed)(context),
    reason: 'agent.forbidden',
    expected: `an address in ${allowed.join(' or ')}`,
    seen: context.address + proxy,
    setting: proxy === '' ? 'breakglass.from' : 'trustedProxies',
    hint: 'The link can still be used. Open it from an allowed network, or change breakglass.from.',
  })
}

/** The link, if it is still valid. */
async function findLink(
  { breakglass, clock }: BreakglassRouteDeps,
  token: string,
  check: RecordCheck,
): Promise<BreakglassLink> {
  const link = await breakglass.find(token).catch(whenStoreFails('unavailable' as const))
  const setting = 'sessions.store'
  check('session store answers', { ok: link !== 'unavailable', reason: 'session.store_unavailable', setting })
  const known = link as BreakglassLink | undefined
  check('link is valid', {
    ok: known !== undefined && clock.now() < known.until,
    reason: 'login.link_expired',
    expected: 'a link that was made less than 15 minutes ago',
    seen: known === undefined ? 'none that the store knows' : `valid until ${new Date(known.until).toISOString()}`,
  })
  return known as BreakglassLink
}

function verdictOf({ agent, minutes, until }: BreakglassLink, checks: Check[], id: string, clock: Clock): Verdict {
  const endsAt = clock.now() + minutes * minute
  const identity = { provider: breakglassId, email: agent, replayKey: { id, until }, endsAt }
  return { provider: breakglassId, checks, unsolicited: false, identity }
}

function refuse(
  deps: BreakglassRouteDeps,
  request: LinkRequest,
  reply: FastifyReply,
  { reason, checks, link }: { reason: Reason; checks: Check[]; link: BreakglassLink | undefined },
) {
  const { context, headers } = request
  const facts = { ...(link ? linkFields(link) : {}), reason, address: context.address, ...requestIds(context) }
  deps.audit({ event: 'breakglass_refused', ...facts })
  deps.log.warn(facts, 'break-glass link refused')
  deps.metrics.breakglass('refused')
  const refused = { reason, provider: breakglassId, checks, agent: link?.agent, returnTo: '/' }
  return replyWith(reply, withReferrerPolicy(deps.refuseLogin(context, headers, refused)))
}

function linkFields({ id, agent, minutes, reason, operator }: BreakglassLink) {
  return { link: id, agent, minutes, why: reason, operator }
}

const onlyOrigin = 'strict-origin'

/**
 * Attack: Desk, and anyone who reads its logs, would see the token in the Referer of the next page. Not no-referrer: then
 * browsers send Origin: null, and old ones nothing else that names the page of the form (Fetch Standard 3.2).
 */
function withReferrerPolicy(response: ResponseData): ResponseData {
  return { ...response, headers: [...response.headers, 'Referrer-Policy', onlyOrigin] }
}
