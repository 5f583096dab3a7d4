// API clients: a bearer token of a provider speaks for one request, without session or cookie.

import { createLocalJWKSet, jwtVerify } from 'jose'
import t from 'tap'
import { ada, audience, publicUrl, startApiSetup } from '../parts/api-client.js'
import { portalSecret } from '../parts/identity-provider.js'
import { forged, hmac } from '../parts/tokens.js'
import { until } from '../parts/wait-until.js'

t.test('a good token: Desk learns who speaks, and nothing is left behind', async t => {
  const place = await startApiSetup(t)
  const token = place.token({ roles: ['root'], name: 'Mallory' })
  const page = await place.bearer(token)
  t.match(page, { status: 200, body: 'hello', setCookies: [] })
  const seen = place.desk.last()
  t.same(seen.all('x-agent-email'), [ada])
  t.same(seen.all('x-agent-id'), ['7'])
  t.same(seen.all('x-agent-name'), ['Ada'], 'the directory has the last word')
  t.same(seen.all('x-agent-roles'), ['agent'])
  t.same(seen.all('x-agent-provider'), ['portal'])
  t.same(seen.all('authorization'), [], 'Desk does not see the token')

  const keys = JSON.parse((await place.call({}, '/auth/jwks.json')).body)
  const [assertion = ''] = seen.all('x-agent-assertion')
  const now = new Date(place.clock.now())
  const { payload } = await jwtVerify(assertion, createLocalJWKSet(keys), { issuer: publicUrl, currentDate: now })
  t.match(payload, { sub: ada, email: ada, agent_id: '7', provider: 'portal', roles: ['agent'] })
  t.notOk('sid' in payload, 'there is no session to name')

  t.equal((await place.bearer(token)).status, 200, 'it is not used up')
  const posted = await place.call({ authorization: `bearer  ${token}` }, '/api/tickets', 'POST')
  t.equal(posted.status, 200, 'the scheme has no case (RFC 9110 11.1)')
  t.equal((await place.call({}, '/auth/session')).status, 401)
  const audit = await place.gateway.audit()
  t.same(audit, [], 'no session, and no line for each request')
})

t.test('no jti is needed, and one that is there is not used up', async t => {
  const place = await startApiSetup(t)
  const token = place.token({ jti: 'once' })
  t.equal((await place.bearer(token)).status, 200)
  t.equal((await place.bearer(token)).status, 200)
  const { jwt = '' } = (await place.idp.jwt(ada, undefined, { jti: 'once' })).fields
  t.equal((await place.newAgent().postCrossSite('/auth/jwt', { jwt })).status, 303, 'a login may have the same')
})

t.test('it ends at exp and the clock skew, also for who was let in before', async t => {
  const place = await startApiSetup(t)
  const token = place.token()
  t.equal((await place.bearer(token)).status, 200)
  place.clock.move(600_000)
  t.equal((await place.bearer(token)).status, 200, 'a minute of clock skew')
  place.clock.move(60_000)
  t.match(await place.bearer(token), { status: 401, reason: 'jwt.expired' })
  place.clock.move(-660_000)
  t.equal((await place.bearer(token)).status, 200)
  place.clock.move(-61_000)
  t.match(
    await place.bearer(token),
    { status: 401, reason: 'jwt.from_the_future' },
    'nor does a clock that is set back',
  )
})

t.test('the directory is asked for every request', async t => {
  const place = await startApiSetup(t)
  for (const [email, reason] of [
    ['eve@example.com', 'agent.unknown'],
    ['carla@example.com', 'agent.disabled'],
    ['heavy@example.com', 'agent.forbidden'],
  ] as const) {
    const token = place.token({ email })
    for (const time of ['first', 'again']) {
      const page = await place.bearer(token)
      t.match(page, { status: 403, reason, headers: { 'content-type': 'application/problem+json' } }, time)
      t.match(page.headers['www-authenticate'], `Bearer error="insufficient_scope", error_description="${reason}"`)
    }
  }
  t.equal(place.desk.seen.length, 0)
})

