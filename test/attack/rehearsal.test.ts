// A rehearsal as a way in: with the admin token, with the secret, with the session, and with none of them.

import t, { type Test } from 'tap'
import { createTestClock } from '../parts/clock.js'
import { longSecret, settings } from '../parts/configuration.js'
import { startDesk } from '../parts/desk.js'
import { startInProcessGateway } from '../parts/gateway.js'
import { startRedis } from '../parts/redis.js'
import {
  adminToken,
  beginLogin,
  callOps,
  echoOf,
  openRehearsal,
  pathOf,
  rehearse,
  tokenFor,
} from '../parts/rehearsal.js'
import { missingParts } from '../parts/required-parts.js'
import { signed } from '../parts/tokens.js'
import { createUserAgent } from '../parts/user-agent.js'
import { openWebSocket } from '../parts/websocket.js'

const publicUrl = 'https://desk.example.com'
const people = '- { email: zoe@example.com, name: Zoe, roles: [agent] }\n'

async function open(t: Test, changes: Record<string, unknown> = {}, clock = createTestClock()) {
  const desk = await startDesk()
  t.teardown(desk.close)
  const all = {
    ...settings({ agents: [{ file: 'agents.yaml' }] }),
    publicUrl,
    desk: { url: desk.url },
    ops: { adminToken },
    ...changes,
  }
  const gateway = await startInProcessGateway(all, { clock, files: { 'agents.yaml': people } })
  t.teardown(() => gateway.close())
  let count = 0
  const logIn = async () => {
    const agent = createUserAgent(publicUrl, gateway)
    const claims = { email: 'zoe@example.com', iat: Math.floor(clock.now() / 1000), jti: `zoe-${count++}` }
    const jwt = await signed(claims, { key: new TextEncoder().encode(longSecret('portal')) })
    await agent.postCrossSite('/auth/jwt', { jwt })
    return agent
  }
  return { clock, desk, gateway, logIn, reload: (more: object) => gateway.reload({ ...all, ...more }) }
}

t.test('one login of nobody, and what its session reaches', async t => {
  const { desk, gateway } = await open(t)
  const rehearsal = await openRehearsal(gateway.opsUrl)
  t.match(rehearsal, { agent: 'doctor@invalid', publicUrl, login: `${publicUrl}/auth/login/${rehearsal.id}` })
  t.equal(rehearsal.until - rehearsal.now, 60_000)
  const { agent, page } = await rehearse(rehearsal, gateway.port)
  t.match(page, { status: 303, location: '/' })
  const { status, body } = await echoOf(agent, rehearsal, { headers: { 'X-Agent-Email': 'root@example.com' } })
  t.equal(status, 200)
  t.match(body, { rehearsal: rehearsal.id, agent: 'doctor@invalid', host: 'desk.example.com', address: '127.0.0.1' })
  const sent = Object.fromEntries(body.identity)
  t.match(sent, { 'X-Agent-Email': 'doctor@invalid', 'X-Agent-Roles': '', 'X-Agent-Assertion': 'signed' })
  t.equal(desk.seen.length, 0, 'Desk saw none of it')

  t.equal((await agent.visit('/')).status, 200)
  t.same(desk.seen[0]?.all('X-Agent-Email'), ['doctor@invalid'])
  const events = (await gateway.audit()).map(({ event }) => event)
  t.same(events, ['rehearsal_opened', 'login'])
  const list = await callOps(gateway.opsUrl, 'GET', '/api/sessions')
  t.match(list.body.sessions, [{ agent: 'doctor@invalid', provider: rehearsal.id }])
  t.match(await callOps(gateway.opsUrl, 'DELETE', `/api/rehearsal/${rehearsal.id}`), {
    status: 200,
    body: { ended: true, sessions: 1 },
  })
  t.equal((await agent.fetch('/')).status, 401)
  t.equal((await agent.send('/tickets', { text: 'x' })).status, 401)
  t.notOk(
    agent.cookies.some(({ name }) => name.endsWith('kept')),
    'no form of nobody is kept',
  )
  t.equal((await callOps(gateway.opsUrl, 'POST', '/api/rehearsal')).status, 201, 'the next one may begin')
})

