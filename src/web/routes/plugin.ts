// Everything under the prefix, in a Fastify context of its own: form parser, security headers, origin check, error pages.
// Other paths under the prefix are 404 and never reach Desk. The message of an exception is never shown.

import type { IncomingMessage } from 'node:http'
import cookie from '@fastify/cookie'
import helmet from '@fastify/helmet'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Clock, Random } from '../../core/clock.js'
import { StoreUnavailable } from '../../core/errors.js'
import type { Handle, Sessions } from '../../core/sessions.js'
import type { Store } from '../../core/store.js'
import type { Audit } from '../../ops/audit.js'
import type { Log } from '../../ops/log.js'
import type { Metrics } from '../../ops/metrics.js'
import type { RefusedLogins } from '../../ops/refused-logins.js'
import type { Breakglass } from '../../providers/breakglass.js'
import type { Rehearsal, Rehearsals } from '../../providers/rehearsal.js'
import type { RevocationMarks } from '../../sessions/revocation-marks.js'
import { adminRoutes } from '../admin/routes.js'
import { countingLogins, createLastLogins } from '../admin/sections.js'
import type { ConfigSnapshot } from '../context.js'
import type { KeptForms } from '../kept/kept-forms.js'
import type { FormTickets } from '../kept/send-kept.js'
import { createAttempts, type Sealer } from '../login/attempts.js'
import { createBrowserSessions, createShareSession } from '../login/browser-sessions.js'
import { createDeskSignIn } from '../login/desk-login.js'
import type { LoginLimit } from '../login/login-limit.js'
import { createRefusedPages, createRefuseLogin } from '../login/refuse-login.js'
import { createSessionIndexAliases } from '../login/session-index-aliases.js'
import { createSignIn } from '../login/sign-in.js'
import { createSignOut } from '../logout/sign-out.js'
import { createSloRecords } from '../logout/slo-records.js'
import { createRehearsalSignIn } from '../rehearsal/sign-in.js'
import { createBodyBudget } from '../request/body-budget.js'
import { clientKindOf, isFromOurPages } from '../request/fetch-metadata.js'
import { acceptForms, FormError } from '../request/form.js'
import type { Paths } from '../request/paths.js'
import { continueBody, endSlowBody } from '../request/request-body.js'
import { isAtPublicUrl } from '../request/target.js'
import { requestIds } from '../request/trace-context.js'
import { replyError } from '../responses/errors.js'
import { contentPolicy, formTargetsOf, otherHostResponse, securityHeaders } from '../responses/page-responses.js'
import { addHeaders, replyWith } from '../responses/send.js'
import { breakglassRoutes } from './breakglass.js'
import { callbackRoutes, callbackUrls } from './callback.js'
import { keptRoutes } from './kept.js'
import { languageRoutes } from './language.js'
import { loginRoutes } from './login.js'
import { logoutRoutes } from './logout.js'
import { revokeRoutes } from './revoke.js'
import { createSlo, sloRoutes } from './saml-slo.js'
import { sessionRoutes } from './session.js'
import { sessionScriptRoutes } from './session-script.js'

/** The parts that stay on a reload; the rest comes with the snapshot of each request. */
export interface GatewayRoutesDeps {
  paths: Paths
  store: Pick<Store, 'claim' | 'get' | 'delete' | 'indexAdd' | 'indexPage' | 'probe'>
  sessions: Sessions
  marks: RevocationMarks
  keyring: Sealer
  clock: Clock
  random: Random
  refusedLogins: RefusedLogins
  breakglass: Breakglass
  rehearsals: Rehearsals
  audit: Audit
  metrics: Metrics
  log: Log
  handleOf(cookie: string): Handle
  /** SP metadata of a SAML provider, of the first one without an ID; undefined when there is none. */
  spMetadata(snapshot: ConfigSnapshot, provider: string | undefined): string | undefined
  /** What /auth/jwks.json holds. */
  jwks(snapshot: ConfigSnapshot): { keys: readonly object[] }
  keptForms: KeptForms
  tickets: FormTickets
  /** Limits refused logins by client address. */
  limit: LoginLimit
  /** The same for refused calls of POST /auth/revoke. */
  revocationLimit: LoginLimit
  /** Gives a request the current snapshot, once its whole body was read. */
  renew(request: IncomingMessage): void
  /** How long a form may take to arrive, in milliseconds; default 20 seconds. */
  bodyTimeout?: number
}

