// Opens the connections to Redis and keeps them: one client for commands, one for messages. They reconnect by
// themselves, fail fast while they are down, never queue, never send a command twice, and never log an address or a
// password.

import { Cluster, Command, Redis } from 'ioredis'
import type { StoreSettings } from '../../config/schema/sessions.js'
import { systemRandom } from '../../runtime/clock.js'
import {
  type Commands,
  clusterOptions,
  connectionOptions,
  createBatches,
  nodeLogin,
  type Purpose,
  sentinelOptions,
  singleOptions,
} from './client.js'
import {
  type ConnectDeps,
  createConnectionStatus,
  disconnect,
  type OpenClient,
  type OpenDeps,
  openClient,
  type RedisConnection,
  withinFirstTimeout,
} from './connection.js'
import { createPrimarySearch, watchFailovers } from './failover.js'
import { createNodeConnector } from './node-connector.js'
import { createReconnection, nothing, type Reconnection } from './reconnection.js'
import { addressOf, clusterOf, type RedisHost, type RedisLogin, sentinelsOf, shownAddress, topologyOf } from './url.js'

/** Throws an Error that names the setting when it cannot be used; a Redis that is down is not such an error. */
export function connect(settings: StoreSettings, deps: ConnectDeps): RedisConnection {
  const topology = topologyOf(settings)
  const openDeps = { random: systemRandom, commandTimeout: 800, ...deps, topology, address: shownAddress(settings) }
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
    batch: createBatches(() => [commands.client]),
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

function connectCluster(settings: StoreSettings, deps: OpenDeps): RedisConnection {
  const address = clusterOf(settings)
  const { commandTimeout } = deps
  const reconnection = createReconnection(deps)
  const Connector = createNodeConnector(deps)
  const redisOptions = { ...connectionOptions(address, commandTimeout), ...nodeLogin(address), Connector }
  const client = new Cluster(address.nodes, { ...clusterOptions(reconnection.pause), redisOptions })
  limitRefreshes(client)
  const masters = () => client.nodes('master')
  const partOf = (key: string) => client.slots[slotOf(key)]?.[0] ?? 'none'
  const nameOf = ({ options: { host, port } }: Redis) => `${host}:${port}`
  const shortcoming = () => (masters().length > 0 ? undefined : 'the Redis cluster is down: no node serves a slot')
  const status = createConnectionStatus(client, { ...deps, purpose: 'commands', shortcoming })
  // ioredis reports ready once a node has said who serves what.
  client.on('ready', () => {
    reconnection.succeeded()
    status.connected()
  })
  const known = () => client.nodes().flatMap(({ options: { host, port } }) => (host && port ? [{ host, port }] : []))
  const messages = openMessages(() => [...known(), ...address.nodes], address, deps)
  // A node that has left the cluster silently stops passing on messages.
  client.on('-node', (gone: Redis) => {
    if (isSame(gone.options, messages.client.options)) messages.client.disconnect(true)
  })
  reconnection.follow(client)
  const settled = client.connect().then(nothing, nothing)
  return {
    topology: deps.topology,
    client: client as unknown as Commands,
    messages,
    settled: withinFirstTimeout(settled),
    up: () => client.status === 'ready' && masters().length > 0,
    limit: 1.5 * commandTimeout,
    problem: status.problem,
    batch: createBatches(() => client.nodes()),
    writers: key =>
      masters().filter(node => node.status === 'ready' && (key === undefined || nameOf(node) === partOf(key))),
    partOf,
    // Also those that are not connected, and the slots that nobody serves.
    parts: () => new Set(Array.from({ length: 16_384 }, (_, slot) => client.slots[slot]?.[0])).size,
    replicated: () => client.nodes('slave').length > 0,
    demoted: nothing,
    async close() {
      await Promise.all([disconnect({ client, reconnection }), disconnect(messages)])
    },
  }
}

/**
 * ioredis asks a node who serves what, over a new connection, at each command that was sent to the wrong node: at each one
 * for a node that is lost. The command itself has been told where to go.
 */
function limitRefreshes(client: Cluster): void {
  const refresh = client.refreshSlotsCache.bind(client)
  let recent = false
  client.refreshSlotsCache = callback => {
    if (recent && !callback) return
    recent = true
    setTimeout(() => {
      recent = false
    }, 500).unref()
    refresh(callback)
  }
}

function slotOf(key: string): number {
  return new Command('get', [key]).getSlot() ?? 0
}

/**
 * Any node of a cluster passes all messages on. The cluster client of ioredis renews its subscription in silence, so that missed
 * messages would go unnoticed; this is an ordinary client that connects to another node at each attempt.
 */
function openMessages(nodes: () => RedisHost[], login: RedisLogin, deps: OpenDeps): OpenClient {
  const reconnection = createReconnection(deps)
  let next = deps.random(1).readUInt8()
  const choose = (): RedisHost | undefined => {
    const found = nodes()
    return found[next++ % Math.max(1, found.length)]
  }
  const retryStrategy = () => {
    Object.assign(client.options, choose())
    return reconnection.pause()
  }
  const options = { ...connectionOptions(login, deps.commandTimeout), ...singleOptions, ...choose(), retryStrategy }
  const client: Redis = new Redis(options)
  return openClient(client, { ...deps, purpose: 'messages', reconnection, login })
}

type HostPort = { [Key in keyof RedisHost]?: RedisHost[Key] | undefined }

function isSame(a: HostPort, b: HostPort): boolean {
  return a.host === b.host && a.port === b.port
}
