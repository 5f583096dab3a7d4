// Who leaves Desk's list of agents loses access on every replica within one refresh, WebSockets too; who gets another role
// has it without a new login; and a list that cannot be read takes nothing from anybody.

import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { systemClock } from '../../src/runtime/clock.js'
import { httpMap, person, startAgentsApi } from '../parts/agents-api.js'
import { startDesk } from '../parts/desk.js'
import { type InProcessGateway, startInProcessGateway } from '../parts/gateway.js'
import { createIdentityProvider, logIn } from '../parts/identity-provider.js'
import { openRaw } from '../parts/raw-http.js'
import { startRedis } from '../parts/redis.js'
import { missingParts } from '../parts/required-parts.js'
import { createUserAgent, type UserAgent } from '../parts/user-agent.js'
import { until } from '../parts/wait-until.js'

const publicUrl = 'https://desk.example.com'
const idp = createIdentityProvider({ publicUrl, clock: systemClock })
const page = { at: { port: 0 } }
const soon = (condition: () => boolean | Promise<boolean>) => until(condition, 30_000)

async function open(t: Test, { replicas, down }: { replicas: number; down?: true }) {
  const [api, desk] = await Promise.all([startAgentsApi(), startDesk()])
  const redis = replicas > 1 ? await startRedis({ process: 'own' }) : undefined
  api.people = ['ada', 'bob', 'cyd', 'dee', 'eva'].map(name => person(name))
  if (down) api.wrong = (_, response) => response.writeHead(503).end()
  const http = { url: api.url, list: '/_embedded/entries', next: '/_links/next/href', refresh: '1s', map: httpMap }
  const settings = {
    publicUrl,
    secrets: ['the secret that all replicas share, as long as it has to be'],
    desk: { url: desk.url, public: ['GET /assets/*'] },
    providers: [idp.settings.corp, { ...idp.settings.portal, allow: { roles: ['agent', 'admin'] } }],
    agents: [{ http }],
    access: { paths: [{ match: '/admin/*', roles: ['admin'] }] },
    ...(redis ? { sessions: { store: { url: redis.url, keyPrefix: redis.keyPrefix } } } : {}),
  }
  const start = () => startInProcessGateway(settings, { files: { 'idp.crt': idp.certificate } })
  const gates = await Promise.all(Array.from({ length: replicas }, start))
  t.teardown(async () => {
    await Promise.all(gates.map(gate => gate.close()))
    await redis?.stop()
    await Promise.all([api.close(), desk.close()])
  })
  if (!down) await soon(() => gates.every(({ lines }) => lines.some(({ msg }) => msg === 'agents loaded')))
  const ready = async ({ opsUrl }: InProcessGateway) => (await fetch(`${opsUrl}/ready`)).status === 200
  await soon(async () => (await Promise.all(gates.map(ready))).every(Boolean))
  const enter = async (name: string, way: 'corp' | 'portal' = 'corp') => {
    const agent = createUserAgent(publicUrl, { port: gates[0]?.port ?? 0 })
    return { agent, page: await logIn(agent, idp, { way, email: `${name}@example.com` }) }
  }
  const change = (name: string, changes: Record<string, unknown>) => {
    api.people = api.people.map(one => (one.email === `${name}@example.com` ? { ...one, ...changes } : one))
  }
  return { api, desk, gates, enter, change }
}

const statusAt = async (agent: UserAgent, gate: InProcessGateway | undefined, path = '/') =>
  (await agent.visit(path, { at: gate ?? page.at })).status

