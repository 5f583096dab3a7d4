// A step-up on two replicas with a real Redis: the same agent and the same live connections under a new cookie, the page
// that was asked for, and each thing that must not be accepted with its reason.

import { randomBytes } from 'node:crypto'
import { inflateRawSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { handleOf } from '../../src/sessions/sessions.js'
import { createTestClock } from '../parts/clock.js'
import { agree, startDesk } from '../parts/desk.js'
import { startInProcessGateway } from '../parts/gateway.js'
import { createIdentityProvider } from '../parts/identity-provider.js'
import { openRaw, rawRequest } from '../parts/raw-http.js'
import { startRedis } from '../parts/redis.js'
import { missingParts } from '../parts/required-parts.js'
import type { Claims } from '../parts/tokens.js'
import { createUserAgent, type Page, type UserAgent } from '../parts/user-agent.js'
import { until } from '../parts/wait-until.js'
import { frame, openWebSocket } from '../parts/websocket.js'

const publicUrl = 'https://desk.example.com'
const mfa = 'https://refeds.org/profile/mfa'
const adminToken = 'the-admin-token-of-this-test-long-enough'
const minute = 60_000
const password = /urn:oasis:names:tc:SAML:2.0:ac:classes:[A-Za-z]+/

const paths = [
  { match: '/secret/*', context: [mfa] },
  { match: '/fresh/*', maxAge: '15m' },
  { match: 'POST /tickets/close', context: [mfa], maxAge: '15m' },
  { match: '/both/*', context: [mfa, 'urn:example:key'] },
  { match: '/both/more/*', context: ['urn:example:key'], maxAge: '5m' },
  { match: '/never/*', context: [mfa] },
  { match: '/never/at-all', context: ['urn:example:other'] },
  { match: '/secret/admins', roles: ['admin'] },
]

async function start(t: Test, changes: Record<string, unknown> = {}) {
  const clock = createTestClock(Date.now())
  const idp = createIdentityProvider({ publicUrl, clock })
  const [desk, redis] = await Promise.all([startDesk(), startRedis({ process: 'any' })])
  desk.onUpgrade((request, socket) => {
    agree(request, socket)
    socket.on('data', () => socket.write(frame('heard', { opcode: 1 })))
  })
  desk.onRequest((request, response) => {
    if (request.url !== '/events') return void response.end('hello')
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n')
  })
  const settings = {
    publicUrl,
    secrets: ['the secret that all replicas share, as long as it has to be'],
    desk: { url: desk.url },
    providers: [idp.settings.corp, { ...idp.settings.portal, bearer: true, bearerAudience: 'api' }],
    agents: [{ domains: ['example.com'] }],
    access: { paths },
    sessions: {
      store: { url: redis.url, keyPrefix: `${redis.keyPrefix}${randomBytes(4).toString('hex')}:` },
      ...changes,
    },
    ops: { adminToken },
  }
  const how = { files: { 'idp.crt': idp.certificate }, storeTimeout: 20_000, clock }
  const [one, two] = await Promise.all([startInProcessGateway(settings, how), startInProcessGateway(settings, how)])
  t.teardown(async () => {
    await Promise.all([one.close(), two.close()])
    await Promise.all([desk.close(), redis.stop()])
  })
  return { clock, idp, desk, redis, one, two, agent: () => createUserAgent(publicUrl, one) }
}

type Setup = Awaited<ReturnType<typeof start>>
type How = { way?: 'corp' | 'portal'; context?: string; at?: number; email?: string; claims?: Claims }

/** The provider's answer to what the gateway asks for. */
async function answerOf({ idp, clock }: Setup, asked: string, how: How = {}) {
  const { way = 'corp', context, at = clock.now(), email = 'ada@example.com' } = how
  const instant = new Date(at).toISOString()
  if (way === 'portal') {
    const stated = { auth_time: Math.floor(at / 1000), ...(context === undefined ? {} : { acr: context }) }
    return idp.jwt(email, asked, { ...stated, ...how.claims })
  }
  const before = (xml: string) => {
    const timed = xml.replace(/AuthnInstant="[^"]*"/, `AuthnInstant="${instant}"`)
    return context === undefined ? timed : timed.replace(password, context)
  }
  return idp.saml(email, asked, { before })
}

/** From a page that needs it to the provider; where that is asked. */
async function ask(agent: UserAgent, path: string, at?: Setup['one']): Promise<string> {
  const asked = at ? { at } : {}
  const stopped = await agent.visit(path, asked)
  if (stopped.status !== 302) throw new Error(`${path} is ${stopped.status}`)
  const begun = await agent.visit(stopped.location, asked)
  if (begun.status !== 302) throw new Error(`the login is ${begun.status} ${begun.body}`)
  return begun.location
}

async function logIn(setup: Setup, agent: UserAgent, how: How = {}): Promise<Page> {
  const { location } = await agent.visit(`/auth/login/${how.way ?? 'corp'}`)
  const { path, fields } = await answerOf(setup, location, how)
  return agent.postCrossSite(path, fields)
}

const cookieOf = (agent: UserAgent) => agent.cookies.find(({ name }) => name === '__Host-deskgate')?.value ?? ''
const handleIn = (agent: UserAgent) => handleOf(cookieOf(agent))

t.test('step-up', { skip: missingParts('redis-server') }, async t => {
  for (const way of ['corp', 'portal'] as const) {
    t.test(`${way}: new cookie, same agent, same connections on both, and the page`, async t => {
      const setup = await start(t)
      const { one, two, desk, clock } = setup
      const agent = setup.agent()
      await logIn(setup, agent, { way, at: clock.now() - minute })
      const [before, old] = [handleIn(agent), agent.cookieHeader('/')]
      const sockets = await Promise.all([one, two].map(({ port }) => openWebSocket(port, old)))
      t.same(
        sockets.map(({ status }) => status),
        [101, 101],
      )
      const streams = await Promise.all(
        [one, two].map(async ({ port }) => {
          const connection = openRaw(port)
          connection.send(rawRequest('GET /events HTTP/1.1', [`Cookie: ${old}`]))
          await connection.until(seen => seen.includes('data:'), 'event')
          return connection
        }),
      )
      t.teardown(() => {
        for (const connection of [...streams, ...sockets.map(({ raw }) => raw)]) connection.close()
      })

      const asked = new URL(await ask(agent, '/secret/7?tab=2', two))
      const xml = asked.searchParams.get('SAMLRequest')
      if (way === 'portal') t.equal(asked.searchParams.get('acr_values'), mfa)
      else {
        const request = inflateRawSync(Buffer.from(xml ?? '', 'base64')).toString()
        t.match(request, /ForceAuthn="true"/)
        t.match(request, `<saml:AuthnContextClassRef>${mfa}</saml:AuthnContextClassRef>`)
      }
      clock.move(5000)
      const { path, fields } = await answerOf(setup, asked.href, { way, context: mfa })
      const done = await agent.postCrossSite(path, fields)
      t.match(done, { status: 303, location: '/secret/7?tab=2' })
      const after = handleIn(agent)
      t.not(after, before)
      for (const at of [one, two]) {
        t.equal((await agent.visit('/secret/7?tab=2', { at })).status, 200)
        t.same(desk.last().all('x-agent-email'), ['ada@example.com'])
        const [claims = ''] = desk.last().all('x-agent-assertion')
        const payload = JSON.parse(Buffer.from(claims.split('.')[1] ?? '', 'base64url').toString())
        t.match(payload, { acr: mfa, auth_time: Math.floor(clock.now() / 1000), sid: after })
        const facts = JSON.parse((await agent.fetch('/auth/session', { at })).body)
        t.match(facts, { acr: mfa, auth_time: Math.floor(clock.now() / 1000), agent: { email: 'ada@example.com' } })
      }
      // Attack: whoever holds a copy of the old cookie.
      const thief = setup.agent()
      for (const at of [one, two]) {
        thief.cookies.length = 0
        thief.take(`__Host-deskgate=${old.split('=')[1]}; Path=/; Secure; HttpOnly; SameSite=Lax`)
        t.equal((await thief.fetch('/tickets', { at })).status, 401, 'the old cookie is refused')
        t.match((await thief.visit('/secret/1', { at })).location, '/auth/login?return_to=', 'and rides on nothing')
      }
      for (const socket of sockets) {
        socket.send('still here')
        await until(() => socket.frames().some(({ payload }) => payload.includes('heard')))
        t.equal(socket.closed(), undefined)
      }
      t.same(
        streams.map(({ socket }) => socket.destroyed),
        [false, false],
      )
      t.match(
        (await setup.one.audit()).concat(await setup.two.audit()).find(({ event }) => event === 'step_up'),
        { agent: 'ada@example.com', session: after, previous: before, acr: mfa, provider: way },
      )
      const listed = await fetch(`${one.opsUrl}/api/sessions`, { headers: { authorization: `Bearer ${adminToken}` } })
      t.match(await listed.json(), { sessions: [{ handle: after, acr: mfa }] })

      const gone = await fetch(`${two.opsUrl}/api/sessions/${before}`, {
        method: 'DELETE',
        headers: { authorization: `Bearer ${adminToken}` },
      })
      t.match(await gone.json(), { ended: 1 }, 'to end it by its old handle ends it')
      await until(() => sockets.every(socket => socket.closed()?.code === 4401))
      await until(() => streams.every(({ socket }) => socket.destroyed))
      t.equal((await agent.fetch('/tickets', { at: one })).status, 401)
    })
  }

  const refusals: [name: string, path: string, how: How, status: number, reason: string][] = [
    ['another agent', '/secret/1', { email: 'bob@example.com', context: mfa }, 409, 'login.step_up_other_agent'],
    [
      'another agent by JWT',
      '/secret/1',
      { way: 'portal', email: 'bob@example.com', context: mfa },
      409,
      'login.step_up_other_agent',
    ],
    ['a weaker context', '/secret/1', {}, 400, 'saml.context_mismatch'],
    ['another context', '/secret/1', { context: 'urn:example:key' }, 400, 'saml.context_mismatch'],
    ['a weaker acr', '/secret/1', { way: 'portal', context: '0' }, 400, 'jwt.context_mismatch'],
    ['no acr', '/secret/1', { way: 'portal' }, 400, 'jwt.context_mismatch'],
    ['an instant from before', '/secret/1', { context: mfa, at: -20 * minute }, 400, 'saml.authentication_too_old'],
    ['an older instant for a fresh page', '/fresh/1', { at: -20 * minute }, 400, 'saml.authentication_too_old'],
    ['an older auth_time', '/fresh/1', { way: 'portal', at: -20 * minute }, 400, 'jwt.authentication_too_old'],
    [
      'no auth_time',
      '/fresh/1',
      { way: 'portal', claims: { auth_time: undefined } },
      400,
      'jwt.authentication_too_old',
    ],
    ['an auth_time to come', '/fresh/1', { way: 'portal', at: 5 * minute }, 400, 'jwt.from_the_future'],
    [
      'an auth_time of before the session',
      '/secret/1',
      { way: 'portal', context: mfa, at: -40 * minute },
      400,
      'jwt.authentication_too_old',
    ],
  ]
  t.test('Attack: what does not answer it is refused, and the session stays as it was', async t => {
    const setup = await start(t)
    const { one, two, clock } = setup
    for (const [name, page, how, status, reason] of refusals) {
      const agent = setup.agent()
      const { way = 'corp' } = how
      await logIn(setup, agent, { way, at: clock.now() })
      clock.move(30 * minute)
      const before = handleIn(agent)
      const asked = await ask(agent, page)
      const at = clock.now() + (how.at ?? 0)
      const { path, fields } = await answerOf(setup, asked, { ...how, at })
      t.match(await agent.postCrossSite(path, fields, { at: two }), { status, reason }, name)
      t.equal(handleIn(agent), before)
      t.equal((await agent.visit('/tickets', { at: two })).status, 200, 'the session goes on')
      t.equal((await agent.visit(page, { at: one })).status, 302, 'and is no stronger')
    }
  })

  t.test('Attack: another provider answers', async t => {
    const setup = await start(t)
    const agent = setup.agent()
    await logIn(setup, agent)
    const asked = new URL(await ask(agent, '/secret/1'))
    const state = asked.searchParams.get('RelayState') ?? ''
    const as = `https://portal.example.com/login?${new URLSearchParams({ state })}`
    const { path, fields } = await answerOf(setup, as, { way: 'portal', context: mfa })
    t.match(await agent.postCrossSite(path, fields), { status: 400, reason: 'jwt.state_mismatch' })
    t.equal((await agent.visit('/secret/1')).status, 302)
  })

  t.test('a clock that was ahead at the login and is set back: the page asks, and the answer counts', async t => {
    const setup = await start(t)
    const { one, two, clock } = setup
    for (const [way, ahead] of [
      ['corp', 90 * minute],
      ['portal', 90 * minute],
      ['corp', 3 * minute],
      ['portal', 24 * 60 * minute],
    ] as const) {
      const agent = setup.agent()
      clock.move(ahead)
      await logIn(setup, agent, { way })
      clock.move(-ahead)
      t.equal((await agent.visit('/tickets', { at: two })).status, 200)
      const { path, fields } = await answerOf(setup, await ask(agent, '/fresh/1'), { way })
      t.match(await agent.postCrossSite(path, fields), { status: 303, location: '/fresh/1' }, `${way} ${ahead}`)
      for (const at of [one, two]) t.equal((await agent.visit('/fresh/1', { at })).status, 200)
      clock.move(20 * minute)
      t.equal((await agent.visit('/fresh/1', { at: two })).status, 302, 'and it grows old')
    }
  })

  t.test('two tabs at once, on two replicas, are one session', async t => {
    const setup = await start(t)
    const { one, two, clock } = setup
    for (const [second, first] of [
      [two, one],
      [one, one],
    ] as const) {
      const agent = setup.agent()
      await logIn(setup, agent)
      clock.move(5000)
      const socket = await openWebSocket(two.port, agent.cookieHeader('/'))
      t.teardown(() => socket.raw.close())
      const asked = [await ask(agent, '/secret/1'), await ask(agent, '/both/2')]
      const answers = await Promise.all(asked.map(to => answerOf(setup, to, { context: mfa })))
      const pages = await Promise.all(
        answers.map(({ path, fields }, i) => agent.postCrossSite(path, fields, { at: i === 0 ? first : second })),
      )
      t.same(pages.map(({ status, location }) => [status, location]).sort(), [
        [303, '/both/2'],
        [303, '/secret/1'],
      ])
      t.equal(
        pages.flatMap(({ setCookies }) => setCookies.filter(line => line.startsWith('__Host-deskgate='))).length,
        1,
      )
      for (const at of [one, two]) t.equal((await agent.visit('/secret/1', { at })).status, 200)
      const all = await fetch(`${one.opsUrl}/api/sessions?agent=ada%40example.com`, {
        headers: { authorization: `Bearer ${adminToken}` },
      })
      const { sessions } = (await all.json()) as { sessions: { handle: string }[] }
      t.same(sessions.map(({ handle }) => handle).filter(handle => handle === handleIn(agent)).length, 1)
      socket.send('x')
      await until(() => socket.frames().some(({ payload }) => payload.includes('heard')))
      t.equal(socket.closed(), undefined)
      await agent.send('/auth/logout', {})
      await until(() => socket.closed()?.code === 4401)
    }
    const left = await fetch(`${one.opsUrl}/api/sessions`, { headers: { authorization: `Bearer ${adminToken}` } })
    t.same(await left.json(), { sessions: [], cursor: null }, 'nothing is left over')
  })

  t.test('a second tab that asks for more moves the session once more', async t => {
    const setup = await start(t)
    const { two } = setup
    const agent = setup.agent()
    await logIn(setup, agent)
    const asked = [await ask(agent, '/secret/1'), await ask(agent, '/both/more/2')]
    const handles = [handleIn(agent)]
    for (const [i, context] of [mfa, 'urn:example:key'].entries()) {
      const { path, fields } = await answerOf(setup, asked[i] ?? '', { context })
      t.equal((await agent.postCrossSite(path, fields, { at: two })).status, 303)
      handles.push(handleIn(agent))
    }
    t.equal(new Set(handles).size, 3)
    t.equal((await agent.visit('/both/more/2')).status, 200)
    t.equal((await agent.visit('/secret/1')).status, 302, 'which now has another context')
  })

  t.test('Attack: a stolen attempt moves nothing', async t => {
    const setup = await start(t)
    const agent = setup.agent()
    await logIn(setup, agent)
    const asked = await ask(agent, '/secret/1')
    const thief = setup.agent()
    for (const { line, name } of agent.cookies) if (name.includes('-login.')) thief.take(line)
    const own = await answerOf(setup, asked, { context: mfa, email: 'eve@example.com' })
    t.match(await thief.postCrossSite(own.path, own.fields), { status: 409, reason: 'login.step_up_other_agent' })
    t.equal(cookieOf(thief), '')
    t.equal((await agent.visit('/tickets')).status, 200)
    const same = await answerOf(setup, asked, { context: mfa })
    t.equal((await thief.postCrossSite(same.path, same.fields)).status, 303)
    t.not(handleIn(thief), handleIn(agent), 'the agent at another browser has a session of their own')
    t.equal((await agent.visit('/tickets')).status, 200, 'and this one stays')
  })

  t.test('a session that is ended meanwhile does not come back', async t => {
    const setup = await start(t)
    const { one, two } = setup
    const agent = setup.agent()
    await logIn(setup, agent)
    const [before, old] = [handleIn(agent), agent.cookieHeader('/')]
    const asked = await ask(agent, '/secret/1')
    const headers = { authorization: `Bearer ${adminToken}` }
    await fetch(`${one.opsUrl}/api/sessions?agent=ada%40example.com`, { method: 'DELETE', headers })
    const { path, fields } = await answerOf(setup, asked, { context: mfa })
    t.equal((await agent.postCrossSite(path, fields, { at: two })).status, 303, 'it is a login like any other')
    t.not(handleIn(agent), before)
    t.equal((await agent.visit('/secret/1')).status, 200)
    const events = (await two.audit()).map(({ event }) => event)
    t.ok(events.includes('login') && !events.includes('step_up'))
    const thief = setup.agent()
    thief.take(`__Host-deskgate=${old.split('=')[1]}; Path=/; Secure; HttpOnly; SameSite=Lax`)
    t.equal((await thief.fetch('/tickets')).status, 401)
  })

  t.test('who is asked, and how', async t => {
    const setup = await start(t)
    const { one, clock, idp } = setup
    const agent = setup.agent()
    await logIn(setup, agent)
    const challenge = `Deskgate error="insufficient_user_authentication", acr_values="${mfa}"`
    const background = await agent.fetch('/secret/api?x=1')
    t.match(background, { status: 401, headers: { 'www-authenticate': challenge, 'content-type': /problem\+json/ } })
    const { loginUrl } = JSON.parse(background.body) as { loginUrl: string }
    t.equal(loginUrl, `${publicUrl}/auth/login?step_up=GET%20%2Fsecret%2Fapi`)
    const begun = await agent.visit(`${loginUrl.slice(publicUrl.length)}&return_to=%2Ftickets`)
    t.match(begun, { status: 302, location: 'https://idp.example.com/sso?SAMLRequest=' })
    const { path, fields } = await answerOf(setup, begun.location, { context: mfa })
    t.match(await agent.postCrossSite(path, fields), { status: 303, location: '/tickets' })
    t.equal((await agent.fetch('/secret/api')).status, 200)

    clock.move(16 * minute)
    const posted = await agent.send('/tickets/close', { id: '7' })
    t.match(posted, {
      status: 401,
      headers: { 'www-authenticate': `${challenge}, max_age="900"` },
      body: /href="\/auth\/login\?step_up&#61;POST%20%2Ftickets%2Fclose"/,
    })
    t.match(await agent.visit('/auth/login?step_up=POST%20%2Ftickets%2Fclose'), { location: /^https:\/\/idp/ })
    t.equal((await agent.visit('/tickets/close')).status, 200, 'its GET needs nothing')
    const stale = { 'sec-fetch-dest': 'iframe', referer: `${publicUrl}/tickets/7` }
    t.match(await agent.visit('/fresh/frame', { headers: stale }), {
      status: 401,
      body: /href="\/auth\/login\?return_to&#61;%2Ftickets%2F7&#38;step_up&#61;GET%20%2Ffresh%2Fframe"/,
    })
    const refused = await openWebSocket(one.port, agent.cookieHeader('/'), '/fresh/ws')
    t.equal(refused.status, 401)
    refused.raw.close()

    t.equal((await agent.visit('/secret/admins')).status, 403, 'no login makes an admin')
    t.equal((await agent.visit('/never/at-all')).status, 403, 'no login has two contexts')
    const stranger = setup.agent()
    t.match(await stranger.visit('/secret/1'), { status: 302, location: '/auth/login?return_to=%2Fsecret%2F1' })
    t.match((await stranger.fetch('/secret/1')).headers, { 'www-authenticate': /^Deskgate$/ })

    const now = Math.floor(clock.now() / 1000)
    const claims = { aud: 'api', exp: now + 600, acr: mfa, auth_time: now }
    const { fields: token } = await idp.jwt('ada@example.com', undefined, claims)
    const headers = { authorization: `Bearer ${token.jwt}` }
    t.equal((await stranger.fetch('/tickets', { headers })).status, 200)
    for (const page of ['/secret/1', '/fresh/1']) {
      const bearer = await stranger.fetch(page, { headers })
      t.match(bearer, { status: 403, reason: 'agent.forbidden' })
      t.notMatch(bearer.headers['www-authenticate'] ?? '', 'insufficient_user')
    }

    const order = { agent: 'ada@example.com', minutes: 30, reason: 'a test', operator: 'o' }
    const made = await fetch(`${one.opsUrl}/api/breakglass`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
      body: JSON.stringify(order),
    })
    const { url } = (await made.json()) as { url: string }
    t.equal((await stranger.send(url.slice(publicUrl.length))).status, 303)
    t.equal((await stranger.visit('/tickets')).status, 200)
    for (const page of ['/secret/1', '/fresh/1']) t.equal((await stranger.visit(page)).status, 403)
  })

  t.test('again and again, with a limit of one session for each agent', async t => {
    const setup = await start(t, { perAgent: 1 })
    const { one, two, clock } = setup
    const agent = setup.agent()
    await logIn(setup, agent)
    const socket = await openWebSocket(one.port, agent.cookieHeader('/'))
    t.teardown(() => socket.raw.close())
    for (let round = 0; round < 4; round++) {
      clock.move(16 * minute)
      const { path, fields } = await answerOf(setup, await ask(agent, '/fresh/1'))
      t.equal((await agent.postCrossSite(path, fields, { at: two })).status, 303)
      t.equal((await agent.visit('/fresh/1')).status, 200)
      socket.send('x')
      await until(() => socket.frames().length > round)
    }
    t.equal(socket.closed(), undefined)
    t.same(
      (await Promise.all([one.audit(), two.audit()])).flat().filter(({ event }) => event === 'session_ended'),
      [],
    )
    const newcomer = setup.agent()
    await logIn(setup, newcomer)
    await until(() => socket.closed()?.code === 4401)
    t.equal((await agent.fetch('/tickets')).status, 401, 'another login ends it as before')
  })
})
