// Opens the connections to Redis and keeps them: one client for commands, one for messages. They reconnect by
// themselves, fail fast while they are down, never queue, never send a command twice, and never log an address or a
// password.

import { Redis } from 'ioredis'
import type { StoreSettings } from '../../config/schema/sessions.js'
import { systemRandom } from '../../runtime/clock.js'
import { connectCluster } from './connect-cluster.js'
import {
  type ConnectDeps,
  createReconnection,
  disconnect,
  type OpenClient,
  type OpenDeps,
  openClient,
  type Reconnection,
  type RedisConnection,
  withinFirstTimeout,
} from './connection.js'
import { connectionOptions, type Purpose, sentinelOptions, singleOptions } from './connection-options.js'
import { createPrimarySearch, watchFailovers } from './failover.js'
import { addressOf, type RedisLogin, sentinelsOf, topologyOf } from './url.js'

/** Throws an Error that names the setting when it cannot be used; a Redis that is down is not such an error. */
export function connect(settings: StoreSettings, deps: ConnectDeps): RedisConnection {
  const topology = topologyOf(settings)
  const openDeps = { random: systemRandom, commandTimeout: 800, ...deps, topology }
  if (topology === 'cluster') return connectCluster(settings, openDeps)
  const [commands, messages] = [openSingle(settings, 'commands', openDeps), openSingle(settings, 'messages', openDeps)]
  const reconnect = () => {
    for (const { client } of [commands, messages]) if (client.status === 'ready') client.disconnect(true)
  }
  const watch = topology === 'sentinel' ? watchSentinels(settings, openDeps, reconnect) : undefined
  const search = createPrimarySearch({
    ...openDeps,
    client: commands.client,
    login: loginOf(settings),
    found: reconnect,
  })
  return {
    topology,
    client: commands.client,
    messages,
    settled: withinFirstTimeout(commands.settled),
    up: commands.isUp,
    limit: 1.5 * openDeps.commandTimeout,
    problem: commands.problem,
    writers: () => [commands.client],
    partOf: () => 'all',
    parts: () => 1,
    replicated: () => (topology === 'sentinel' ? true : undefined),
    demoted: search.start,
    async close() {
      watch?.stop()
      search.stop()
      await Promise.all([disconnect(commands), disconnect(messages)])
    },
  }
}

function watchSentinels(settings: StoreSettings, { random }: OpenDeps, switched: () => void) {
  return watchFailovers({ address: sentinelsOf(settings), random, create: options => new Redis(options), switched })
}

/** A client to one server: the one of the URL, or the one that the Sentinels name. */
function openSingle(settings: StoreSettings, purpose: Purpose, deps: OpenDeps): OpenClient {
  const reconnection = createReconnection(deps)
  const { tls, server } = serverOptions(settings, deps, reconnection)
  const options = { ...connectionOptions({ tls }, deps.commandTimeout), ...server, retryStrategy: reconnection.pause }
  return openClient(new Redis(options), { ...deps, purpose, reconnection, login: loginOf(settings) })
}

function loginOf(settings: StoreSettings): RedisLogin {
  return topologyOf(settings) === 'sentinel' ? sentinelsOf(settings) : addressOf(settings)
}

function serverOptions(settings: StoreSettings, { topology }: OpenDeps, { pause }: Reconnection) {
  if (topology === 'sentinel') {
    const address = sentinelsOf(settings)
    return { tls: address.tls, server: sentinelOptions(address, pause) }
  }
  const { host, port, tls } = addressOf(settings)
  return { tls, server: { ...singleOptions, host, port } }
}
