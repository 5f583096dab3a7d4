// The one-time link of a break-glass login. A visit shows a page with a button and changes nothing, so that whoever loads
// it ahead of time uses nothing up; the button's POST does. The token is in the path: no log, page or Referer repeats it.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Check, climb, type Step } from '../../core/checks.js'
import type { Clock, Verdict } from '../../core/contracts.js'
import { StoreUnavailable } from '../../core/errors.js'
import type { Reason } from '../../core/reasons.js'
import { lookUp } from '../../directory/checks.js'
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
import type { Answer } from '../context.js'
import type { Refusals } from '../login/refuse.js'
import type { SignIn } from '../login/sign-in.js'
import { contentPolicy, pageAnswer } from '../pages/layout.js'
import { noticePage } from '../pages/pages.js'
import type { Paths } from '../request/paths.js'
import { browserName } from '../request/user-agent.js'
import { formTargetsOf, placeOf, troubleAnswer } from '../responses/errors.js'
import { goTo, jarOf, replyWith } from '../responses/fastify-reply.js'

export interface BreakglassRouteDeps {
  paths: Paths
  breakglass: Pick<Breakglass, 'find'>
  signIn: SignIn
  refusals: Refusals
  clock: Clock
  audit: Audit
  metrics: Metrics
  log: Log
}

type Asked = FastifyRequest<{ Params: { token: string } }>

const minute = 60_000

export function breakglassRoutes(app: FastifyInstance, deps: BreakglassRouteDeps): void {
  const path = `${deps.paths.breakglass}/:token`

  app.get(path, async (request: Asked, reply) => {
    if (!isBreakglassToken(request.params.token)) return notFound(request, reply)
    const { generation, target } = request.visit
    const { title, text, button } = placeOf(generation).texts.breakglass
    const body = noticePage(placeOf(generation), {
      title,
      text,
      buttons: [{ label: button, to: { post: target.path } }],
    })
    return replyWith(reply, unnamed(pageAnswer(200, body, contentPolicy(formTargetsOf(generation)))))
  })

  app.post(path, async (request: Asked, reply) => {
    if (!isBreakglassToken(request.params.token)) return notFound(request, reply)
    return use(deps, request, reply)
  })
}

async function use(deps: BreakglassRouteDeps, request: Asked, reply: FastifyReply) {
  const { visit, headers } = request
  const { token } = request.params
  let link: BreakglassLink | undefined
  // The directory first, then the claim: a directory that is down for a moment, or an agent who has to be added to it,
  // must not eat the link that an emergency hangs on. Nothing has been opened by then.
  const climbed = await climb(async step => {
    link = await find(deps, token, step)
    await lookUp(step, visit.generation.directory, link.agent)
    return link
  })
  if ('reason' in climbed) return refuse(deps, request, reply, { ...climbed, link })
  const found = climbed.value
  const verdict = verdictOf(found, climbed.checks, hashOfToken(token), deps.clock)
  const from = { address: visit.address, browser: browserName(headers['user-agent']) }
  const provider = { id: breakglassId, type: 'breakglass' as const }
  const arrival = { visit, jar: jarOf(request), browser: undefined, from, provider, verdict }
  const result = await deps.signIn.enter(arrival)
  if ('reason' in result) return refuse(deps, request, reply, { ...result, link: found })
  const { session, setCookies } = result.entered
  const facts = { ...told(found), session: session.handle, address: visit.address, request: visit.id }
  deps.audit({ event: 'breakglass_used', ...facts, browser: from.browser })
  deps.log.warn(facts, 'a break-glass link was used')
  deps.metrics.breakglass('used')
  reply.header('referrer-policy', onlyOrigin)
  return goTo(reply, '/', setCookies)
}

/** The link, as long as it is good. */
async function find({ breakglass, clock }: BreakglassRouteDeps, token: string, step: Step): Promise<BreakglassLink> {
  const link = await breakglass.find(token).catch((error: unknown) => {
    if (error instanceof StoreUnavailable) return 'unavailable' as const
    throw error
  })
  const setting = 'sessions.store'
  step('session store answers', { ok: link !== 'unavailable', reason: 'session.store_unavailable', setting })
  const known = link as BreakglassLink | undefined
  step('link is good', {
    ok: known !== undefined && clock.now() < known.until,
    reason: 'login.link_expired',
    expected: 'a link that was made less than 15 minutes ago',
    seen: known === undefined ? 'none that the store knows' : `good until ${new Date(known.until).toISOString()}`,
  })
  return known as BreakglassLink
}

function verdictOf({ agent, minutes, until }: BreakglassLink, checks: Check[], id: string, clock: Clock): Verdict {
  const endsAt = clock.now() + minutes * minute
  const identity = { provider: breakglassId, email: agent, claim: { id, until }, endsAt }
  return { provider: breakglassId, checks, unsolicited: false, identity }
}

function refuse(
  deps: BreakglassRouteDeps,
  request: Asked,
  reply: FastifyReply,
  { reason, checks, link }: { reason: Reason; checks: Check[]; link: BreakglassLink | undefined },
) {
  const { visit, headers } = request
  const facts = { ...(link ? told(link) : {}), reason, address: visit.address, request: visit.id }
  deps.audit({ event: 'breakglass_refused', ...facts })
  deps.log.warn(facts, 'a break-glass link was refused')
  deps.metrics.breakglass('refused')
  const refused = { reason, provider: breakglassId, checks, agent: link?.agent, returnTo: '/' }
  return replyWith(reply, unnamed(deps.refusals.refuse(visit, headers, refused)))
}

/** What logs say of a link. */
function told({ id, agent, minutes, reason, operator }: BreakglassLink) {
  return { link: id, agent, minutes, why: reason, operator }
}

const onlyOrigin = 'strict-origin'

/**
 * Attack: Desk, and whoever reads its logs, would see the token in the Referer of the next page. Not no-referrer: with it
 * browsers send Origin: null, and old ones nothing else that says where the button stood (Fetch Standard 3.2).
 */
function unnamed(answer: Answer): Answer {
  return { ...answer, headers: [...answer.headers, 'Referrer-Policy', onlyOrigin] }
}

function notFound({ visit, headers }: FastifyRequest, reply: FastifyReply) {
  return replyWith(reply, troubleAnswer('not_found', headers, visit))
}
