// How soon a revocation takes effect everywhere: 200 sessions of 50 agents, each with a WebSocket, on two replicas of one Redis. Each
// agent in turn is revoked at one replica; from then on one session of each is asked at both until it is refused, and
// all WebSockets are waited for. Then the same with every message between the replicas lost. On loopback; prints a table.
//   npx tsx bench/revocation.ts [--workers 1] [--near-cache 5s] [--agents 50]

import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { quantile } from '../test/parts/load.js'
import { type AgentSession, adminToken, type ReplicaFleet, startFleet } from '../test/parts/revocation.js'
import { until } from '../test/parts/wait-until.js'

const { values } = parseArgs({
  options: {
    workers: { type: 'string', default: '1' },
    'near-cache': { type: 'string', default: '5s' },
    agents: { type: 'string', default: '50' },
  },
})
const agents = Math.min(500, Number(values.agents))
const [replicas, each] = [2, 4]
const say = (line: string) => process.stdout.write(`${line}\n`)

interface Times {
  refused: number[]
  closed: number[]
}

/** Enters an agent's sessions, half at each replica. */
const enter = (fleet: ReplicaFleet, email: string) =>
  Promise.all(
    Array.from({ length: each }, (_, i) => {
      const at = fleet.replicas[i % replicas]
      if (!at) throw new Error('there is no such replica')
      return fleet.logIn(email, at)
    }),
  )

async function revoke(fleet: ReplicaFleet, visitors: AgentSession[], times: Times): Promise<void> {
  const [first] = visitors
  const begun = performance.now()
  const since = () => performance.now() - begun
  for (const { socket } of visitors) socket.raw.socket.once('close', () => times.closed.push(since()))
  // Few and not too often: what asks must not be what it waits for.
  const refused = visitors.slice(0, replicas).flatMap(visitor =>
    fleet.replicas.map(async at => {
      while ((await fleet.ask(visitor, at)) === 200) await pause(2)
      times.refused.push(since())
    }),
  )
  const url = `${fleet.replicas[0]?.opsUrl}/api/sessions?agent=${encodeURIComponent(first?.email ?? '')}`
  const answer = await fetch(url, { method: 'DELETE', headers: { authorization: `Bearer ${adminToken}` } })
  const { ended } = (await answer.json()) as { ended: number }
  if (ended !== visitors.length) throw new Error(`${ended} sessions were ended instead of ${visitors.length}`)
  await Promise.all(refused)
  await until(() => visitors.every(({ socket }) => socket.raw.socket.destroyed), 60_000)
  const codes = visitors.map(({ socket }) => socket.closed()?.code)
  if (codes.some(code => code !== 4401)) throw new Error(`a WebSocket was closed with ${codes.join(', ')}`)
}

async function measure(fleet: ReplicaFleet, what: string, people: AgentSession[][]): Promise<void> {
  const times: Times = { refused: [], closed: [] }
  for (const visitors of people) await revoke(fleet, visitors, times)
  for (const [name, all] of Object.entries(times)) {
    const [p50, p99, most] = [quantile(all, 0.5), quantile(all, 0.99), Math.max(...all)]
    const figures = [p50, p99, most].map(value => `${value.toFixed(1)} ms`.padStart(11)).join('')
    say(`${what.padEnd(14)} ${name.padEnd(8)}${figures}  of ${all.length}`)
  }
}

const fleet = await startFleet({ replicas, workers: Number(values.workers), nearCache: values['near-cache'] })
// Warm, as gateways are that have been running for a while: the first revocations are not counted.
for (let i = 0; i < 8; i++) {
  await revoke(fleet, await enter(fleet, `first${i}@example.com`), { refused: [], closed: [] })
}
const people: AgentSession[][] = []
for (let i = 0; i < agents; i++) people.push(await enter(fleet, `agent${i}@example.com`))
const half = Math.ceil(agents / 2)
say(
  `${agents * each} sessions with WebSockets, ${replicas} replicas with ${values.workers} workers each, nearCache ${values['near-cache']}`,
)
say(`${''.padEnd(23)}${['p50', 'p99', 'longest'].map(name => name.padStart(11)).join('')}`)
await measure(fleet, 'messages', people.slice(0, half))
await fleet.cutSubscriptions()
await measure(fleet, 'messages lost', people.slice(half))
await fleet.stop()
