// Two gateways on one Redis behind no particular load balancer: whichever a request reaches, the agent notices nothing, a
// login counts once, and a Redis that is away is said and survived.

import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import t, { type Test } from 'tap'
import { systemClock } from '../../src/runtime/clock.js'
import { type Desk, startDesk } from '../parts/desk.js'
import { type RunningGateway, startGateway } from '../parts/gateway.js'
import { begin, createIdentityProvider, logIn, type Way } from '../parts/identity-provider.js'
import { type RedisServer, startRedis } from '../parts/redis.js'
import { missingParts } from '../parts/required-parts.js'
import { createUserAgent, exchange } from '../parts/user-agent.js'
import { until } from '../parts/wait-until.js'

const publicUrl = 'https://desk.example.com'
const ways: Way[] = ['corp', 'portal']
const idp = createIdentityProvider({ publicUrl, clock: systemClock })
const agents = `- { email: ada@example.com, id: "7", name: Ada }\n- { email: bob@example.com, id: "8", name: Bob }\n`

/** Settings of one replica; all have the same. */
function settings(desk: Desk, redis: RedisServer) {
  return {
    publicUrl,
    listen: '127.0.0.1:0',
    secrets: ['the secret that all replicas share, as long as it has to be'],
    desk: { url: desk.url, public: ['GET /assets/*'] },
    providers: [idp.settings.corp, idp.settings.portal],
    agents: [{ file: 'agents.yaml' }],
    sessions: { store: { url: redis.url, keyPrefix: redis.keyPrefix } },
    ops: { listen: '127.0.0.1:0' },
  }
}

const files = { 'idp.crt': idp.certificate, 'agents.yaml': agents }

interface Pair {
  desk: Desk
  redis: RedisServer
  one: RunningGateway
  two: RunningGateway
}

async function startPair(): Promise<Pair> {
  const [desk, redis] = await Promise.all([startDesk(), startRedis({ process: 'own' })])
  const start = () => startGateway(settings(desk, redis), { files })
  const [one, two] = await Promise.all([start(), start()])
  return { desk, redis, one, two }
}

async function readiness({ opsUrl }: RunningGateway) {
  const answer = await fetch(`${opsUrl}/ready`)
  return { status: answer.status, ...((await answer.json()) as { ready: boolean; state: string; store: string }) }
}

t.test('two replicas on one Redis', { skip: missingParts('redis-server') }, async t => {
  const pair = await startPair()
  const { desk, one, two } = pair
  t.teardown(async () => {
    await Promise.all([one.stop(), two.stop()])
    await pair.redis.stop()
    await desk.close()
  })
  const newAgent = () => createUserAgent(publicUrl, one)

  for (const way of ways) {
    t.test(`${way}: begun at one, finished at the other, and at home at both`, async t => {
      const agent = newAgent()
      const stopped = await agent.visit('/tickets/7?a=b', { at: two })
      t.match(stopped, { status: 302, location: '/auth/login?return_to=%2Ftickets%2F7%3Fa%3Db' })
      const answer = await begin(agent, idp, { way, email: 'ada@example.com', returnTo: '/tickets/7?a=b' })
      const entered = await agent.postCrossSite(answer.path, answer.fields, { at: two })
      t.match(entered, { status: 303, location: '/tickets/7?a=b' })
      for (const at of [one, two]) {
        t.equal((await agent.visit('/tickets/7?a=b', { at })).status, 200)
        t.same(desk.last().all('x-agent-email'), ['ada@example.com'])
        t.same(desk.last().all('x-agent-provider'), [way])
      }
      t.same(agent.refused, [], 'every cookie is one that browsers take')
    })

    t.test(`${way}: Attack: an answer that one has accepted is refused as used by the other`, async t => {
      const agent = newAgent()
      const { path, fields } = await begin(agent, idp, { way, email: 'ada@example.com' })
      t.equal((await agent.postCrossSite(path, fields)).status, 303)
      // Somebody who saw the response pass has all of it, also the cookies of the attempt, but no session.
      const thief = newAgent()
      for (const { line, name } of agent.cookies) if (name.includes('-login.')) thief.take(line)
      const replayed = way === 'corp' ? 'saml.replayed' : 'jwt.replayed'
      t.match(await thief.postCrossSite(path, fields, { at: two }), { status: 400, reason: replayed })
      t.equal((await thief.visit('/', { at: two })).status, 302, 'and there is no session')
    })

    t.test(`${way}: Attack: the same answer at both at once, twenty times, is one session`, async t => {
      const victim = newAgent()
      const { path, fields } = await begin(victim, idp, { way, email: 'bob@example.com' })
      const browsers = Array.from({ length: 20 }, () => {
        const browser = newAgent()
        for (const { line } of victim.cookies) browser.take(line)
        return browser
      })
      const answers = await Promise.all(
        browsers.map((browser, i) => browser.postCrossSite(path, fields, { at: i % 2 === 0 ? one : two })),
      )
      const accepted = answers.filter(({ status }) => status === 303)
      t.equal(accepted.length, 1)
      // On a starved machine the store may be late: refused as well, and never let in.
      const refused = answers.filter(({ status, reason = '' }) => {
        return (
          (status === 400 && reason.endsWith('.replayed')) || (status === 503 && reason === 'session.store_unavailable')
        )
      })
      t.equal(refused.length, 19)
      t.ok(
        refused.some(({ status }) => status === 400),
        'and told that it was used',
      )
      const inside = await Promise.all(browsers.map(browser => browser.visit('/', { at: two })))
      t.equal(inside.filter(({ status }) => status === 200).length, 1)
    })
  }

  t.test('both sign with keys that either publishes', async t => {
    const agent = newAgent()
    await logIn(agent, idp, { way: 'portal', email: 'ada@example.com' })
    const jwks = await agent.fetch('/auth/jwks.json', { at: one })
    const keys = createLocalJWKSet(JSON.parse(jwks.body))
    for (const at of [one, two]) {
      await agent.visit('/', { at })
      const [assertion = ''] = desk.last().all('x-agent-assertion')
      const { payload } = await jwtVerify(assertion, keys, { issuer: publicUrl, audience: desk.url })
      t.match(payload, { sub: 'ada@example.com', agent_id: '7' })
      t.equal(decodeProtectedHeader(assertion).alg, 'ES256')
    }
    t.equal((await agent.fetch('/auth/jwks.json', { at: two })).body, jwks.body)
  })

  t.test('a logout at one ends the session at the other', async t => {
    const agent = newAgent()
    await logIn(agent, idp, { way: 'corp', email: 'ada@example.com' })
    t.equal((await agent.visit('/', { at: two })).status, 200)
    const copy = agent.cookieHeader('/')
    const out = await agent.send('/auth/logout', {}, { at: one })
    t.equal(out.headers.refresh, '0;url=https://idp.example.com/bye')
    t.notMatch(agent.cookieHeader('/'), '__Host-deskgate=', 'the browser forgets it')
    for (const at of [one, two]) {
      const answer = await exchange(at, '/', { headers: { host: 'desk.example.com', cookie: copy } })
      t.equal(answer.status, 401, 'and a copy of the cookie is worth nothing')
    }
  })

  t.test('Redis goes away and comes back', t => outage(t, pair))

  t.test('both end in an orderly way', async t => {
    t.same(await Promise.all([one.stop(), two.stop()]), [0, 0])
  })
})

