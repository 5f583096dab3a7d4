// The composition root: connects the parts of the gateway in the order in which a request passes them. Together with
// config-snapshot.ts (the parts that a reload replaces) the only file that knows every constructor. It opens no
// listener.

import type { ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { saysTheSame } from '../config/changes.js'
import type { Config } from '../config/schema/index.js'
import type { Directory } from '../core/directory.js'
import type { Sessions } from '../core/sessions.js'
import { createPublishedKeys, type PublishedKeys } from '../keys/assertion-keys.js'
import type { Keyring } from '../keys/keyring.js'
import type { Log } from '../ops/log.js'
import { createRateLimit } from '../ops/rate-limit.js'
import { observingWarning } from '../ops/readiness.js'
import { isConfigured } from '../providers/create.js'
import { createRehearsals, type Rehearsals } from '../providers/rehearsal.js'
import { createInFlight, type InFlight } from '../runtime/in-flight.js'
import { createRevocationMarks } from '../sessions/revocation-marks.js'
import { createSessions, handleOf } from '../sessions/sessions.js'
import { createRecheck } from '../web/access/authorize.js'
import { createLiveConnections, type LiveConnections } from '../web/access/live-connections.js'
import {
  type AgentRevalidation,
  createAgentRevalidation,
  createRevalidate,
  endReasons,
} from '../web/access/revalidate-agents.js'
import { createDrain, type OpenConnections } from '../web/connections/drain.js'
import { openListener } from '../web/connections/listener.js'
import { createUnreadLimit } from '../web/connections/unread-limit.js'
import type { ConfigSnapshot } from '../web/context.js'
import { createKeptForms } from '../web/kept/kept-forms.js'
import { createFormTickets } from '../web/kept/send-kept.js'
import { createLoginLimit } from '../web/login/login-limit.js'
import { createDeskQueue } from '../web/proxy/desk-queue.js'
import { mountDesk } from '../web/proxy/plugin.js'
import { attachUpgrades, type Upgrades } from '../web/proxy/websocket/plugin.js'
import { createRequestLifecycle, type RequestLifecycle } from '../web/request-lifecycle.js'
import { gatewayRoutes } from '../web/routes/plugin.js'
import { createSnapshots, type Snapshots } from './active-snapshots.js'
import { createSnapshot, type GatewayDeps, type SnapshotDeps, spMetadataOf } from './config-snapshot.js'
import { mountTraces, traceSessions, traceSnapshot } from './traces.js'

/** A config snapshot that is ready and not yet in use. */
interface PreparedSnapshot {
  /** New requests use it from now on. */
  activate(): void
  /** Closes everything it opened. */
  discard(): Promise<void>
}

export interface Gateway {
  /** Not yet listening. */
  app: FastifyInstance
  sessions: Sessions
  rehearsals: Rehearsals
  /** The directory of the current configuration. */
  directory: Directory
  liveConnections: LiveConnections
  upgrades: Upgrades
  /** The current one: new requests use it. */
  snapshot(): ConfigSnapshot
  /**
   * Builds the next snapshot and waits until its new providers have fetched their keys and metadata, or failed to.
   * `keyring` holds the secrets of the next configuration. Rejects like createGateway.
   */
  prepare(config: Config, keyring: Keyring): Promise<PreparedSnapshot>
  /** Takes over a configuration that differs in agents files alone: only their lists are replaced. Rejects when one is unusable. */
  replaceAgents(config: Config): Promise<void>
  open(): OpenConnections
  /** From now on each response closes its connection. */
  windDown(): void
  /**
   * Stops accepting, closes WebSockets one by one, lets open requests finish, stops background work. Resolves with the
   * number of connections that were cut because they were still busy after `limit` milliseconds; 0 without a limit.
   */
  close(limit?: number): Promise<number>
}

/** What stays when a snapshot is replaced, and asks for the current one. */
function createLastingParts(
  config: Config,
  deps: GatewayDeps,
  { current, openResponses }: { current: Snapshots['current']; openResponses: InFlight<ServerResponse> },
) {
  const { clock, log, overrides = {} } = deps
  const settings = config.sessions
  const revalidate = createRevalidate(current)
  const sessions = createSessions({
    ...deps,
    publicUrl: config.publicUrl,
    settings,
    revalidate,
    keepFor: () => current().config.login.keepPost?.for,
  })
  const recheck = createRecheck(current)
  const marks = createRevocationMarks({ ...deps, settings })
  const interval = overrides.liveInterval
  const limit = () => current().config.limits.unread
  return {
    sessions,
    marks,
    liveConnections: createLiveConnections({
      sessions,
      revalidate,
      recheck,
      marks,
      clock,
      settings,
      current,
      interval,
    }),
    queue: createDeskQueue({ log, schedule: overrides.queueTimers }),
    unread: createUnreadLimit({ limit, openResponses: openResponses.all, log }),
    keptForms: createKeptForms({ ...deps, publicUrl: () => current().config.publicUrl }),
    tickets: createFormTickets(deps.keyring),
    rehearsals: createRehearsals({ ...deps, publicUrl: () => current().config.publicUrl }),
    readingForms: new Set<string>(),
  }
}

/** Throws when a key, a certificate or an agents file cannot be used, not when an IdP or the store is down. */
export async function createGateway(config: Config, deps: GatewayDeps): Promise<Gateway> {
  const { log, overrides = {} } = deps
  const snapshots = createSnapshots(deps)
  const { current } = snapshots
  const openResponses = createInFlight<ServerResponse>()
  const { liveConnections, ...lasting } = createLastingParts(config, deps, { current, openResponses })
  const parts: SnapshotDeps = { ...deps, ...lasting, liveResponses: liveConnections.responses }
  const { sessions, queue, unread } = parts
  if (deps.tracing) traceSessions(sessions, deps.tracing)
  snapshots.replace(openSnapshot(config, parts, { keyring: deps.keyring }))
  warnOfObserving(config, log)

  const publishedKeys = createPublishedKeys(deps)
  const requestLifecycle = createRequestLifecycle({ shedding: () => false, ...deps, ...snapshots, openResponses })
  const app = openListener(config, requestLifecycle.rewriteUrl, {
    times: overrides.listenerTimes,
    pipelined: () => current().config.limits.pipelined,
    log,
    random: deps.random,
  })
  const connections = createDrain(app.server, openResponses.all)
  if (deps.tracing) mountTraces(app, deps.tracing, requestLifecycle)
  requestLifecycle.mount(app)
  await mountGatewayRoutes(app, parts, { snapshots, publishedKeys, requestLifecycle })
  mountDesk(app)
  await app.ready()
  const upgrades = attachUpgrades(app.server, { ...deps, requestLifecycle, liveConnections })
  const agents = createAgentRevalidation({ sessions, recheckLive: liveConnections.recheckAll, log })
  await agents.follow(current().directory)

  return {
    app,
    sessions,
    rehearsals: parts.rehearsals,
    directory: { find: email => current().directory.find(email) },
    liveConnections,
    upgrades,
    snapshot: current,
    prepare: (next, keyring) => prepare(next, parts, { snapshots, publishedKeys, agents, liveConnections, keyring }),
    async replaceAgents(next) {
      const files = next.agents.flatMap(source => ('file' in source ? [source.file] : []))
      const replace = await current().directory.prepareFiles?.(files)
      replace?.()
      snapshots.replace({ ...current(), config: next })
    },
    open: connections.open,
    windDown: connections.begin,
    async close(limit) {
      connections.begin()
      agents.close()
      upgrades.closeAll(limit === undefined ? 0 : limit / 2)
      const cut = await connections.end(app.close(), limit)
      liveConnections.close()
      await snapshots.close()
      queue.close()
      unread.close()
      return cut
    },
  }
}

const openSnapshot: typeof createSnapshot = (config, deps, inputs) => {
  const snapshot = createSnapshot(config, deps, inputs)
  return deps.tracing ? traceSnapshot(snapshot, deps.tracing) : snapshot
}

interface RouteParts {
  snapshots: Snapshots
  publishedKeys: PublishedKeys
  requestLifecycle: RequestLifecycle
}

async function mountGatewayRoutes(
  app: FastifyInstance,
  deps: SnapshotDeps,
  { snapshots, publishedKeys, requestLifecycle }: RouteParts,
): Promise<void> {
  const { clock, overrides = {} } = deps
  const { paths } = snapshots.current()
  const rate = () => snapshots.current().config.limits.logins
  const limitOf = (name: string) => ({ ...deps, limit: createRateLimit({ ...deps, name, rate }) })
  await app.register(async context => {
    context.addHook('onRequest', requestLifecycle.gatewayRoutesOnly)
    if (overrides.routes) return overrides.routes(context)
    await gatewayRoutes(context, {
      ...deps,
      paths,
      handleOf,
      limit: createLoginLimit(limitOf('logins')),
      // An identity provider shares its address with nobody who has to get in.
      revocationLimit: createLoginLimit({ ...limitOf('revocations'), checkedAtOnce: 0 }),
      spMetadata: ({ config }, id) => spMetadataOf(config, id, clock.now()),
      jwks: ({ identity }) => ({ keys: publishedKeys.with(identity.jwks().keys) }),
      renew: requestLifecycle.refreshSnapshot,
      ...overrides.routeDeps,
    })
  })
}

/** What runs now: the next snapshot takes over from it. */
interface RunningParts {
  snapshots: Snapshots
  publishedKeys: PublishedKeys
  agents: AgentRevalidation
  liveConnections: Pick<LiveConnections, 'recheckObserved'>
  keyring: Keyring
}

/** A provider takes its sessions with it: its rules are gone. They act as ended in this process at once. */
function endRemoved(previous: ConfigSnapshot, next: ConfigSnapshot, { sessions, log }: SnapshotDeps): void {
  const ids = previous.config.providers.map(({ id }) => id)
  const providers = ids.filter(id => !isConfigured(id, next.config.providers))
  if (providers.length === 0) return
  sessions.end({ providers }, endReasons.removed, 'gateway').then(
    count => log.info({ providers, sessions: count }, 'sessions of removed providers ended'),
    (error: Error) => log.error({ providers, cause: error.message }, 'sessions of removed providers not ended yet'),
  )
}

/** Counts anew when what is decided by has changed: the report then says what the new settings would stop. */
function beginObserved({ config: previous }: ConfigSnapshot, { config }: ConfigSnapshot, deps: SnapshotDeps): void {
  const decisive = ({ mode, observe, access, desk, login }: Config) => [mode, observe, access, desk.public, login]
  if (!saysTheSame(decisive(previous), decisive(config))) deps.observed.begin(config.mode)
  warnOfObserving(config, deps.log)
}

/** Loud: a gateway that guards nothing must not be taken for one that does. */
function warnOfObserving({ mode, observe }: Pick<Config, 'mode' | 'observe'>, log: Log): void {
  if (mode !== 'observe') return
  log.warn({ mode, enforced: observe.enforce }, observingWarning)
}

async function prepare(config: Config, deps: SnapshotDeps, running: RunningParts): Promise<PreparedSnapshot> {
  const { snapshots, publishedKeys, agents, liveConnections, keyring } = running
  const previous = snapshots.current()
  const next = openSnapshot(config, deps, { keyring, previous })
  const added = next.providers.filter(provider => !previous.providers.includes(provider))
  await Promise.all([...added.map(provider => provider.ready?.()), next.directory.ready?.()])
  return {
    activate() {
      // Assertions signed with the old keys are still on their way to Desk.
      publishedKeys.keep(previous.identity.jwks().keys, previous.config.identity.assertion.ttl)
      snapshots.replace(next)
      // First: the records of another publicUrl cannot be read any more after that.
      endRemoved(previous, next, deps)
      deps.sessions.bindTo(config.publicUrl)
      liveConnections.recheckObserved()
      beginObserved(previous, next, deps)
      // The new rules and directory may no longer allow agents who are logged in.
      agents.follow(next.directory).catch((error: Error) => {
        deps.log.error({ cause: error.message }, 'live sessions could not be checked against the new configuration')
      })
      const named = new Set(next.providers.map(({ id }) => id))
      for (const { id } of previous.providers) if (!named.has(id)) deps.metrics.forget(id)
    },
    async discard() {
      for (const provider of added) provider.close()
      if (next.directory !== previous.directory) next.directory.close?.()
      await next.pipeline.close()
    },
  }
}