/** Every request must have its context before (see request-lifecycle.ts). */
export async function gatewayRoutes(app: FastifyInstance, given: GatewayRoutesDeps): Promise<void> {
  const lastLogins = createLastLogins(given.clock)
  const metrics = countingLogins(given.metrics, lastLogins)
  const deps = { ...given, metrics }
  const budget = createBodyBudget()
  acceptForms(app, budget)
  await app.register(cookie)
  app.addHook('onRequest', beforeRoute(deps))
  await app.register(helmet, {
    // Set in beforeRoute: error pages outside of these routes have the same policy.
    contentSecurityPolicy: false,
    // These hold for the whole host, Desk included; see `hsts` for the first.
    strictTransportSecurity: false,
    originAgentCluster: false,
    // On pages only: see pageResponse.
    crossOriginOpenerPolicy: false,
    referrerPolicy: { policy: 'same-origin' },
    xFrameOptions: { action: 'sameorigin' },
  })
  // Attack: a client that holds back the last byte of a form would log in with a key that a reload has removed.
  app.addHook('preHandler', async ({ raw }) => deps.renew(raw))
  // Before a body is read, and after everything that refuses the request without it.
  app.addHook('preParsing', async (request, reply) => continueBody(request.raw, reply.raw))
  app.setErrorHandler(handleError(deps.log))

  const browserSessions = createBrowserSessions(deps)
  const attempts = createAttempts(deps)
  const refusedPages = createRefusedPages(deps)
  const refuseLogin = createRefuseLogin({ ...deps, pages: refusedPages })
  const sessionIndexAliases = createSessionIndexAliases(deps)
  const signIn = createSignIn({
    ...deps,
    browserSessions,
    shareSession: createShareSession(deps),
    sessionIndexAliases,
  })
  const deskSignIn = createDeskSignIn({ ...deps, attempts, signIn })
  loginRoutes(app, { ...deps, attempts, browserSessions, refuseLogin, deskSignIn })
  const records = createSloRecords(deps)
  const handleSlo = createSlo({ ...deps, browserSessions, attempts, sessionIndexAliases, records })
  const signInRehearsal = (rehearsal: Rehearsal) => createRehearsalSignIn({ ...deps, browserSessions }, rehearsal)
  callbackRoutes(app, { ...deps, attempts, signIn, signInRehearsal, refuseLogin, handleSlo })
  breakglassRoutes(app, { ...deps, signIn, refuseLogin })
  languageRoutes(app, { ...deps, refusedPages })
  logoutRoutes(app, { ...deps, browserSessions, signOut: createSignOut({ ...deps, attempts }) })
  sloRoutes(app, { ...deps, handleSlo })
  revokeRoutes(app, { ...deps, budget })
  sessionRoutes(app, { ...deps, browserSessions })
  keptRoutes(app, { ...deps, browserSessions })
  adminRoutes(app, { ...deps, browserSessions, lastLogins })
  sessionScriptRoutes(app, { ...deps, browserSessions })
  publicRoutes(app, deps)
  // Only paths of the gateway come here: one without a route is another spelling of ours, or does not exist.
  app.setNotFoundHandler((request, reply) => replyError('not_found', request, reply))
}

/** Before every route: security headers, plain forms only, origin check. */
function beforeRoute({ paths, bodyTimeout = 20_000 }: GatewayRoutesDeps) {
  // By route, not by path: under a prefix such as /auth/jwt other routes begin with the same path.
  const crossSitePosts = new Set<string | undefined>([...Object.values(callbackUrls(paths)), paths.slo, paths.revoke])
  return async (request: FastifyRequest, reply: FastifyReply) => {
    const { context, headers, method } = request
    context.outcome = 'own'
    addHeaders(reply, securityHeaders(contentPolicy(formTargetsOf(context.snapshot))))
    if (['GET', 'HEAD', 'OPTIONS'].includes(method)) return
    endSlowBody(request.raw, bodyTimeout)
    const encoding = headers['content-encoding']
    if (encoding !== undefined && encoding !== 'identity') return replyError('unsupported_media', request, reply)
    if (crossSitePosts.has(request.routeOptions.url)) return
    const { publicUrl } = context.snapshot.config
    if (isFromOurPages(headers, publicUrl)) return
    // A form of our own page at another host of ours would be refused there for ever.
    if (clientKindOf(headers) !== 'document' || isAtPublicUrl(headers, publicUrl))
      return replyError('wrong_origin', request, reply)
    context.outcome = 'forbidden'
    return replyWith(reply, otherHostResponse(context, publicUrl + context.snapshot.paths.login))
  }
}

/** Public keys and metadata: the same for everyone, and cacheable. */
function publicRoutes(app: FastifyInstance, { paths, spMetadata, jwks }: GatewayRoutesDeps): void {
  const cacheable = 'public, max-age=300'
  app.get(paths.jwks, async (request, reply) => {
    reply.header('cache-control', cacheable).type('application/jwk-set+json')
    return reply.send(Buffer.from(JSON.stringify(jwks(request.context.snapshot))))
  })
  const metadata = async (request: FastifyRequest, reply: FastifyReply) => {
    const xml = spMetadata(request.context.snapshot, (request.params as { id?: string }).id)
    if (xml === undefined) return replyError('not_found', request, reply)
    return reply.header('cache-control', cacheable).type('application/samlmetadata+xml').send(xml)
  }
  app.get(paths.samlMetadata, metadata)
  app.get(`${paths.prefix}/saml/:id/metadata`, metadata)
}

function refuseForm({ code }: FormError, request: FastifyRequest, reply: FastifyReply) {
  if (code === 'FORM_CUT') return replyError('bad_request', request, reply)
  reply.header('connection', 'close')
  if (code === 'FORM_TOO_LARGE') return replyError('too_large', request, reply)
  const { context } = request
  context.outcome = 'shed'
  return replyWith(reply, context.snapshot.renderError('shed', request.raw, context))
}

function handleError(log: Log) {
  return (error: Error & { code?: string; statusCode?: number }, request: FastifyRequest, reply: FastifyReply) => {
    const { context } = request
    if (error instanceof StoreUnavailable) {
      context.outcome = 'store_unavailable'
      return replyWith(reply, context.snapshot.renderError('store_unavailable', request.raw, context))
    }
    if (error instanceof FormError) return refuseForm(error, request, reply)
    if (error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return replyError('unsupported_media', request, reply)
    const status = error.statusCode ?? 500
    if (status >= 400 && status < 500) return replyError('bad_request', request, reply)
    log.error({ error: error.message, stack: error.stack, ...requestIds(context) }, 'gateway request failed')
    return replyError('internal', request, reply)
  }
}