t.test('bearerPassThrough: Desk sees the token too', async t => {
  const place = await startApiSetup(t, { portal: { bearerPassThrough: true } })
  const token = place.token()
  await place.bearer(token)
  t.same(place.desk.last().all('authorization'), [`Bearer ${token}`])
})

t.test('public paths and the own ones ignore it', async t => {
  const place = await startApiSetup(t)
  for (const token of [place.token(), 'bad']) {
    const page = await place.call({ authorization: `Bearer ${token}` }, '/open')
    t.equal(page.status, 200)
    const seen = place.desk.last()
    t.same(seen.all('x-agent-email'), [])
    const passed = token === 'bad' ? ['Bearer bad'] : []
    t.same(seen.all('authorization'), passed, "a token for the gateway is kept from Desk, any other is Desk's")
    t.equal((await place.call({ authorization: `Bearer ${token}` }, '/auth/session')).status, 401)
    t.equal((await place.call({ authorization: `Bearer ${token}` }, '/auth/jwks.json')).status, 200)
  }
})

t.test('Attack: a token for the gateway in any spelling does not reach Desk on a public path', async t => {
  const place = await startApiSetup(t)
  const claims = { alg: 'HS256' }
  const past = place.clock.now() / 1000 - 3600
  const kept = {
    'in small letters': `bearer ${place.token()}`,
    'behind a tab and spaces': `Bearer \t ${place.token()}`,
    expired: `Bearer ${place.token({ iat: past, exp: past + 60 })}`,
    'by another key': `Bearer ${forged(claims, place.claims(), hmac('another secret that is long enough, 32 bytes'))}`,
    'of several audiences': `Bearer ${place.token({ aud: ['x', audience] })}`,
    'of somebody unknown': `Bearer ${place.token({ email: 'nobody@example.com' })}`,
  }
  for (const [name, authorization] of Object.entries(kept)) {
    t.equal((await place.call({ authorization }, '/open')).status, 200, name)
    t.same(place.desk.last().all('authorization'), [], name)
  }
  for (const authorization of [`Bearer ${place.token({ aud: 'other-api' })}`, 'Basic YTpi', 'Bearer a.b.c']) {
    t.equal((await place.call({ authorization }, '/open')).status, 200)
    t.same(place.desk.last().all('authorization'), [authorization], "Desk's own")
  }
})

t.test("another scheme is Desk's, and so is every bearer token where no provider takes one", async t => {
  const place = await startApiSetup(t)
  const agent = place.newAgent()
  const { path, fields } = await place.idp.jwt(ada)
  await agent.postCrossSite(path, fields)
  const cookie = agent.cookieHeader('/')
  for (const authorization of ['Basic YTpi', 'Token bearer', 'Bearerish x', 'Negotiate', 'DPoP a.b.c']) {
    t.equal((await place.call({ authorization, cookie })).status, 200, authorization)
    t.same(place.desk.last().all('authorization'), [authorization])
    t.equal((await place.call({ authorization })).status, 401, 'it opens nothing')
  }

  const off = await startApiSetup(t, { portal: { bearer: false } })
  const other = off.newAgent()
  const login = await off.idp.jwt(ada)
  await other.postCrossSite(login.path, login.fields)
  const authorization = `Bearer ${off.token()}`
  t.equal((await off.call({ authorization, cookie: other.cookieHeader('/') })).status, 200)
  t.same(off.desk.last().all('authorization'), [authorization])
  const page = await off.call({ authorization })
  t.match(page, { status: 401, headers: { 'www-authenticate': 'Deskgate' } })
})

