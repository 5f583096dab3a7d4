// An operator ends an agent's sessions: two hundred of several agents are open on two replicas, each with a WebSocket, and
// those of that agent are over everywhere: at once by a message, and by nearCache when messages are lost.
//
// On a quiet machine HTTP is refused in a few milliseconds and a WebSocket is closed in about ten (bench/revocation.ts);
// the limits here are those of a machine that is busy with other tests.

import t from 'tap'
import { revokeSessions } from '../../src/cli/commands/sessions.js'
import { missingParts } from '../parts/required-parts.js'
import { type AgentSession, adminToken, type ReplicaFleet, startFleet } from '../parts/revocation.js'
import { until } from '../parts/wait-until.js'

/** Processes of each replica. */
const workers = 2
const replicas = 2
const visitors = 200
const agents = 10
const ada = 'ada@example.com'
const bob = 'bob@example.com'
const patience = 30_000

const emails = [ada, bob, ...Array.from({ length: agents - 2 }, (_, i) => `agent${i}@example.com`)]

/** What the command said. */
async function revoke(fleet: ReplicaFleet, agent: string, at: number): Promise<string[]> {
  const said: string[] = []
  const io = { env: { DESKGATE_ADMIN_TOKEN: adminToken }, out: (line: string) => said.push(line), err: t.comment }
  const code = await revokeSessions({ agent, ops: fleet.replicas[at]?.opsUrl ?? '' }, io)
  return [String(code), ...said]
}

const closed = (of: AgentSession[]) => of.filter(({ socket }) => socket.closed()?.code === 4401).length

/** The statuses of one request at each replica with each cookie. */
async function statuses(fleet: ReplicaFleet, of: AgentSession[]): Promise<number[]> {
  const asked = of.flatMap(visitor => fleet.replicas.map(at => fleet.ask(visitor, at)))
  return [...new Set(await Promise.all(asked))]
}

/** A message goes to Desk and one comes back. */
async function talk(of: AgentSession[]): Promise<void> {
  const before = of.map(({ socket }) => socket.frames().length)
  for (const { socket } of of) socket.send('hello')
  await until(() => of.every(({ socket }, i) => socket.frames().length > (before[i] ?? 0)), patience)
}

t.test('sessions revoke --agent, on two replicas', { skip: missingParts('redis-server') }, async t => {
  const fleet = await startFleet({ replicas, workers, nearCache: '4s' })
  t.teardown(fleet.stop)
  const entered = Array.from({ length: visitors }, (_, i) => {
    const at = fleet.replicas[i % replicas]
    return at && fleet.logIn(emails[Math.floor(i / replicas) % agents] ?? '', at)
  })
  const all = (await Promise.all(entered)).filter(visitor => visitor !== undefined)
  t.same([...new Set(all.map(({ socket }) => socket.status))], [101])
  t.teardown(() => {
    for (const { socket } of all) socket.raw.close()
  })
  const of = (...some: string[]) => all.filter(({ email }) => some.includes(email))
  const firstOf = (email: string) =>
    fleet.replicas.map(at => of(email).find(visitor => visitor.at === at) as AgentSession)
  const streams = await Promise.all([ada, bob].flatMap(firstOf).map(fleet.stream))
  t.teardown(() => {
    for (const stream of streams) stream.close()
  })
  t.same(await statuses(fleet, all), [200])

  await t.test('closes its WebSockets with 4401, cuts its streams, refuses its requests, and nothing else', async t => {
    const begun = performance.now()
    t.same(await revoke(fleet, ada, 0), ['0', `ended ${visitors / agents} sessions`])
    t.same(await statuses(fleet, of(ada)), [401])
    t.comment(`refused everywhere after ${(performance.now() - begun).toFixed()} ms`)
    await until(() => closed(of(ada)) === visitors / agents, patience)
    t.comment(`closed everywhere after ${(performance.now() - begun).toFixed()} ms`)
    await until(() => streams.slice(0, replicas).every(({ socket }) => socket.destroyed), patience)
    const others = of(...emails.slice(1))
    await talk(others)
    t.equal(closed(others), 0)
    t.same(await statuses(fleet, others), [200])
    t.ok(streams.slice(replicas).every(({ socket }) => !socket.destroyed))
  })

  await t.test('with every message lost: requests are refused at once, the rest is over by nearCache', async t => {
    const broken = fleet.replicas.map(({ lines }) => lines.length)
    await fleet.cutSubscriptions()
    for (const [i, replica] of fleet.replicas.entries()) {
      const since = () => replica.lines.slice(broken[i])
      await until(() => since().some(({ msg }) => msg?.startsWith('subscription refused')), patience)
    }
    const begun = performance.now()
    t.same(await revoke(fleet, bob, 1), ['0', `ended ${visitors / agents} sessions`])
    t.same(await statuses(fleet, of(bob)), [401])
    await until(() => closed(of(bob)) === visitors / agents, patience)
    t.comment(`closed everywhere after ${(performance.now() - begun).toFixed()} ms`)
    await until(() => streams.every(({ socket }) => socket.destroyed), patience)
    const others = of(...emails.slice(2))
    await talk(others)
    t.equal(closed(others), 0)
    t.same(await statuses(fleet, others), [200])
  })

  await t.test('and when messages come again, what was missed is found', async t => {
    const [agent = ''] = emails.slice(2)
    await revoke(fleet, agent, 0)
    await fleet.restoreSubscriptions()
    await until(() => closed(of(agent)) === visitors / agents, patience)
    const others = of(...emails.slice(3))
    await talk(others)
    t.equal(closed(others), 0)
  })
})