t.test('Attack: without the token, with a wrong one, twice at once', async t => {
  const { gateway, clock } = await open(t)
  for (const token of ['', 'x', adminToken.toUpperCase()])
    t.equal((await callOps(gateway.opsUrl, 'POST', '/api/rehearsal', token)).status, 401)
  const both = await Promise.all([1, 2, 3].map(() => callOps(gateway.opsUrl, 'POST', '/api/rehearsal')))
  t.same(both.map(({ status }) => status).sort(), [201, 409, 409])
  const refused = both.find(({ status }) => status === 409)
  t.match(refused?.body, { title: 'Another rehearsal is open', detail: /in 60 s/ })
  t.notMatch(JSON.stringify(refused?.body), /secret|rehearsal\.[0-9a-f]/)
  clock.move(60_001)
  t.equal((await callOps(gateway.opsUrl, 'POST', '/api/rehearsal')).status, 201)
})

t.test('Attack: after its time neither login, token nor session is good', async t => {
  const { gateway, clock, desk } = await open(t)
  const rehearsal = await openRehearsal(gateway.opsUrl)
  const late = await beginLogin(rehearsal, gateway.port)
  const { agent } = await rehearse(rehearsal, gateway.port)
  clock.move(59_000)
  t.equal((await echoOf(agent, rehearsal)).status, 200)
  t.equal((await agent.fetch('/')).status, 200)
  clock.move(1001)
  const before = desk.seen.length
  t.equal((await echoOf(agent, rehearsal)).status, 404)
  t.equal((await agent.fetch('/')).status, 401)
  const jwt = await tokenFor(rehearsal, { iat: Math.floor(clock.now() / 1000) })
  const answer = await late.agent.postCrossSite(pathOf(rehearsal.callback), { jwt, state: late.state })
  t.equal(answer.status, 404)
  t.equal((await late.agent.visit(pathOf(rehearsal.login))).status, 404)
  t.equal(desk.seen.length, before)
})

t.test('Attack: the session tries other paths, methods, sockets and the pages of the gateway', async t => {
  const modes = [{}, { mode: 'observe' }, { admin: { roles: ['agent'] } }, { access: { paths: [] } }]
  for (const changes of modes) {
    const { gateway, desk } = await open(t, changes)
    const rehearsal = await openRehearsal(gateway.opsUrl)
    const { agent } = await rehearse(rehearsal, gateway.port)
    const echo = pathOf(rehearsal.echo)
    const cookie = agent.cookieHeader('/')
    const other = `${echo.slice(0, -1)}${echo.endsWith('0') ? '1' : '0'}`
    const variants = ['/?a=1', '/tickets', '//', '/.', '/%2e', '/index.html', '/;x', '/#']
    for (const path of [
      ...variants,
      other,
      `${echo}/`,
      `${echo}?x`,
      echo.toUpperCase(),
      `${echo};x`,
      '/auth/rehearsal/',
    ]) {
      const { status } = await agent.fetch(path, { headers: { cookie } })
      t.ok(status === 404 || status === 400, `${path} ${status}`)
    }
    for (const method of ['POST', 'PUT', 'HEAD', 'OPTIONS', 'PROPFIND', 'DELETE'])
      for (const path of ['/', echo]) t.not((await agent.fetch(path, { method })).status, 200, `${method} ${path}`)
    t.equal((await agent.fetch('/', { method: 'GET', body: 'x' })).status, 404)
    t.equal((await agent.fetch('/', { headers: { upgrade: 'h2c' } })).status, 404)
    for (const path of ['/', '/ws', other]) {
      const socket = await openWebSocket(gateway.port, cookie, path)
      t.ok(socket.status === 404 || socket.status === 400, `WebSocket ${path} ${socket.status}`)
      socket.raw.close()
    }
    for (const path of ['/auth/session', '/auth/admin', '/auth/session.js', '/auth', '/auth/kept', '/api/sessions'])
      t.notMatch(await agent.fetch(path), { status: 200, body: /doctor/ }, path)
    for (const path of ['/auth/session/touch', '/auth/session/end'])
      t.equal(
        (await agent.send(path, { others: '1' }, { headers: { accept: '*/*', 'sec-fetch-mode': 'cors' } })).status,
        401,
      )
    t.equal(desk.seen.length, 0, JSON.stringify(changes))
  }
})