async function outage(t: Test, { desk, redis, one, two }: Pair): Promise<void> {
  const agent = createUserAgent(publicUrl, one)
  const late = createUserAgent(publicUrl, two)
  await logIn(agent, idp, { way: 'portal', email: 'ada@example.com' })
  const answers = await Promise.all(
    ways.map(way => begin(late, idp, { way, email: 'bob@example.com' }).then(answer => ({ way, answer }))),
  )
  await redis.kill()
  const reached = desk.seen.length
  for (const at of [one, two]) {
    const page = await agent.visit('/tickets', { at })
    t.match(page, { status: 503, headers: { 'retry-after': /^\d+$/ } }, 'a session cookie is not "nobody"')
    t.match(page.headers['content-type'], /text\/html/)
    const asked = await agent.fetch('/api', { at })
    t.match(asked, { status: 503, headers: { 'content-type': /problem\+json/, 'retry-after': /^\d+$/ } })
    t.equal((await agent.visit('/auth/login', { at })).status, 503, 'the login page does not start a loop')
    t.equal((await late.visit('/', { at })).status, 302, 'who has no cookie is a stranger as ever')
    t.equal(desk.seen.length, reached, 'nothing protected has reached Desk')
  }
  for (const { answer } of answers) {
    const refused = await late.postCrossSite(answer.path, answer.fields)
    t.match(refused, { status: 503, reason: 'session.store_unavailable', headers: { 'retry-after': /^\d+$/ } })
    t.same(
      refused.setCookies.filter(line => line.startsWith('__Host-deskgate=')),
      [],
    )
  }
  t.equal((await agent.visit('/assets/desk.css')).status, 200, 'public paths still pass')
  t.same(desk.last().all('x-agent-email'), [])
  t.match(await agent.send('/auth/logout'), { status: 503 }, 'a logout that did not happen is not said to have')
  t.match(agent.cookieHeader('/'), '__Host-deskgate=', 'and can be tried again')
  await until(async () => (await readiness(one)).store === 'down')
  t.match(await readiness(one), { status: 200, ready: true, state: 'serving', store: 'down' })
  const third = await startGateway(settings(desk, redis), { files })
  t.teardown(() => third.stop())
  t.match(await readiness(third), { status: 503, ready: false, state: 'starting', store: 'never reached' })

  await redis.start()
  await until(async () => (await readiness(third)).ready)
  t.match(await readiness(third), { status: 200, state: 'serving', store: 'up' })
  for (const at of [one, two, third]) {
    const newcomer = createUserAgent(publicUrl, at)
    const entered = async () => (await logIn(newcomer, idp, { way: 'corp', email: 'ada@example.com' })).status === 303
    await until(entered)
    t.equal((await newcomer.visit('/')).status, 200)
  }
  // Redis came back empty: agents log in again, and nobody is told to wait.
  t.equal((await agent.visit('/', { at: two })).status, 302)
  // An answer that was refused while the store was away is good as soon as it is back.
  for (const { answer } of answers) {
    t.match(await late.postCrossSite(answer.path, answer.fields), { status: 303 })
  }
}
