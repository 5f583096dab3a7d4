// The composition root: puts the whole street together, in the order in which a request walks down it. With generation.ts,
// which makes the part of it that a reload replaces, the only file that knows every constructor. Opens no listener.

import type { FastifyInstance } from 'fastify'
import type { Config } from '../config/schema/index.js'
import type { Directory } from '../core/contracts.js'
import { createPublishedKeys, type PublishedKeys } from '../keys/jwks.js'
import type { Keyring } from '../keys/keyring.js'
import { handleOf } from '../sessions/sessions.js'
import { createLasting, type Lasting } from '../web/access/live-connections.js'
import { keepAgentsLive, type LiveAgents } from '../web/access/revalidate-agents.js'
import type { Generation } from '../web/context.js'
import { mountDesk } from '../web/proxy/plugin.js'
import { attachUpgrades } from '../web/proxy/websocket/plugin.js'
import { createEntrance } from '../web/request-lifecycle.js'
import { own } from '../web/routes/plugin.js'
import { createWindDown } from '../web/server/drain.js'
import { openListener } from '../web/server/listener.js'
import { createGeneration, metadataOf, type Parts } from './snapshot.js'
import { createGenerations, type Generations } from './snapshots.js'

/** A generation that is ready to be begun with, and has not been. */
export interface Prepared {
  /** From now on requests begin with it. */
  take(): void
  /** Closes what it opened. */
  drop(): Promise<void>
}

export interface Gateway {
  /** Not yet listening. */
  app: FastifyInstance
  /** Who is an agent, by the configuration in force. */
  directory: Directory
  /** What requests that begin now are answered by. */
  config(): Config
  /**
   * Builds the next generation, and waits until its new providers have read what they fetch (or could not). `keyring`
   * holds the secrets of the next configuration. Rejects like createGateway.
   */
  prepare(config: Config, keyring: Keyring): Promise<Prepared>
  /** From now on each answer is the last on its connection. */
  windDown(): void
  /**
   * Stops accepting, closes WebSockets one by one, lets requests under way finish, ends what runs in the background. How
   * many connections were cut because they were still busy after `limit` milliseconds; without a limit none.
   */
  close(limit?: number): Promise<number>
}

/** Throws when a key, a certificate or an agents file cannot be used; an IdP or a store that is down is no reason. */
export async function createGateway(config: Config, parts: Parts): Promise<Gateway> {
  const { clock, random, metrics, log, sessions, keyring, shedding } = parts
  const lasting = createLasting({ sessions, clock, settings: config.sessions })
  const { longAnswers } = lasting
  const published = createPublishedKeys(parts)
  const generations = createGenerations(createGeneration(config, parts, { keyring, longAnswers }), parts)
  const { current, enter, leave: over } = generations
  const entrance = createEntrance({ current, enter, over, ...(shedding ? { shedding } : {}), clock, metrics, log })
  const app = openListener(config, entrance.rewriteUrl)
  const connections = createWindDown(app.server, entrance.answers)

  entrance.mount(app)
  await app.register(async context => {
    context.addHook('onRequest', entrance.ownOnly)
    const jwks = ({ identity }: Generation) => ({ keys: published.with(identity.jwks().keys) })
    await own(context, {
      ...parts,
      paths: current().paths,
      handleOf,
      spMetadata: metadataOf(clock),
      jwks,
      renew: entrance.renew,
    })
  })
  mountDesk(app, { entrance })
  await app.ready()
  const upgrades = attachUpgrades(app.server, { entrance, lasting, clock, random, metrics })
  const sweep = async () => {
    lasting.again()
    await upgrades.sweep()
  }
  const agents = keepAgentsLive({ current, sessions, sweep, log })
  await agents.follow(current().directory)

  return {
    app,
    directory: { find: email => current().directory.find(email) },
    config: () => current().config,
    prepare: (next, ring) => prepare(next, parts, { generations, published, agents, lasting, keyring: ring }),
    windDown: connections.begin,
    async close(limit) {
      connections.begin()
      agents.close()
      upgrades.closeAll(limit === undefined ? 0 : limit / 2)
      const cut = await connections.end(app.close(), limit)
      lasting.close()
      await generations.close()
      return cut
    },
  }
}

/** What the next generation is put in the place of, and takes over from. */
interface InForce {
  generations: Generations
  published: PublishedKeys
  agents: LiveAgents
  lasting: Lasting
  keyring: Keyring
}

async function prepare(config: Config, parts: Parts, inForce: InForce): Promise<Prepared> {
  const { generations, published, agents, keyring } = inForce
  const { longAnswers } = inForce.lasting
  const before = generations.current()
  const next = createGeneration(config, parts, { keyring, longAnswers, before })
  const added = next.providers.filter(provider => !before.providers.includes(provider))
  await Promise.all([...added.map(provider => provider.ready?.()), next.directory.ready?.()])
  return {
    take() {
      // Assertions that were signed with the old keys are still on their way to Desk.
      published.keep(before.identity.jwks().keys, before.config.identity.assertion.ttl)
      generations.swap(next)
      // Rules and directory may say something else of agents who are logged in.
      agents.follow(next.directory).catch((error: Error) => {
        parts.log.error({ cause: error.message }, 'live sessions could not be held to the new configuration')
      })
      const named = new Set(next.providers.map(({ id }) => id))
      for (const { id } of before.providers) if (!named.has(id)) parts.metrics.forget(id)
    },
    async drop() {
      for (const provider of added) provider.close()
      if (next.directory !== before.directory) next.directory.close?.()
      await next.street.close()
    },
  }
}
