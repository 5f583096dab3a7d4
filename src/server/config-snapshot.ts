// A config snapshot: everything that a reload replaces, made from one configuration. Parts whose settings have not changed
// are taken over from the previous snapshot, with everything they have fetched.

import type { FastifyInstance } from 'fastify'
import { saysTheSame } from '../config/changes.js'
import type { Config } from '../config/schema/index.js'
import type { Clock, Random } from '../core/clock.js'
import type { Directory } from '../core/directory.js'
import type { Provider } from '../core/providers.js'
import type { Sessions } from '../core/sessions.js'
import type { Store } from '../core/store.js'
import { openDirectory } from '../directory/directory.js'
import { deriveSigningKeys, signingKeysOf } from '../keys/assertion-keys.js'
import type { Keyring } from '../keys/keyring.js'
import type { Audit } from '../ops/audit.js'
import { createRepeatedLog, type Log } from '../ops/log.js'
import type { Metrics } from '../ops/metrics.js'
import type { ObservedRequests } from '../ops/observed.js'
import type { RefusedLogins } from '../ops/refused-logins.js'
import type { Tracing } from '../ops/tracing.js'
import type { Breakglass } from '../providers/breakglass.js'
import { bearerAudiencesOf, createProviders, type ProviderInputs } from '../providers/create.js'
import { createDeskLogin } from '../providers/desk-login.js'
import type { Rehearsals } from '../providers/rehearsal.js'
import type { VerifySaml } from '../providers/saml/signature/worker-pool.js'
import { spMetadataFor } from '../providers/saml/sp-metadata.js'
import type { Scheduler } from '../runtime/clock.js'
import type { FetchText } from '../runtime/http-client.js'
import type { RevocationMarks } from '../sessions/revocation-marks.js'
import { handleOf } from '../sessions/sessions.js'
import { createBearer } from '../web/access/bearer.js'
import type { LiveResponses } from '../web/access/live-connections.js'
import type { ListenerOptions } from '../web/connections/listener.js'
import type { UnreadLimit } from '../web/connections/unread-limit.js'
import type { ConfigSnapshot, RenderError } from '../web/context.js'
import { createIdentityWriter } from '../web/identity/headers.js'
import type { KeptForms } from '../web/kept/kept-forms.js'
import type { FormTickets } from '../web/kept/send-kept.js'
import { createAttempts } from '../web/login/attempts.js'
import { createMarkerCookies } from '../web/login/desk-login.js'
import { createDeskLogout } from '../web/logout/desk-logout.js'
import { createSignOut } from '../web/logout/sign-out.js'
import { type BrandDeps, createBrand } from '../web/pages/brand.js'
import { languagesOf } from '../web/pages/languages.js'
import type { DeskQueue } from '../web/proxy/desk-queue.js'
import { createPipeline, type PipelineDeps } from '../web/proxy/pipeline.js'
import { createCookies } from '../web/request/cookies.js'
import { createPaths } from '../web/request/paths.js'
import { createErrorResponses } from '../web/responses/errors.js'
import type { GatewayRoutesDeps } from '../web/routes/plugin.js'

/** Everything that survives a reload. */
export interface GatewayDeps {
  store: Store
  /** Stays the same object when its secrets change. */
  keyring: Keyring
  refusedLogins: RefusedLogins
  breakglass: Breakglass
  fetchText: FetchText
  verifySaml: VerifySaml
  clock: Clock
  random: Random
  log: Log
  audit: Audit
  metrics: Metrics
  observed: ObservedRequests
  /** Only where tracing.otlp is set. */
  tracing?: Tracing | undefined
  /** True while the process is overloaded. */
  shedding?: () => boolean
  overrides?: GatewayOverrides
}

/** Replace single parts, for tests. */
export interface GatewayOverrides {
  directory?: Directory
  providers?: readonly Provider[]
  renderError?: RenderError
  timeouts?: PipelineDeps['timeouts']
  largestFrame?: PipelineDeps['largestFrame']
  routes?: (context: FastifyInstance) => Promise<void>
  routeDeps?: Partial<Pick<GatewayRoutesDeps, 'spMetadata' | 'bodyTimeout'>>
  listenerTimes?: ListenerOptions['times']
  /** Milliseconds between two checks of the live connections. */
  liveInterval?: number
  /** The timers of the queue for Desk. */
  queueTimers?: Scheduler
}

/** What a snapshot uses that stays when it is replaced. */
export interface SnapshotDeps extends GatewayDeps {
  sessions: Sessions
  marks: RevocationMarks
  liveResponses: LiveResponses
  rehearsals: Rehearsals
  keptForms: KeptForms
  tickets: FormTickets
  /** Agents whose forms are being read in this process. */
  readingForms: Set<string>
  queue: DeskQueue
  unread: UnreadLimit
}

interface SnapshotInputs {
  /** With the secrets of this configuration. */
  keyring: Keyring
  /** Unchanged parts of it are taken over. */
  previous?: ConfigSnapshot
}