t.test('its own path: a WebSocket, an event stream, and nothing for anybody else', async t => {
  const { gateway, desk, logIn } = await open(t, { desk: { url: 'http://127.0.0.1:1', public: ['GET /*'] } })
  const rehearsal = await openRehearsal(gateway.opsUrl)
  const { agent } = await rehearse(rehearsal, gateway.port)
  const echo = pathOf(rehearsal.echo)
  const socket = await openWebSocket(gateway.port, agent.cookieHeader('/'), echo)
  t.equal(socket.status, 101)
  await socket.raw.ended()
  t.same(
    socket.frames().map(({ payload }) => payload.toString('latin1')),
    ['rehearsal', '\x03\xe8'],
  )
  const stream = await agent.fetch(echo, { headers: { accept: 'text/event-stream' } })
  t.match(stream, { status: 200, body: 'data: first\n\ndata: last\n\n' })
  const zoe = await logIn()
  for (const one of [zoe, createUserAgent(publicUrl, gateway)]) t.equal((await one.fetch(echo)).status, 404)
  for (const cookie of [undefined, zoe.cookieHeader('/')])
    t.equal((await openWebSocket(gateway.port, cookie, echo)).status, 404)
  t.equal(desk.seen.length, 0)
})

t.test('Attack: another agent in the token, another key, another audience, no state, a stranger`s state', async t => {
  const { gateway } = await open(t)
  const rehearsal = await openRehearsal(gateway.opsUrl)
  const { agent, state } = await beginLogin(rehearsal, gateway.port)
  const post = async (jwt: string, fields: Record<string, string> = { state }) =>
    (await agent.postCrossSite(pathOf(rehearsal.callback), { jwt, ...fields })).reason
  t.equal(await post(await tokenFor(rehearsal, { email: 'zoe@example.com' })), 'agent.forbidden')
  t.equal(await post(await tokenFor(rehearsal, { aud: 'https://other.example' })), 'jwt.audience_mismatch')
  t.equal(await post(await tokenFor(rehearsal, { iss: 'portal' })), 'jwt.issuer_mismatch')
  t.equal(await post(await tokenFor({ ...rehearsal, secret: longSecret('portal') })), 'jwt.signature_invalid')
  t.equal(await post(await tokenFor(rehearsal), {}), 'jwt.state_mismatch')
  const stranger = await beginLogin(rehearsal, gateway.port)
  t.equal(await post(await tokenFor(rehearsal), { state: stranger.state }), 'jwt.state_mismatch')
  const portal = await agent.visit('/auth/login/portal')
  const other = new URL(portal.location).searchParams.get('state') ?? ''
  t.equal(await post(await tokenFor(rehearsal), { state: other }), 'jwt.state_mismatch')
  t.equal(
    agent.cookies.some(({ name }) => name === '__Host-deskgate'),
    false,
  )

  const roles = { roles: ['admin'], name: 'Root', external_id: '1', user_fields: { a: 'b' } }
  t.equal(await post(await tokenFor(rehearsal, roles)), undefined, 'what else the token says does not count')
  const { body } = await echoOf(agent, rehearsal)
  t.match(Object.fromEntries(body.identity), { 'X-Agent-Roles': '', 'X-Agent-Name': '', 'X-Agent-Id': '' })
})

