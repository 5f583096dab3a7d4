// The composition root: connects the parts of the gateway in the order in which a request passes them. Together with
// snapshot.ts (the parts that a reload replaces) the only file that knows every constructor. It opens no listener.

import type { FastifyInstance } from 'fastify'
import type { Config } from '../config/schema/index.js'
import type { Directory } from '../core/contracts.js'
import { createPublishedKeys, type PublishedKeys } from '../keys/jwks.js'
import type { Keyring } from '../keys/keyring.js'
import { handleOf } from '../sessions/sessions.js'
import { createLiveConnections, type LiveConnections } from '../web/access/live-connections.js'
import { type AgentRevalidation, createAgentRevalidation } from '../web/access/revalidate-agents.js'
import type { ConfigSnapshot } from '../web/context.js'
import { mountDesk } from '../web/proxy/plugin.js'
import { attachUpgrades } from '../web/proxy/websocket/plugin.js'
import { createRequestLifecycle } from '../web/request-lifecycle.js'
import { gatewayRoutes } from '../web/routes/plugin.js'
import { createDrain } from '../web/server/drain.js'
import { openListener } from '../web/server/listener.js'
import { createSnapshot, createSpMetadataReader, type GatewayDeps } from './snapshot.js'
import { createSnapshots, type Snapshots } from './snapshots.js'

/** A config snapshot that is ready and not yet in use. */
export interface PreparedSnapshot {
  /** New requests use it from now on. */
  activate(): void
  /** Closes everything it opened. */
  discard(): Promise<void>
}

export interface Gateway {
  /** Not yet listening. */
  app: FastifyInstance
  /** The directory of the current configuration. */
  directory: Directory
  /** The current configuration: new requests use it. */
  config(): Config
  /**
   * Builds the next snapshot and waits until its new providers have fetched their keys and metadata, or failed to.
   * `keyring` holds the secrets of the next configuration. Rejects like createGateway.
   */
  prepare(config: Config, keyring: Keyring): Promise<PreparedSnapshot>
  /** From now on each response closes its connection. */
  windDown(): void
  /**
   * Stops accepting, closes WebSockets one by one, lets open requests finish, stops background work. Resolves with the
   * number of connections that were cut because they were still busy after `limit` milliseconds; 0 without a limit.
   */
  close(limit?: number): Promise<number>
}

/** Throws when a key, a certificate or an agents file cannot be used, not when an IdP or the store is down. */
export async function createGateway(config: Config, deps: GatewayDeps): Promise<Gateway> {
  const { clock, random, metrics, log, sessions, keyring, shedding } = deps
  const liveConnections = createLiveConnections({ sessions, clock, settings: config.sessions })
  const { liveResponses } = liveConnections
  const publishedKeys = createPublishedKeys(deps)
  const snapshots = createSnapshots(createSnapshot(config, deps, { keyring, liveResponses }), deps)
  const { current, acquire, release } = snapshots
  const requestLifecycle = createRequestLifecycle({
    current,
    acquire,
    release,
    ...(shedding ? { shedding } : {}),
    clock,
    metrics,
    log,
  })
  const app = openListener(config, requestLifecycle.rewriteUrl)
  const connections = createDrain(app.server, requestLifecycle.openResponses)

  requestLifecycle.mount(app)
  await app.register(async context => {
    context.addHook('onRequest', requestLifecycle.gatewayRoutesOnly)
    const jwks = ({ identity }: ConfigSnapshot) => ({ keys: publishedKeys.with(identity.jwks().keys) })
    await gatewayRoutes(context, {
      ...deps,
      paths: current().paths,
      handleOf,
      spMetadata: createSpMetadataReader(clock),
      jwks,
      renew: requestLifecycle.refreshSnapshot,
    })
  })
  mountDesk(app, { requestLifecycle })
  await app.ready()
  const upgrades = attachUpgrades(app.server, {
    requestLifecycle,
    liveConnections,
    clock,
    random,
    metrics,
  })
  const recheckAll = async () => {
    liveConnections.recheckAll()
    await upgrades.recheckBearers()
  }
  const agents = createAgentRevalidation({ current, sessions, recheckLive: recheckAll, log })
  await agents.follow(current().directory)

  return {
    app,
    directory: { find: email => current().directory.find(email) },
    config: () => current().config,
    prepare: (next, ring) =>
      prepare(next, deps, {
        snapshots,
        publishedKeys,
        agents,
        liveConnections,
        keyring: ring,
      }),
    windDown: connections.begin,
    async close(limit) {
      connections.begin()
      agents.close()
      upgrades.closeAll(limit === undefined ? 0 : limit / 2)
      const cut = await connections.end(app.close(), limit)
      liveConnections.close()
      await snapshots.close()
      return cut
    },
  }
}

/** What runs now: the next snapshot takes over from it. */
interface RunningParts {
  snapshots: Snapshots
  publishedKeys: PublishedKeys
  agents: AgentRevalidation
  liveConnections: LiveConnections
  keyring: Keyring
}

async function prepare(config: Config, deps: GatewayDeps, running: RunningParts): Promise<PreparedSnapshot> {
  const { snapshots, publishedKeys, agents, keyring } = running
  const { liveResponses } = running.liveConnections
  const previous = snapshots.current()
  const next = createSnapshot(config, deps, { keyring, liveResponses, previous })
  const added = next.providers.filter(provider => !previous.providers.includes(provider))
  await Promise.all([...added.map(provider => provider.ready?.()), next.directory.ready?.()])
  return {
    activate() {
      // Assertions signed with the old keys are still on their way to Desk.
      publishedKeys.keep(previous.identity.jwks().keys, previous.config.identity.assertion.ttl)
      snapshots.replace(next)
      // The new rules and directory may no longer allow agents who are logged in.
      agents.follow(next.directory).catch((error: Error) => {
        deps.log.error({ cause: error.message }, 'live sessions could not be held to the new configuration')
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