/** A WebSocket that Desk has agreed to. */
async function openSocket(agent: UserAgent, gate: InProcessGateway | undefined, path = '/live') {
  const connection = openRaw(gate?.port ?? 0)
  const lines = [
    `GET ${path} HTTP/1.1`,
    'Host: desk.example.com',
    `Cookie: ${agent.cookieHeader('/')}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  ]
  connection.send(`${lines.join('\r\n')}\r\n\r\n`)
  await connection.until(seen => seen.includes('\r\n\r\n'))
  return connection
}

// Each replica reads the list for itself: what one knows already, the other knows within its refresh.
t.test('two replicas', { skip: missingParts('redis-server') }, async t => {
  const { desk, gates, enter, change, api } = await open(t, { replicas: 2 })
  const [one, two] = gates

  t.test('an agent who is switched off is out everywhere, sockets too, and the audit log says why', async t => {
    const { agent, page } = await enter('ada')
    t.match(page, { status: 303 })
    const { agent: elsewhere } = await enter('ada')
    for (const gate of gates) t.equal(await statusAt(agent, gate), 200)
    const socket = await openSocket(agent, two)
    t.match(socket.seen().toString(), /^HTTP\/1\.1 101 /)
    change('ada', { available: false })
    await socket.ended()
    for (const gate of gates) {
      await soon(async () => (await statusAt(agent, gate)) === 302)
      await soon(async () => (await statusAt(elsewhere, gate)) === 302)
    }
    const audits = (await Promise.all(gates.map(gate => gate.audit()))).flat()
    const ended = audits.filter(({ event, agent }) => event === 'session_ended' && agent === 'ada@example.com')
    const why = 'the directory says that the agent is inactive'
    t.match(ended, [{ why }, { why }])
    t.equal(ended.length, 2, 'each session once')
    await soon(async () => (await enter('ada')).page.reason === 'agent.disabled')
  })

  t.test(
    'an agent who is taken off the list is out everywhere, also where no process remembers the session',
    async () => {
      const { agent } = await enter('bob')
      change('bob', { email: 'nobody@example.com' })
      await soon(async () => {
        const audits = (await Promise.all(gates.map(gate => gate.audit()))).flat()
        return audits.some(({ agent, why }) => agent === 'bob@example.com' && /does not know/.test(String(why)))
      })
      for (const gate of gates) await soon(async () => (await statusAt(agent, gate)) === 302)
      await soon(async () => (await enter('bob')).page.reason === 'agent.unknown')
    },
  )

  t.test(
    'other roles and names count at every replica without a new login; sockets with the old ones are cut',
    async t => {
      const { agent } = await enter('cyd')
      const told = async (gate: InProcessGateway | undefined) => {
        await agent.visit('/', { at: gate ?? page.at })
        return `${desk.last().all('x-agent-roles')} ${desk.last().all('x-agent-name')}`
      }
      for (const gate of gates) t.equal(await told(gate), 'agent cyd')
      t.equal(await statusAt(agent, one, '/admin/'), 403)
      const socket = await openSocket(agent, one)
      change('cyd', { level: ['agent', 'admin'], name: 'Cyd C.' })
      for (const gate of gates) await soon(async () => (await told(gate)) === 'agent,admin Cyd C.')
      const [assertion = ''] = desk.last().all('x-agent-assertion')
      t.match(decodeJwt(assertion), { roles: ['agent', 'admin'], name: 'Cyd C.' })
      t.equal(await statusAt(agent, one, '/admin/'), 200)
      await socket.ended()
      change('cyd', { level: 'agent' })
      for (const gate of gates) await soon(async () => (await statusAt(agent, gate, '/admin/users')) === 403)
      t.equal(await statusAt(agent, two), 200, 'still logged in')
    },
  )

  t.test('providers[].allow holds for live sessions too', async t => {
    const [byPortal, byCorp] = [await enter('dee', 'portal'), await enter('dee', 'corp')]
    t.equal(byPortal.page.status, 303)
    change('dee', { level: 'guest' })
    for (const gate of gates) await soon(async () => (await statusAt(byPortal.agent, gate)) === 302)
    t.equal(await statusAt(byCorp.agent, two), 200)
    await soon(async () => (await enter('dee', 'portal')).page.reason === 'agent.forbidden')
  })

  t.test('roles that Desk could not be told end the session', async () => {
    const { agent } = await enter('eva')
    change('eva', { level: Array.from({ length: 900 }, (_, i) => `a role with a name ${i}`) })
    for (const gate of gates) await soon(async () => (await statusAt(agent, gate)) === 302)
    change('eva', { level: 'agent' })
  })

  t.test('while the API is down nobody is logged out, and who is new cannot be told', async t => {
    const { agent } = await enter('cyd')
    const down = () => gates.every(({ lines }) => lines.some(({ error }) => /answered 503/.test(String(error))))
    api.wrong = (_, response) => response.writeHead(503).end()
    await soon(down)
    for (const gate of gates) t.equal(await statusAt(agent, gate), 200)
    t.equal((await enter('cyd')).page.status, 303)
    const { page } = await enter('new')
    t.match(page, { status: 503, reason: 'agent.directory_unavailable' })
    t.ok(page.headers['retry-after'])
  })
})

t.test('a gateway starts while the API is down, and lets people in as soon as there is a list', async t => {
  const { api, enter, gates } = await open(t, { replicas: 1, down: true })
  t.match((await enter('ada')).page, { status: 503, reason: 'agent.directory_unavailable' })
  api.wrong = undefined
  await soon(() => gates.some(({ lines }) => lines.some(({ msg }) => msg === 'agents source readable again')))
  t.equal((await enter('ada')).page.status, 303)
  t.match((await enter('zoe')).page, { status: 403, reason: 'agent.unknown' })
})
