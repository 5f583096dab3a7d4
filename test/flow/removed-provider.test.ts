// A provider that is removed takes its sessions with it: by a reload, and where a gateway starts without it. Other ways in
// are not concerned, and an operator is told how many sessions there are.

import t, { type Test } from 'tap'
import { breakglass } from '../../src/cli/commands/breakglass.js'
import { check } from '../../src/cli/commands/check.js'
import { createTestClock } from '../parts/clock.js'
import { startDesk } from '../parts/desk.js'
import { startInProcessGateway, writeConfiguration } from '../parts/gateway.js'
import { createIdentityProvider, logIn, type Way } from '../parts/identity-provider.js'
import { openRaw } from '../parts/raw-http.js'
import { startRedis } from '../parts/redis.js'
import { missingParts } from '../parts/required-parts.js'
import { createUserAgent, type UserAgent } from '../parts/user-agent.js'
import { until } from '../parts/wait-until.js'
import { framesIn } from '../parts/websocket.js'

const skip = missingParts('redis-server')
const publicUrl = 'https://desk.example.com'
const adminToken = 'the-admin-token-of-this-test-long-enough'
const secrets = ['a secret of the gateway that is shared by its replicas']
const people = ['ada', 'ben', 'eve', 'fay'].map(name => `${name}@example.com`)
const agents = JSON.stringify(people.map(email => ({ email, roles: ['agent'] })))
const upgrade = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13']
const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='

async function start(t: Test) {
  const [redis, desk, clock] = [await startRedis(), await startDesk(), createTestClock(Date.now())]
  t.teardown(() => Promise.all([redis.stop(), desk.close()]))
  const idp = createIdentityProvider({ publicUrl, clock })
  const { corp, portal } = idp.settings
  const withProviders = (...providers: unknown[]) => ({
    publicUrl,
    secrets,
    desk: { url: desk.url },
    providers,
    agents: [{ file: 'agents.yaml' }],
    ops: { adminToken },
    sessions: { store: redis.url },
  })
  const files = { 'agents.yaml': agents, 'idp.crt': idp.certificate }
  const settings = { both: withProviders(corp, { ...portal, allow: { roles: ['agent'] } }), one: withProviders(corp) }
  const open = async (which: keyof typeof settings) => {
    const gateway = await startInProcessGateway(settings[which], { clock, files, storeTimeout: 5000 })
    t.teardown(gateway.close)
    return gateway
  }
  const enter = async (port: number, email: string, way: Way) => {
    const agent = createUserAgent(publicUrl, { port })
    t.equal((await logIn(agent, idp, { way, email })).status, 303)
    return agent
  }
  return { redis, desk, settings, files, open, enter }
}

const statusAt = async (agent: UserAgent, port: number) => (await agent.fetch('/tickets', { at: { port } })).status

async function openSocket(agent: UserAgent, port: number) {
  const socket = openRaw(port)
  socket.send(
    ['GET /live HTTP/1.1', 'Host: x', `Cookie: ${agent.cookieHeader('/')}`, ...upgrade, key, '', ''].join('\r\n'),
  )
  if ((await socket.response()).status !== 101) throw new Error('no WebSocket')
  return socket
}

async function byLink(opsUrl: string, port: number, email: string) {
  const out: string[] = []
  const io = { env: { DESKGATE_ADMIN_TOKEN: adminToken }, out: (line: string) => void out.push(line), err: () => {} }
  await breakglass({ agent: email, minutes: '30', reason: 'test', ops: opsUrl }, io)
  const agent = createUserAgent(publicUrl, { port })
  await agent.visit((out[0] ?? '').replace(publicUrl, ''))
  await agent.send((out[0] ?? '').replace(publicUrl, ''))
  return agent
}

async function checked(settings: unknown, files: Record<string, string>) {
  const { file } = await writeConfiguration(settings, files)
  const [out, err]: string[][] = [[], []]
  const io = { env: {}, out: (line: string) => void out?.push(line), err: (line: string) => void err?.push(line) }
  const code = await check({ config: file, online: true }, io)
  return { code, err: (err ?? []).join('\n') }
}

