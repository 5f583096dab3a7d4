// The path for SAML logout messages (SAML Profiles 4.4), which browsers bring. A valid request ends sessions by its NameID,
// never by the cookie. Never reports success when a session could not be ended.

import { hash } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Check } from '../../core/checks.js'
import type { Clock } from '../../core/clock.js'
import { StoreUnavailable } from '../../core/errors.js'
import type { Navigation } from '../../core/providers.js'
import type { Reason } from '../../core/reasons.js'
import type { Sessions } from '../../core/sessions.js'
import type { Store } from '../../core/store.js'
import type { LogoutRequest } from '../../providers/saml/logout/checks.js'
import {
  type LogoutMessage,
  type LogoutReading,
  readPostedLogout,
  readRedirectLogout,
} from '../../providers/saml/logout/summary.js'
import { isSaml, type SamlProvider } from '../../providers/saml/provider.js'
import { selectSamlProvider } from '../../providers/select.js'
import type { Attempts } from '../login/attempts.js'
import type { BrowserSessions } from '../login/browser-sessions.js'
import { consumeOnce } from '../login/replay-guard.js'
import type { SessionIndexAliases } from '../login/session-index-aliases.js'
import type { RefusedLogout, SloRecords } from '../logout/slo-records.js'
import { fill } from '../pages/sentence.js'
import type { ResponseCookie } from '../request/cookies.js'
import { isSpeculative } from '../request/fetch-metadata.js'
import { type BodyLimits, formOf } from '../request/form.js'
import type { Paths } from '../request/paths.js'
import { replyError } from '../responses/errors.js'
import { leavingResponse, pageContextOf } from '../responses/page-responses.js'
import { goTo, jarOf, replyWith } from '../responses/send.js'

export interface SloDeps {
  paths: Paths
  store: Pick<Store, 'claim'>
  sessions: Pick<Sessions, 'end'>
  browserSessions: BrowserSessions
  attempts: Attempts
  sessionIndexAliases: SessionIndexAliases
  clock: Clock
  records: SloRecords
}

/** A message of 64 kB as the field of a form; a longer one is refused but still read, so that the browser shows the page. */
const bodyLimits: BodyLimits = { keep: 128 * 1024, read: 1024 * 1024 }
const why = 'logout at the identity provider'

/** A message, and the provider that has to verify it. */
interface SloExchange {
  request: FastifyRequest
  reply: FastifyReply
  message: LogoutMessage
  provider: SamlProvider
}

/** Answers a logout message that has arrived, here or at the assertion consumer service. */
export type HandleSlo = (request: FastifyRequest, reply: FastifyReply, reading: LogoutReading) => Promise<FastifyReply>

export function createSlo(deps: SloDeps): HandleSlo {
  return (request, reply, reading) => handleSlo(deps, request, reply, reading)
}

/** The routes of single logout. */
export function sloRoutes(app: FastifyInstance, deps: { paths: Paths; handleSlo: HandleSlo }): void {
  const { slo } = deps.paths
  // A HEAD would use the message up, and the browser's GET after it would be refused as a replay.
  app.get(slo, { exposeHeadRoute: false }, (request, reply) =>
    deps.handleSlo(request, reply, readRedirectLogout(request.context.target.query)),
  )
  app.post(slo, { config: { form: () => bodyLimits } }, (request, reply) =>
    deps.handleSlo(request, reply, readPostedLogout(formOf(request))),
  )
  const method = app.supportedMethods.filter(name => name !== 'GET' && name !== 'POST')
  app.route({
    method,
    url: slo,
    handler: async (request, reply) => replyError('method_not_allowed', request, reply.header('allow', 'GET, POST')),
  })
}

async function handleSlo(deps: SloDeps, request: FastifyRequest, reply: FastifyReply, reading: LogoutReading) {
  const { context, headers } = request
  if (isSpeculative(headers)) return replyError('prefetch', request, reply)
  const refuseReading = (reason: Reason, check: Check) => {
    const answer = reading.kind === 'response' ? finishOwnLogout : refuse
    return answer(deps, request, reply, { reason, provider: undefined, checks: [check] })
  }
  if ('malformed' in reading) {
    const check = { name: 'message', ok: false, expected: 'a SAML logout message', seen: reading.malformed }
    return refuseReading('saml.malformed', check)
  }
  const provider = selectSamlProvider(reading.summary.issuers[0], undefined, context.snapshot.providers)
  if (!provider || !isSaml(provider)) {
    const seen = reading.summary.issuers[0] ?? 'none'
    const check = { name: 'issuer', ok: false, expected: 'the issuer of a provider', seen, setting: 'issuer' }
    return refuseReading('saml.issuer_unknown', check)
  }
  return handleMessage(deps, { request, reply, message: reading, provider })
}