t.test('Attack: a second login, by the same token or by a new one', async t => {
  const { gateway } = await open(t)
  const rehearsal = await openRehearsal(gateway.opsUrl)
  const one = await beginLogin(rehearsal, gateway.port)
  const two = await beginLogin(rehearsal, gateway.port)
  const path = pathOf(rehearsal.callback)
  const jwt = await tokenFor(rehearsal)
  t.equal((await one.agent.postCrossSite(path, { jwt, state: one.state })).status, 303)
  t.equal((await one.agent.postCrossSite(path, { jwt, state: one.state })).reason, 'jwt.replayed')
  for (const token of [jwt, await tokenFor(rehearsal)])
    t.equal((await two.agent.postCrossSite(path, { jwt: token, state: two.state })).reason, 'jwt.replayed')
  const race = await Promise.all([1, 2].map(() => beginLogin(rehearsal, gateway.port)))
  t.equal(race.length, 2)
})

t.test('Attack: the token elsewhere, the ID of a rehearsal elsewhere', async t => {
  const { gateway, desk } = await open(t)
  const rehearsal = await openRehearsal(gateway.opsUrl)
  const { agent, state } = await beginLogin(rehearsal, gateway.port)
  const jwt = await tokenFor(rehearsal)
  for (const path of ['/auth/jwt', '/auth/jwt/callback', '/auth/jwt/portal', '/auth/saml/acs'])
    t.not((await agent.postCrossSite(path, { jwt, state, SAMLResponse: jwt })).status, 303, path)
  const bearer = await agent.fetch('/tickets', { headers: { authorization: `Bearer ${jwt}` } })
  t.equal(bearer.status, 401)
  const revoke = await agent.fetch('/auth/revoke', { method: 'POST', headers: { authorization: `Bearer ${jwt}` } })
  t.not(revoke.status, 200)
  for (const id of ['rehearsal', 'rehearsal.', `rehearsal.${'0'.repeat(32)}`, rehearsal.id.toUpperCase(), '../portal'])
    t.not((await agent.visit(`/auth/login/${id}`)).status, 302, id)
  t.notMatch((await agent.visit('/auth/login')).body, 'rehearsal', 'nobody is offered it')
  t.equal(desk.seen.length, 0)
})

t.test('Attack: it does not replace the session of an agent, and an agent`s login does not need its end', async t => {
  const { gateway, logIn } = await open(t)
  const rehearsal = await openRehearsal(gateway.opsUrl)
  const zoe = await logIn()
  const page = await zoe.visit(pathOf(rehearsal.login))
  const state = new URL(page.location).searchParams.get('state') ?? ''
  const answer = await zoe.postCrossSite(pathOf(rehearsal.callback), { jwt: await tokenFor(rehearsal), state })
  t.match(answer, { status: 409, reason: 'login.other_session' })
  t.equal((await zoe.fetch('/tickets')).status, 200)
})

t.test(
  'Attack: rules that keep Desk`s first page from a rehearsal, cookies and headers that would open more',
  async t => {
    const { gateway, desk, reload } = await open(t, { identity: { format: { email: 'local' } } })
    const rehearsal = await openRehearsal(gateway.opsUrl)
    const { agent } = await rehearse(rehearsal, gateway.port)
    const asked = { headers: { authorization: 'Basic cm9vdDpyb290', 'x-override-url': '/admin', origin: publicUrl } }
    agent.take('_desk_session=stolen; Path=/')
    t.equal((await agent.fetch('/', asked)).status, 200)
    const [seen] = desk.seen
    t.same(seen?.all('X-Agent-Email'), ['doctor@invalid'], 'not the account doctor')
    for (const name of ['cookie', 'authorization', 'x-override-url', 'origin']) t.same(seen?.all(name), [], name)
    const { body } = await echoOf(agent, rehearsal, asked)
    t.notMatch(JSON.stringify(body), /stolen|cm9vd/, 'no value of a cookie or of a password')
    for (const rule of [{ roles: ['agent'] }, { emails: ['zoe@example.com'] }, { maxAge: '1m' }]) {
      await reload({ access: { paths: [{ match: '/*', ...rule }] } })
      t.equal((await agent.fetch('/')).status, 404, JSON.stringify(rule))
    }
    t.equal(desk.seen.length, 1)
  },
)