t.test(
  'Attack: a reload without a provider ends its sessions and their WebSockets, on every replica',
  { skip },
  async t => {
    const { open, enter, settings, files } = await start(t)
    const [one, two] = [await open('both'), await open('both')]
    const [ada, ben, eve] = [
      await enter(one.port, 'ada@example.com', 'portal'),
      await enter(two.port, 'ben@example.com', 'portal'),
      await enter(one.port, 'eve@example.com', 'corp'),
    ]
    const fay = await byLink(one.opsUrl, one.port, 'fay@example.com')
    for (const { port } of [one, two]) {
      for (const agent of [ada, ben, eve, fay]) t.equal(await statusAt(agent, port), 200)
    }
    const sockets = [await openSocket(ada, one.port), await openSocket(ada, two.port)]
    const stays = await openSocket(eve, one.port)

    const before = await checked(settings.one, files)
    t.match(before, {
      code: 0,
      err: /warning: .*providers: 2 live sessions belong to providers that are not configured \(portal: 2\) \(they end/,
    })
    t.notMatch((await checked(settings.both, files)).err, /not configured/)

    t.match(await one.reload(settings.one), { applied: true })
    t.equal(await statusAt(ada, one.port), 401, 'at once, before the store has said anything')
    await one.line(line => line.msg === 'sessions of removed providers ended')
    t.match(
      one.lines.find(({ msg }) => msg === 'sessions of removed providers ended'),
      { providers: ['portal'], sessions: 2 },
    )
    for (const socket of sockets) {
      await socket.ended()
      t.equal(framesIn(socket.seen()).frames.at(-1)?.payload.readUInt16BE(0), 4401)
    }
    await until(async () => (await statusAt(ben, two.port)) === 401)
    for (const { port } of [one, two]) {
      t.same([await statusAt(ada, port), await statusAt(ben, port)], [401, 401])
      t.same([await statusAt(eve, port), await statusAt(fay, port)], [200, 200], 'others, and break-glass, go on')
    }
    t.equal(stays.socket.readyState, 'open')
    stays.close()
    t.match(
      (await one.audit()).filter(({ event, agent }) => event === 'session_ended' && agent === 'ada@example.com'),
      [{ why: 'its provider is no longer configured', by: 'gateway' }],
    )
    t.match(await two.reload(settings.one), { applied: true })
    await two.line(line => line.msg === 'sessions of removed providers ended' && line.sessions === 0)
    const quiet = await checked(settings.one, files)
    t.equal(quiet.code, 0)
    t.notMatch(quiet.err, /live session/)
  },
)

t.test('Attack: a gateway that starts without the provider refuses and ends its sessions', { skip }, async t => {
  const { open, enter } = await start(t)
  const first = await open('both')
  const [ada, eve] = [
    await enter(first.port, 'ada@example.com', 'portal'),
    await enter(first.port, 'eve@example.com', 'corp'),
  ]
  const fay = await byLink(first.opsUrl, first.port, 'fay@example.com')
  await first.close()
  const next = await open('one')
  t.same(
    [await statusAt(ada, next.port), await statusAt(eve, next.port), await statusAt(fay, next.port)],
    [401, 200, 200],
  )
  await until(async () =>
    (await next.audit()).some(({ event, agent }) => event === 'session_ended' && agent === 'ada@example.com'),
  )
  t.equal(await statusAt(ada, (await open('both')).port), 401, 'it is over for good')
})

t.test(
  'a provider that is renamed, or has other rules, or that is added, ends nothing of the others',
  { skip },
  async t => {
    const { open, enter, settings } = await start(t)
    const gateway = await open('both')
    const ada = await enter(gateway.port, 'ada@example.com', 'portal')
    const [corp, portal] = settings.both.providers as Record<string, unknown>[]
    for (const providers of [[portal, corp], [{ ...portal, name: 'Other' }, corp], [portal]]) {
      t.match(await gateway.reload({ ...settings.both, providers }), { applied: true })
      t.equal(await statusAt(ada, gateway.port), 200)
    }
    t.match(await gateway.reload({ ...settings.both, providers: [{ ...portal, id: 'portal-2' }] }), { applied: true })
    t.equal(await statusAt(ada, gateway.port), 401, 'another id is another provider')
  },
)
