// Connects to a cluster: one client for commands to all its masters, and an ordinary one for messages.

import { Cluster, Command, Redis } from 'ioredis'
import type { StoreSettings } from '../../config/schema/sessions.js'
import type { Commands } from './client.js'
import {
  createReconnection,
  disconnect,
  nothing,
  type OpenClient,
  type OpenDeps,
  openClient,
  type RedisConnection,
  withinFirstTimeout,
} from './connection.js'
import { clusterOptions, connectionOptions, nodeLogin, singleOptions } from './connection-options.js'
import { createConnectionStatus } from './connection-status.js'
import { clusterOf, type RedisHost, type RedisLogin } from './url.js'

export function connectCluster(settings: StoreSettings, deps: OpenDeps): RedisConnection {
  const address = clusterOf(settings)
  const { commandTimeout } = deps
  const reconnection = createReconnection(deps)
  const redisOptions = { ...connectionOptions(address, commandTimeout), ...nodeLogin(address) }
  const client = new Cluster(address.nodes, { ...clusterOptions(reconnection.pause), redisOptions })
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
