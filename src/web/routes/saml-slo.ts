// Where identity providers send logout messages (SAML Profiles 4.4), and browsers bring them. A request that is believed
// ends sessions by the name in it, never by the cookie; never says that it succeeded when it did not.

import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Check } from '../../core/checks.js'
import type { Clock, Leave, Sessions, Store } from '../../core/contracts.js'
import { StoreUnavailable } from '../../core/errors.js'
import type { Reason } from '../../core/reasons.js'
import type { LoggedOut } from '../../providers/saml/logout/logout.js'
import { type LogoutMessage, readPostedLogout, readRedirectLogout } from '../../providers/saml/logout/reading.js'
import { isSaml, type SamlProvider } from '../../providers/saml/provider.js'
import { chooseSaml } from '../../providers/select.js'
import type { Attempts } from '../login/attempts.js'
import type { Holder } from '../login/browser-sessions.js'
import type { SessionIndexes } from '../login/session-index-aliases.js'
import type { RefusedLogout, SloRecords } from '../logout/slo-records.js'
import { isSpeculative } from '../request/fetch-metadata.js'
import { formOf } from '../request/form.js'
import type { Paths } from '../request/paths.js'
import { leavingAnswer, placeOf, troubleAnswer } from '../responses/errors.js'
import { goTo, jarOf, replyWith } from '../responses/fastify-reply.js'

export interface SloDeps {
  paths: Paths
  store: Pick<Store, 'claim'>
  sessions: Pick<Sessions, 'end'>
  holder: Holder
  attempts: Attempts
  sessionIndexes: SessionIndexes
  clock: Clock
  records: SloRecords
}

/** Read, though a message of more than 64 kB is refused, up to here: a browser that is cut off shows no page at all. */
const readAtMost = 1024 * 1024
/** A claim outlives what it guards by this much: the clocks of two replicas may differ. Milliseconds. */
const claimMargin = 60_000
const why = 'logout at the identity provider'

/** One message on its way: believed or not, it was this provider's to judge. */
interface Case {
  request: FastifyRequest
  reply: FastifyReply
  message: LogoutMessage
  provider: SamlProvider
}

export function sloRoutes(app: FastifyInstance, deps: SloDeps): void {
  const { slo } = deps.paths
  // A HEAD would use the message up, and the browser's own request after it would find it used.
  app.get(slo, { exposeHeadRoute: false }, (request, reply) => take(deps, request, reply))
  app.post(slo, { bodyLimit: readAtMost }, (request, reply) => take(deps, request, reply))
  const method = app.supportedMethods.filter(name => name !== 'GET' && name !== 'POST')
  app.route({
    method,
    url: slo,
    handler: async (request, reply) => {
      reply.header('allow', 'GET, POST')
      return replyWith(reply, troubleAnswer('method_not_allowed', request.headers, request.visit))
    },
  })
}

async function take(deps: SloDeps, request: FastifyRequest, reply: FastifyReply) {
  const { visit, headers, method } = request
  if (isSpeculative(headers)) return replyWith(reply, troubleAnswer('prefetch', headers, visit))
  const reading = method === 'GET' ? readRedirectLogout(visit.target.query) : readPostedLogout(formOf(request))
  if ('malformed' in reading) {
    const check = { name: 'message', ok: false, expected: 'a SAML logout message', seen: reading.malformed }
    const refused = { reason: 'saml.malformed' as const, provider: undefined, checks: [check] }
    return reading.kind === 'response' ? home(deps, request, reply, refused) : refuse(deps, request, reply, refused)
  }
  const provider = chooseSaml(reading.facts.issuers[0], undefined, visit.generation.providers)
  if (!provider || !isSaml(provider)) {
    const seen = reading.facts.issuers[0] ?? 'none'
    const check = { name: 'issuer', ok: false, expected: 'the issuer of a provider', seen, setting: 'issuer' }
    const refused = { reason: 'saml.issuer_unknown' as const, provider: undefined, checks: [check] }
    return reading.kind === 'response' ? home(deps, request, reply, refused) : refuse(deps, request, reply, refused)
  }
  return judge(deps, { request, reply, message: reading, provider })
}