async function handleMessage(deps: SloDeps, exchange: SloExchange) {
  const { request, reply, provider, message } = exchange
  const verdict = await provider.singleLogout.verify(message)
  const { checks } = verdict
  const refused = 'reason' in verdict ? { reason: verdict.reason, provider: provider.id, checks } : undefined
  if (message.kind === 'response') return finishOwnLogout(deps, request, reply, refused)
  if (refused) return refuse(deps, request, reply, refused)
  const { loggedOut } = verdict as { loggedOut: LogoutRequest }
  try {
    if (!(await claim(deps, provider, loggedOut))) return refuse(deps, request, reply, replayed(provider, checks))
    const ended = await endSessions(deps, provider, loggedOut)
    return answerProvider(exchange, 'Success', await cookiesToClear(deps, request), () => {
      deps.records.accepted(request, provider.id, ended)
    })
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error
    return storeUnavailable(deps, exchange, checks)
  }
}

/** The response to a logout that began here: the agent is logged out already, whatever it says. */
function finishOwnLogout(
  deps: SloDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  refused: RefusedLogout | undefined,
) {
  deps.records.responseReceived(request, refused)
  return goTo(reply, deps.paths.loggedOut)
}

function refuse(deps: SloDeps, request: FastifyRequest, reply: FastifyReply, refused: RefusedLogout) {
  return replyWith(reply, deps.records.refuse(request, refused))
}

function replayed(provider: SamlProvider, checks: Check[]): RefusedLogout {
  const check = { name: 'not used before', ok: false, expected: 'a request that was not used before', seen: 'used' }
  return { reason: 'saml.replayed', provider: provider.id, checks: [...checks, check] }
}

/** Rejects with StoreUnavailable: a request that cannot be claimed is not carried out. */
function claim(
  deps: SloDeps,
  { id }: SamlProvider,
  { replayKey: { id: message, until } }: LogoutRequest,
): Promise<boolean> {
  return consumeOnce(deps, `c:slo:${hash('sha256', JSON.stringify([id, message]), 'base64url')}`, until)
}

async function endSessions(
  { sessions, sessionIndexAliases }: SloDeps,
  { id }: SamlProvider,
  { nameId, sessionIndexes }: LogoutRequest,
): Promise<number> {
  const all = { provider: id, nameId }
  if (sessionIndexes.length === 0) return sessions.end(all, why, 'provider')
  let ended = 0
  for (const sessionIndex of sessionIndexes) {
    ended += await sessions.end({ ...all, sessionIndex }, why, 'provider')
    ended += await sessionIndexAliases.end({ ...all, sessionIndex }, why)
  }
  return ended
}

/**
 * Attack: an attacker makes a browser bring a logout for the attacker's own name, to clear the cookie of another agent.
 * Cookies of a session that is still alive stay.
 */
async function cookiesToClear(
  { browserSessions, attempts }: SloDeps,
  request: FastifyRequest,
): Promise<ResponseCookie[]> {
  const jar = jarOf(request)
  if ((await browserSessions.all(jar)).length > 0) return []
  return [...jar.cookies.clearSession(), ...attempts.resetLoopCount(jar)]
}

/** The store is down: the provider gets a failure, and the cookies stay for another try. */
function storeUnavailable(deps: SloDeps, exchange: SloExchange, checks: Check[]) {
  const { request, reply, provider } = exchange
  request.context.outcome = 'store_unavailable'
  const reason: Reason = 'session.store_unavailable'
  const check = { name: 'session store answers', ok: false, setting: 'sessions.store' }
  const page = deps.records.refuse(request, { reason, provider: provider.id, checks: [...checks, check] })
  return provider.singleLogout.respond(exchange.message, 'Responder')
    ? answerProvider(exchange, 'Responder', [])
    : replyWith(reply, page)
}

/** Back to the provider with a LogoutResponse, or to our own page when it takes none. */
function answerProvider(
  exchange: SloExchange,
  status: 'Success' | 'Responder',
  setCookies: ResponseCookie[],
  done = () => {},
) {
  const { request, reply, message, provider } = exchange
  const to: Navigation | undefined = provider.singleLogout.respond(message, status)
  done()
  const { snapshot } = request.context
  if (!to) return goTo(reply, snapshot.paths.loggedOut, setCookies)
  if ('redirect' in to) return goTo(reply, to.redirect, setCookies)
  const text = fill(pageContextOf(request.context).texts.leaving.logout, { name: provider.name })
  // Providers log out of several services at once, each in a frame of their page.
  return replyWith(reply, leavingResponse(request.context, text, to, new URL(to.post).origin), setCookies)
}