t.test('several providers: each vouches by its own key', async t => {
  const second = {
    id: 'second',
    type: 'jwt',
    name: 'Second',
    loginUrl: 'https://second.example.com/login',
    secrets: ['the secret of the second, which is as long as needed'],
    bearer: true,
    bearerAudience: 'second-api',
  }
  const login = { ...second, id: 'login', name: 'Login', bearer: false, bearerAudience: undefined }
  const third = { ...login, secrets: ['the secret of a provider for logins only, long enough'] }
  const place = await startApiSetup(t)
  const settings = {
    providers: [{ ...place.idp.settings.portal, bearer: true, bearerAudience: 'desk-api' }, second, third],
  }
  const many = await startApiSetup(t, { settings })
  const by = (key: string, changes: object) => forged({ alg: 'HS256' }, many.claims({ ...changes }), hmac(key))
  t.equal((await many.bearer(by(portalSecret, {}))).status, 200)
  t.equal((await many.bearer(by(second.secrets[0] ?? '', { aud: 'second-api' }))).status, 200)
  t.same(many.desk.last().all('x-agent-provider'), ['second'])
  const crossed = await many.bearer(by(second.secrets[0] ?? '', {}))
  t.match(crossed, { status: 401, reason: 'jwt.audience_mismatch' })
  const foreign = await many.bearer(by(third.secrets[0] ?? '', {}))
  t.match(foreign, { status: 401, reason: 'jwt.signature_invalid' }, 'whoever takes no bearer tokens vouches for none')
})

t.test('a refusal is told: a log line, an audit event, a metric, and no token anywhere', async t => {
  const place = await startApiSetup(t)
  const token = place.token({ aud: 'crm' })
  const page = await place.bearer(token, { accept: 'text/html', 'sec-fetch-mode': 'navigate' })
  t.match(page, { status: 401, location: '', setCookies: [], headers: { 'cache-control': 'no-store' } })
  t.match(JSON.parse(page.body), { type: 'about:blank', status: 401, title: /./, reason: 'jwt.audience_mismatch' })
  const lines = place.gateway.lines.filter(({ msg }) => msg === 'bearer token refused')
  t.match(lines, [{ reason: 'jwt.audience_mismatch', provider: 'portal', check: { name: 'aud', seen: 'crm' } }])
  t.match(await place.gateway.audit(), [
    { event: 'bearer_refused', reason: 'jwt.audience_mismatch', address: '127.0.0.1' },
  ])
  const metrics = await (await fetch(`${place.gateway.opsUrl}/metrics`)).text()
  t.match(metrics, 'deskgate_bearer_refused_total{provider="portal",reason="jwt.audience_mismatch"} 1')
  t.match(metrics, 'deskgate_requests_total{outcome="unauthorized"} 1')
  await place.bearer(place.token({ email: 'nobody@example.com' }))
  const last = (await place.gateway.audit()).at(-1)
  t.match(last, { event: 'bearer_refused', agent: 'nobody@example.com', reason: 'agent.unknown' }, 'who it was')
  const said = page.body + JSON.stringify(place.gateway.lines) + JSON.stringify(await place.gateway.audit())
  t.notOk(said.includes(token.split('.')[2] ?? token))
  await until(() => place.gateway.lines.some(({ msg }) => msg === 'request'))
  t.match(
    place.gateway.lines.find(({ msg }) => msg === 'request'),
    { status: 401, outcome: 'unauthorized' },
  )
})

t.test(
  "Attack: a token for another provider's API clients is not a login, also since a reload has named them",
  async t => {
    const place = await startApiSetup(t, { portal: { bearer: false, bearerAudience: undefined } })
    const { portal } = place.idp.settings
    const clients = {
      ...portal,
      ...{
        id: 'clients',
        name: 'Clients',
        secrets: ['the secret of the clients, more than 32 bytes'],
        issuer: 'clients',
      },
      ...{ bearer: true, bearerAudience: 'desk-api' },
    }
    const settings = (providers: unknown[]) => ({
      publicUrl,
      desk: { url: place.desk.url },
      providers,
      agents: [{ file: 'agents.yaml' }],
    })
    const logIn = async (aud: string[]) => {
      const { path, fields } = await place.idp.jwt(ada, undefined, { aud })
      return place.newAgent().postCrossSite(path, fields)
    }
    t.equal((await logIn([publicUrl, 'desk-api'])).status, 303, 'nobody knows of it yet')
    t.match(await place.gateway.reload(settings([portal, clients])), { applied: true })
    t.match(await logIn([publicUrl, 'desk-api']), { status: 400, reason: 'jwt.audience_mismatch' })
    t.equal((await logIn([publicUrl])).status, 303)
  },
)
