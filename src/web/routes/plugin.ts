// Everything under the prefix, in a Fastify context of its own: form parser, security headers, the cross-origin rule,
// error pages. What is not listed here is 404 and never reaches Desk; the message of an exception is never shown.

import type { IncomingMessage } from 'node:http'
import formbody from '@fastify/formbody'
import helmet from '@fastify/helmet'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Clock, Handle, Random, Sessions, Store } from '../../core/contracts.js'
import { StoreUnavailable } from '../../core/errors.js'
import type { Audit } from '../../ops/audit.js'
import type { Log } from '../../ops/log.js'
import type { Metrics } from '../../ops/metrics.js'
import type { Dossiers } from '../../ops/refused-logins.js'
import type { Breakglass } from '../../providers/breakglass.js'
import type { Generation } from '../context.js'
import { createDeskEntry } from '../desk-login/login.js'
import { createAttempts, type Sealer } from '../login/attempts.js'
import { createHolder } from '../login/browser-sessions.js'
import { createTabs } from '../login/concurrent-logins.js'
import type { LoginLimit } from '../login/login-limit.js'
import { createRefusals } from '../login/refuse.js'
import { createSessionIndexes } from '../login/session-index-aliases.js'
import { createSignIn } from '../login/sign-in.js'
import { createSignOut } from '../logout/sign-out.js'
import { createSloRecords } from '../logout/slo-records.js'
import { contentPolicy, ownHeaders } from '../pages/layout.js'
import { endSlowBody, readForm } from '../request/form.js'
import { isFromOurPages } from '../request/origin-check.js'
import type { Paths } from '../request/paths.js'
import { formTargetsOf, type OwnTrouble, troubleAnswer } from '../responses/errors.js'
import { replyWith } from '../responses/fastify-reply.js'
import { breakglassRoutes } from './breakglass.js'
import { handoverRoutes, handoverUrls } from './callback.js'
import { loginRoutes } from './login.js'
import { logoutRoutes } from './logout.js'
import { sloRoutes } from './saml-slo.js'
import { sessionRoutes } from './session.js'

/** What does not change on a reload; the rest comes with each request's visit. */
export interface OwnDeps {
  paths: Paths
  store: Pick<Store, 'claim' | 'get' | 'indexAdd' | 'indexPage'>
  sessions: Sessions
  keyring: Sealer
  clock: Clock
  random: Random
  dossiers: Dossiers
  breakglass: Pick<Breakglass, 'find'>
  audit: Audit
  metrics: Metrics
  log: Log
  handleOf(cookie: string): Handle
  /** SP metadata of a SAML provider, of the first one without an ID; undefined when there is none. */
  spMetadata(generation: Generation, provider: string | undefined): string | undefined
  /** What /auth/jwks.json holds; default: the keys of the generation. */
  jwks?(generation: Generation): { keys: readonly object[] }
  /** Holds clients to a number of refused logins. */
  limit?: LoginLimit | undefined
  /** Gives a request whose form has come in whole the settings of now. */
  renew?(request: IncomingMessage): void
  /** How long a form may take to arrive, in milliseconds; default 20 seconds. */
  bodyTimeout?: number
}

/** Our own forms hold a handle at most. */
const smallForm = 16 * 1024