/** Throws when a key, a certificate or an agents file cannot be used. */
export function createSnapshot(
  config: Config,
  deps: SnapshotDeps,
  { keyring, previous }: SnapshotInputs,
): ConfigSnapshot {
  const { sessions, liveResponses, queue, unread, clock, random, log, metrics, overrides = {} } = deps
  const { keptForms, tickets, readingForms } = deps
  const { publicUrl, prefix, desk } = config
  const paths = createPaths(prefix)
  const deskLogin = config.login.alsoAllowDeskAuthentication
  const deskSessions = desk.logout.flatMap(rule => (typeof rule === 'string' ? [] : [rule.cookie]))
  const cookies = createCookies({ publicUrl, prefix, desk: deskLogin ? deskLogin.cookie : undefined, deskSessions })
  const markerCookies = deskLogin
    ? createMarkerCookies({ settings: deskLogin, publicUrl, cookies, keyring: deps.keyring, clock })
    : undefined
  const files = config.identity.assertion.keys
  const keys = files.length > 0 ? signingKeysOf(files) : deriveSigningKeys(keyring.derive('identity-assertion', 48))
  const attributeHeaders = config.providers.flatMap(({ attributes }) => Object.keys(attributes.headers ?? {}))
  const facts = { settings: config.identity, attributeHeaders, publicUrl, deskOrigin: desk.url }
  const identity = createIdentityWriter({ ...facts, keys, clock })
  const providers = overrides.providers ?? providersOf(config, deps, previous)
  const directory = overrides.directory ?? directoryOf(config, deps, previous)
  const bearer = createBearer({ ...deps, providers, policy: { config, directory, identity } })
  const signOut = createSignOut({ ...deps, attempts: createAttempts(deps) })
  const deskLogout = createDeskLogout({ rules: desk.logout, publicUrl, signOut, clock })
  return {
    config,
    paths,
    cookies,
    providers,
    directory,
    identity,
    renderError: overrides.renderError ?? createErrorResponses(),
    brand: createBrand(config, { onFailed: logTemplates(deps) }),
    languages: languagesOf(config.pages),
    pipeline: createPipeline({
      config,
      paths,
      cookies,
      identity,
      sessions,
      kept: { forms: keptForms, tickets, reading: readingForms, metrics },
      handleOf,
      markerCookies,
      bearer,
      deskLogout,
      liveResponses,
      queue,
      unread,
      observed: deps.observed,
      random,
      clock,
      log,
      timeouts: overrides.timeouts,
      largestFrame: overrides.largestFrame,
    }),
    ...(deskLogin && markerCookies ? { deskLogin: { provider: createDeskLogin(deskLogin), markerCookies } } : {}),
  }
}

function logTemplates({ log, clock }: GatewayDeps): BrandDeps['onFailed'] {
  const failure = 'page template failed: the built-in page is shown; deskgate check names its line'
  const lines = createRepeatedLog({ log, clock, level: 'warn', failure, recovery: '' })
  return (template, cause) => lines.failed(`${template}: ${cause}`, { setting: 'pages.templates' })
}

function directoryOf({ agents }: Config, deps: GatewayDeps, previous: ConfigSnapshot | undefined): Directory {
  return previous && saysTheSame(previous.config.agents, agents) ? previous.directory : openDirectory(agents, deps)
}

/** Takes over each provider whose settings have not changed, with its fetched keys and metadata. */
function providersOf(config: Config, deps: GatewayDeps, previous: ConfigSnapshot | undefined): Provider[] {
  const shared = ({ publicUrl, site, providers }: Config) => [publicUrl, site, bearerAudiencesOf(providers)]
  const same = previous && saysTheSame(shared(previous.config), shared(config))
  const kept = (settings: Config['providers'][number]) => {
    const at = same ? previous.config.providers.findIndex(one => saysTheSame(one, settings)) : -1
    return previous?.providers[at]
  }
  return gatewayProviders(config, { ...deps, metadataStore: deps }, kept)
}

/** The identity providers of a configuration, as the gateway runs them; `kept` as in openProviders. */
export function gatewayProviders(
  config: Config,
  deps: Omit<ProviderInputs, 'publicUrl' | 'site' | 'acsUrl' | 'sloUrl' | 'revokeUrl'>,
  kept?: (settings: Config['providers'][number]) => Provider | undefined,
): Provider[] {
  const { publicUrl } = config
  const { acs, slo, revoke } = createPaths(config.prefix)
  const urls = { acsUrl: publicUrl + acs, sloUrl: publicUrl + slo, revokeUrl: publicUrl + revoke }
  const addresses = { publicUrl, site: siteOf(config), ...urls }
  return createProviders(config.providers, { ...deps, ...addresses }, kept)
}

/** The entity ID of providers that have none of their own. */
export function siteOf({ publicUrl, site }: Config): string {
  return site ?? new URL(publicUrl).host
}

/** The SP metadata for a provider, or for the first; undefined when there is none. */
export function spMetadataOf(config: Config, id: string | undefined, now: number) {
  const { publicUrl, prefix, providers } = config
  const paths = createPaths(prefix)
  return spMetadataFor(providers, id, {
    site: siteOf(config),
    acsUrl: publicUrl + paths.acs,
    sloUrl: publicUrl + paths.slo,
    now,
  })
}