t.test('a reload of the secrets ends it', async t => {
  const { gateway, reload } = await open(t, { secrets: [longSecret('one')] })
  const rehearsal = await openRehearsal(gateway.opsUrl)
  const next = await beginLogin(rehearsal, gateway.port)
  await reload({ secrets: [longSecret('two')] })
  const answer = await next.agent.postCrossSite(pathOf(rehearsal.callback), {
    jwt: await tokenFor(rehearsal),
    state: next.state,
  })
  t.equal(answer.status, 404)
})

t.test('two replicas: begun at one, answered at the other, once', { skip: missingParts('redis-server') }, async t => {
  const redis = await startRedis({ process: 'any' })
  t.teardown(redis.stop)
  const shared = {
    sessions: { store: { url: redis.url, keyPrefix: redis.keyPrefix } },
    secrets: [longSecret('ring')],
  }
  const [one, two] = [await open(t, shared), await open(t, shared)]
  const rehearsal = await openRehearsal(one.gateway.opsUrl)
  t.equal((await callOps(two.gateway.opsUrl, 'POST', '/api/rehearsal')).status, 409, 'one on all replicas')
  const tabs = await Promise.all([0, 1, 2, 3].map(() => beginLogin(rehearsal, two.gateway.port)))
  const path = pathOf(rehearsal.callback)
  const answers = await Promise.all(
    tabs.map(async ({ agent, state }, i) => {
      const at = { port: (i % 2 === 0 ? one : two).gateway.port }
      return agent.postCrossSite(path, { jwt: await tokenFor(rehearsal), state }, { at })
    }),
  )
  t.same(answers.map(({ status }) => status).sort(), [303, 400, 400, 400])
  const won = tabs[answers.findIndex(({ status }) => status === 303)]
  for (const { gateway } of [one, two])
    t.equal((await won?.agent.fetch(pathOf(rehearsal.echo), { at: { port: gateway.port } }))?.status, 200)
  const key = `${redis.keyPrefix}r:rehearsal`
  t.equal(await redis.command('EXISTS', key), 1)
  t.notMatch(String(await redis.command('GET', key)), rehearsal.secret, 'sealed')
  await callOps(two.gateway.opsUrl, 'DELETE', `/api/rehearsal/${rehearsal.id}`)
  t.equal((await won?.agent.fetch('/', { at: { port: one.gateway.port } }))?.status, 401)
})

t.test('replicas whose clocks differ agree on its end', { skip: missingParts('redis-server') }, async t => {
  const redis = await startRedis({ process: 'any' })
  t.teardown(redis.stop)
  const shared = {
    sessions: { store: { url: redis.url, keyPrefix: redis.keyPrefix } },
    secrets: [longSecret('ring')],
  }
  const two = await open(t, shared)
  const one = await open(t, shared, createTestClock(two.clock.now() + 1000))
  const rehearsal = await openRehearsal(one.gateway.opsUrl)
  const { agent } = await rehearse(rehearsal, two.gateway.port)
  for (const { gateway } of [two, one, two, one])
    t.equal((await agent.fetch(pathOf(rehearsal.echo), { at: { port: gateway.port } })).status, 200)
})

t.test('Attack: a session that Desk opens of its own does not outlive it', async t => {
  const { desk, gateway } = await open(t, { mode: 'observe' })
  desk.onRequest((_request, response) => {
    response.setHeader('Set-Cookie', 'desk_session=of-nobody; Path=/; Max-Age=86400').end('home')
  })
  const { agent } = await rehearse(await openRehearsal(gateway.opsUrl), gateway.port)
  t.equal((await agent.fetch('/')).status, 200)
  t.notOk(agent.cookies.some(({ name }) => name === 'desk_session'))
})