/** Registers the whole context; every request must have its visit before (see entrance.ts). */
export async function own(app: FastifyInstance, deps: OwnDeps): Promise<void> {
  app.removeAllContentTypeParsers()
  await app.register(formbody, {
    bodyLimit: smallForm,
    parser: text => readForm(text) as unknown as Record<string, unknown>,
  })
  app.addHook('onRequest', enter(deps))
  await app.register(helmet, {
    // The policy comes with enter(): the same one stands on pages that other floors of the street send.
    contentSecurityPolicy: false,
    // About the whole host, and so not ours to say.
    strictTransportSecurity: false,
    originAgentCluster: false,
    // A login in a window that Desk opened must not lose its opener.
    crossOriginOpenerPolicy: false,
    referrerPolicy: { policy: 'same-origin' },
    xFrameOptions: { action: 'sameorigin' },
  })
  // Attack: who begins a form and holds back its last byte would log in with a key that a reload has just taken away.
  app.addHook('preHandler', async ({ raw }) => deps.renew?.(raw))
  app.setErrorHandler(failed(deps.log))

  const holder = createHolder(deps)
  const attempts = createAttempts(deps)
  const refusals = createRefusals(deps)
  const sessionIndexes = createSessionIndexes(deps)
  const signIn = createSignIn({ ...deps, holder, tabs: createTabs(deps), sessionIndexes })
  const deskEntry = createDeskEntry({ ...deps, attempts, signIn })
  loginRoutes(app, { ...deps, attempts, holder, refusals, deskEntry })
  handoverRoutes(app, { ...deps, attempts, signIn, refusals })
  breakglassRoutes(app, { ...deps, signIn, refusals })
  logoutRoutes(app, { ...deps, holder, signOut: createSignOut({ ...deps, attempts }) })
  sloRoutes(app, { ...deps, holder, attempts, sessionIndexes, records: createSloRecords(deps) })
  sessionRoutes(app, { ...deps, holder })
  publish(app, deps)
  // The door lets only our own paths in here: whatever has no route is ours in another spelling, or nobody's.
  app.setNotFoundHandler((request, reply) => trouble('not_found', request, reply))
}

/** What holds for every request here, before its route: headers, one reading of the path, plain forms, our own pages. */
function enter({ paths, bodyTimeout = 20_000 }: OwnDeps) {
  // By route, not by path: under a prefix such as /auth/jwt other routes begin alike.
  const fromElsewhere = new Set<string | undefined>([...Object.values(handoverUrls(paths)), paths.slo])
  return async (request: FastifyRequest, reply: FastifyReply) => {
    const { visit, headers, method } = request
    visit.outcome = 'own'
    const defaults = ownHeaders(contentPolicy(formTargetsOf(visit.generation)))
    for (let i = 0; i + 1 < defaults.length; i += 2) reply.header(defaults[i] as string, defaults[i + 1])
    if (['GET', 'HEAD', 'OPTIONS'].includes(method)) return
    endSlowBody(request.raw, bodyTimeout)
    const encoding = headers['content-encoding']
    if (encoding !== undefined && encoding !== 'identity') return trouble('unsupported_media', request, reply)
    if (fromElsewhere.has(request.routeOptions.url)) return
    if (!isFromOurPages(headers, visit.generation.config.publicUrl)) return trouble('wrong_origin', request, reply)
  }
}

/** Public keys and metadata: the same for everybody, and good for a while. */
function publish(app: FastifyInstance, { paths, spMetadata, jwks = ownKeys }: OwnDeps): void {
  const cacheable = 'public, max-age=300'
  app.get(paths.jwks, async (request, reply) => {
    reply.header('cache-control', cacheable).type('application/jwk-set+json')
    return reply.send(Buffer.from(JSON.stringify(jwks(request.visit.generation))))
  })
  const metadata = async (request: FastifyRequest, reply: FastifyReply) => {
    const xml = spMetadata(request.visit.generation, (request.params as { id?: string }).id)
    if (xml === undefined) return trouble('not_found', request, reply)
    return reply.header('cache-control', cacheable).type('application/samlmetadata+xml').send(xml)
  }
  app.get(paths.samlMetadata, metadata)
  app.get(`${paths.prefix}/saml/:id/metadata`, metadata)
}

function ownKeys({ identity }: Generation) {
  return identity.jwks()
}

function trouble(what: OwnTrouble, request: FastifyRequest, reply: FastifyReply) {
  if (what === 'wrong_origin') request.visit.outcome = 'forbidden'
  return replyWith(reply, troubleAnswer(what, request.headers, request.visit))
}

function failed(log: Log) {
  return (error: Error & { code?: string; statusCode?: number }, request: FastifyRequest, reply: FastifyReply) => {
    const { visit } = request
    if (error instanceof StoreUnavailable) {
      visit.outcome = 'store_unavailable'
      return replyWith(reply, visit.generation.answers('store_unavailable', request.raw, visit))
    }
    if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') return trouble('too_large', request, reply)
    if (error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return trouble('unsupported_media', request, reply)
    const status = error.statusCode ?? 500
    if (status >= 400 && status < 500) return trouble('bad_request', request, reply)
    log.error({ error: error.message, stack: error.stack, request: visit.id }, 'a request of our own failed')
    return trouble('internal', request, reply)
  }
}
