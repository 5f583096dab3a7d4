// A real cluster of three masters with a replica each: six processes on free loopback ports, ended by their own pids.

import { type RedisOptions, type RedisServer, startRedis } from './redis.js'
import { until } from './wait-until.js'

export interface ClusterSetup {
  /** redis+cluster://…, without a login: two of its nodes. */
  url: string
  nodes: RedisServer[]
  /** The masters at the start; the node at the same place of `replicas` follows it. */
  masters: RedisServer[]
  replicas: RedisServer[]
  /** Resolves once every node sees a healthy cluster in which all slots are served. */
  healthy(nodes?: RedisServer[]): Promise<void>
  stop(): Promise<void>
}

const slots = [
  [0, 5460],
  [5461, 10_922],
  [10_923, 16_383],
] as const

export async function startCluster(options: Pick<RedisOptions, 'acl' | 'tls'> = {}): Promise<ClusterSetup> {
  const nodes = await startNodes(options)
  const masters = nodes.slice(0, 3)
  const replicas = nodes.slice(3)
  await join(nodes, masters)
  const ids = await Promise.all(nodes.map(node => node.command('CLUSTER', 'MYID').then(String)))
  const allKnown = async () => (await Promise.all(nodes.map(infoOf))).every(info => /known_nodes:6\r/.test(info))
  await until(allKnown, 20_000)
  for (const [at, replica] of replicas.entries()) {
    await until(() =>
      replica.command('CLUSTER', 'REPLICATE', ids[at] ?? '').then(
        () => true,
        () => false,
      ),
    )
  }
  const healthy = async (some = nodes) => {
    await until(async () => (await Promise.all(some.map(infoOf))).every(isHealthy), 20_000)
  }
  await healthy()
  await until(async () => (await Promise.all(masters.map(replicasOf))).every(count => count === 1), 20_000)
  return {
    url: `redis+cluster://${nodes
      .slice(1, 3)
      .map(({ port }) => `127.0.0.1:${port}`)
      .join(',')}`,
    nodes,
    masters,
    replicas,
    healthy,
    stop: async () => void (await Promise.all(nodes.map(node => node.stop()))),
  }
}

async function startNodes(options: Pick<RedisOptions, 'acl' | 'tls'>): Promise<RedisServer[]> {
  const failover = ['--cluster-node-timeout', '1000', '--cluster-replica-validity-factor', '0']
  const secure = options.tls ? ['--tls-cluster', 'yes', '--tls-replication', 'yes'] : []
  const more = [...failover, '--repl-diskless-sync-delay', '0', ...secure]
  const started = await Promise.allSettled(
    Array.from({ length: 6 }, () => startRedis({ ...options, cluster: true, more })),
  )
  const nodes = started.flatMap(node => (node.status === 'fulfilled' ? [node.value] : []))
  const failed = started.find(node => node.status === 'rejected')
  if (!failed) return nodes
  await Promise.all(nodes.map(node => node.stop()))
  throw failed.reason
}

async function join(nodes: RedisServer[], masters: RedisServer[]): Promise<void> {
  for (const [at, node] of nodes.entries()) await node.command('CLUSTER', 'SET-CONFIG-EPOCH', at + 1)
  for (const [at, master] of masters.entries()) {
    const [from, to] = slots[at] ?? [0, 0]
    await master.command('CLUSTER', 'ADDSLOTSRANGE', from, to)
  }
  const [first, ...rest] = nodes
  for (const node of rest) {
    const [, bus] = (await node.command('CONFIG', 'GET', 'cluster-port')) as [string, string]
    await first?.command('CLUSTER', 'MEET', '127.0.0.1', node.port, bus)
  }
}

const infoOf = (node: RedisServer) => node.command('CLUSTER', 'INFO').then(String, () => '')
const isHealthy = (info: string) => /cluster_state:ok/.test(info) && /cluster_slots_ok:16384\r/.test(info)

async function replicasOf(master: RedisServer): Promise<number> {
  const info = String(await master.command('INFO', 'replication'))
  return /slave0:.*state=online/.test(info) ? Number(/connected_slaves:(\d+)/.exec(info)?.[1]) : 0
}