async function judge(deps: SloDeps, one: Case) {
  const { request, reply, provider, message } = one
  const verdict = await provider.singleLogout.judge(message)
  const { checks } = verdict
  const refused = 'reason' in verdict ? { reason: verdict.reason, provider: provider.id, checks } : undefined
  if (message.kind === 'response') return home(deps, request, reply, refused)
  if (refused) return refuse(deps, request, reply, refused)
  const { loggedOut } = verdict as { loggedOut: LoggedOut }
  try {
    if (!(await claim(deps, provider, loggedOut))) return refuse(deps, request, reply, replayed(provider, checks))
    await end(deps, provider, loggedOut)
    return leave(one, 'Success', await cookiesToForget(deps, request), () => {
      deps.records.accepted(request, provider.id)
    })
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error
    return failed(deps, one, checks)
  }
}

/** The answer to a logout of ours. The agent has been logged out here before: whatever it says changes nothing. */
function home(deps: SloDeps, request: FastifyRequest, reply: FastifyReply, refused: RefusedLogout | undefined) {
  deps.records.answered(request, refused)
  return goTo(reply, deps.paths.loggedOut)
}

function refuse(deps: SloDeps, request: FastifyRequest, reply: FastifyReply, refused: RefusedLogout) {
  return replyWith(reply, deps.records.refuse(request, refused))
}

function replayed(provider: SamlProvider, checks: Check[]): RefusedLogout {
  const check = { name: 'not used before', ok: false, expected: 'a request that was not used before', seen: 'used' }
  return { reason: 'saml.replayed', provider: provider.id, checks: [...checks, check] }
}

/** Once on all replicas. Rejects with StoreUnavailable: what cannot be claimed is not done. */
function claim(deps: SloDeps, { id }: SamlProvider, { claim: { id: message, until } }: LoggedOut): Promise<boolean> {
  const hash = createHash('sha256')
    .update(JSON.stringify([id, message]))
    .digest('base64url')
  const left = Math.max(0, until - deps.clock.now())
  return deps.store.claim(`c:slo:${hash}`, Math.ceil(left + claimMargin))
}

async function end(
  { sessions, sessionIndexes: also }: SloDeps,
  { id }: SamlProvider,
  { nameId, sessionIndexes }: LoggedOut,
): Promise<void> {
  const all = { provider: id, nameId }
  if (sessionIndexes.length === 0) await sessions.end(all, why, 'provider')
  for (const sessionIndex of sessionIndexes) {
    await sessions.end({ ...all, sessionIndex }, why, 'provider')
    await also.end({ ...all, sessionIndex }, why)
  }
}

/**
 * Attack: somebody makes a browser bring a logout of their own, which would clear the cookie of another agent. What this
 * browser holds and is still alive stays.
 */
async function cookiesToForget({ holder, attempts }: SloDeps, request: FastifyRequest): Promise<string[]> {
  const jar = jarOf(request)
  if ((await holder.held(jar)).length > 0) return []
  return [...jar.cookies.forget(), ...attempts.uncount(jar)]
}

/** The store is down: the provider hears that it did not work, and the cookies stay for another try. */
function failed(deps: SloDeps, one: Case, checks: Check[]) {
  const { request, reply, provider } = one
  request.visit.outcome = 'store_unavailable'
  const reason: Reason = 'session.store_unavailable'
  const check = { name: 'session store answers', ok: false, setting: 'sessions.store' }
  const page = deps.records.refuse(request, { reason, provider: provider.id, checks: [...checks, check] })
  return provider.singleLogout.answer(one.message, 'Responder') ? leave(one, 'Responder', []) : replyWith(reply, page)
}

/** Back to the provider with our answer; where it takes none, to our own page. */
function leave(one: Case, status: 'Success' | 'Responder', setCookies: string[], done = () => {}) {
  const { request, reply, message, provider } = one
  const to: Leave | undefined = provider.singleLogout.answer(message, status)
  done()
  const { generation } = request.visit
  if (!to) return goTo(reply, generation.paths.loggedOut, setCookies)
  if ('redirect' in to) return goTo(reply, to.redirect, setCookies)
  const text = placeOf(generation).texts.leaving.logout(provider.name)
  // Providers log out of several services at once, each in a frame of their page.
  return replyWith(reply, leavingAnswer(generation, text, to, new URL(to.post).origin), setCookies)
}
