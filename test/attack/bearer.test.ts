// Attacks with bearer tokens, over HTTP: each is refused with its reason, opens nothing, and nothing else opens in its place.

import { generateKeyPairSync } from 'node:crypto'
import { exportJWK } from 'jose'
import t from 'tap'
import { ada, audience, newJti, startApiSetup } from '../parts/api-client.js'
import { startHttpServer } from '../parts/http-server.js'
import { portalSecret } from '../parts/identity-provider.js'
import { sendRaw } from '../parts/raw-http.js'
import { ecdsa, forged, hmac } from '../parts/tokens.js'

t.test('claims that no bearer token may have', async t => {
  const place = await startApiSetup(t)
  const iat = place.clock.now() / 1000
  const cases: [string, object, string][] = [
    ['no email', { email: undefined }, 'jwt.claim_missing'],
    ['no iat', { iat: undefined }, 'jwt.claim_missing'],
    ['no exp', { exp: undefined }, 'jwt.claim_missing'],
    ['exp a second too far', { exp: iat + 3601 }, 'jwt.claim_invalid'],
    ['exp in a hundred years', { exp: iat + 3_155_760_000 }, 'jwt.claim_invalid'],
    ['a long life, nearly over', { iat: iat - 7200, exp: iat + 60 }, 'jwt.claim_invalid'],
    ['expired', { iat: iat - 600, exp: iat - 60 }, 'jwt.expired'],
    ['exp null', { exp: null }, 'jwt.claim_invalid'],
    ['exp as a string', { exp: `${iat + 60}` }, 'jwt.claim_invalid'],
    ['iat ahead', { iat: iat + 61, exp: iat + 120 }, 'jwt.from_the_future'],
    ['nbf ahead', { nbf: iat + 61 }, 'jwt.not_yet_valid'],
    ['no audience', { aud: undefined }, 'jwt.audience_mismatch'],
    ['another audience', { aud: 'crm' }, 'jwt.audience_mismatch'],
    ['another case', { aud: audience.toUpperCase() }, 'jwt.audience_mismatch'],
    ['two audiences', { aud: [audience, 'crm'] }, 'jwt.audience_mismatch'],
    ['the audience twice', { aud: [audience, audience] }, 'jwt.audience_mismatch'],
    ['an empty list', { aud: [] }, 'jwt.audience_mismatch'],
    ['an audience of another type', { aud: { [audience]: true } }, 'jwt.claim_invalid'],
    ['email as a list', { email: [ada] }, 'jwt.claim_invalid'],
    ['email not verified', { email_verified: false }, 'jwt.claim_invalid'],
  ]
  t.equal(
    (await place.bearer(place.token({ exp: iat + 3600, aud: [audience] }))).status,
    200,
    'an hour is not too long',
  )
  place.desk.seen.length = 0
  for (const [name, claims, reason] of cases) {
    const page = await place.bearer(place.token({ ...claims }))
    t.match(page, { status: 401, reason, headers: { 'content-type': 'application/problem+json' } }, name)
    t.equal(page.headers['www-authenticate'], `Bearer error="invalid_token", error_description="${reason}"`)
  }
  t.same(place.desk.seen, [], 'nothing reaches Desk')
})

t.test('what is not a token, or not signed by the provider', async t => {
  const place = await startApiSetup(t)
  const good = place.token()
  const [header, payload] = good.split('.')
  const cases: [string, string][] = [
    ['', 'jwt.malformed'],
    ['x', 'jwt.malformed'],
    [`${good}.x`, 'jwt.malformed'],
    [`${good}=`, 'jwt.malformed'],
    [`${good} `.padEnd(9000, 'x'), 'jwt.malformed'],
    [`"${good}"`, 'jwt.malformed'],
    [`${good},${good}`, 'jwt.malformed'],
    [`${header}.${payload}.`, 'jwt.signature_invalid'],
    [forged({ alg: 'none' }, place.claims(), () => ''), 'jwt.algorithm_not_allowed'],
    [forged({ alg: 'HS512' }, place.claims(), hmac(portalSecret, 'sha512')), 'jwt.algorithm_not_allowed'],
    [forged({ alg: 'HS256', typ: 'logout+jwt' }, place.claims(), hmac(portalSecret)), 'jwt.malformed'],
    [forged({ alg: 'HS256', crit: ['exp'] }, place.claims(), hmac(portalSecret)), 'jwt.malformed'],
    [
      forged({ alg: 'HS256' }, place.claims(), hmac('another secret that is long enough for it')),
      'jwt.signature_invalid',
    ],
  ]
  for (const [token, reason] of cases) {
    t.match(await place.bearer(token), { status: 401, reason }, `${token.slice(0, 30)} …`)
  }
  t.match(await place.call({ authorization: 'Bearer' }), { status: 401, reason: 'jwt.malformed' }, 'a scheme alone')
  t.match(await place.call({ authorization: 'BEARER\tx' }), { status: 401, reason: 'jwt.malformed' }, 'a tab')
  t.same(place.desk.seen, [])
})

t.test('a bad token never falls back to the cookie beside it', async t => {
  const place = await startApiSetup(t)
  const agent = place.newAgent()
  const login = await place.idp.jwt(ada)
  await agent.postCrossSite(login.path, login.fields)
  const cookie = agent.cookieHeader('/')
  t.equal((await place.call({ cookie })).status, 200)
  place.desk.seen.length = 0
  for (const token of ['', 'x', place.token({ aud: 'crm' })]) {
    t.equal((await place.bearer(token, { cookie })).status, 401)
  }
  t.equal((await place.bearer(place.token({ email: 'carla@example.com' }), { cookie })).status, 403)
  t.same(place.desk.seen, [])
})

t.test(
  'a good token and a cookie of somebody else: the token speaks, and the cookie is neither used nor kept alive',
  async t => {
    const place = await startApiSetup(t, { settings: { agents: [{ any: true }] } })
    const agent = place.newAgent()
    const login = await place.idp.jwt('bob@example.com')
    await agent.postCrossSite(login.path, login.fields)
    t.equal((await place.bearer(place.token(), { cookie: agent.cookieHeader('/') })).status, 200)
    t.same(place.desk.last().folded('x-agent-email'), [ada])
    t.same(place.desk.last().all('cookie'), [])
  },
)

t.test('two Authorization lines could be read in two ways', async t => {
  const place = await startApiSetup(t)
  const token = place.token()
  for (const [one, two] of [
    [`Bearer ${token}`, `Bearer ${token}`],
    [`Bearer ${token}`, 'Basic YTpi'],
    ['Basic YTpi', `Bearer ${token}`],
    ['Basic YTpi', 'Bearer x'],
  ]) {
    const lines = `Authorization: ${one}\r\naUTHORIZATION: ${two}\r\n`
    const answer = await sendRaw(place.gateway.port, `GET / HTTP/1.1\r\nHost: desk.example.com\r\n${lines}\r\n`)
    t.equal(answer.status, 401)
    t.match(answer.body.toString(), 'jwt.malformed')
  }
  t.same(place.desk.seen, [])
})

t.test('Connection cannot hide the token from the gateway, nor bring it past it', async t => {
  const place = await startApiSetup(t)
  const head = `Host: desk.example.com\r\nConnection: close, Authorization\r\n`
  const bad = await sendRaw(place.gateway.port, `GET / HTTP/1.1\r\n${head}Authorization: Bearer x\r\n\r\n`)
  t.equal(bad.status, 401)
  const good = await sendRaw(
    place.gateway.port,
    `GET / HTTP/1.1\r\n${head}Authorization: Bearer ${place.token()}\r\n\r\n`,
  )
  t.equal(good.status, 200)
  t.same(place.desk.last().all('authorization'), [])
  t.same(place.desk.last().all('x-agent-email'), [ada])
})

t.test('a token for the API is not a login, and one for a login is none for the API', async t => {
  for (const bearer of [true, false]) {
    const place = await startApiSetup(t, { portal: { bearer } })
    for (const aud of [audience, [audience], [audience, 'desk'], ['desk', audience]]) {
      const jwt = place.token({ aud, jti: newJti() })
      for (const path of ['/auth/jwt', '/auth/jwt/callback', '/auth/jwt/portal']) {
        const page = await place.newAgent().postCrossSite(path, { jwt })
        t.match(
          page,
          { status: 400, reason: 'jwt.audience_mismatch' },
          `${JSON.stringify(aud)} at ${path}, bearer ${bearer}`,
        )
      }
    }
  }
  const place = await startApiSetup(t, { portal: { audience: 'desk' } })
  const { jwt = '' } = (await place.idp.jwt(ada, undefined, { aud: 'desk', exp: place.clock.now() / 1000 + 60 })).fields
  t.match(await place.bearer(jwt), { status: 401, reason: 'jwt.audience_mismatch' })
  t.equal((await place.newAgent().postCrossSite('/auth/jwt', { jwt })).status, 303)
})

t.test('a token for the API is not a login at another provider that has the same keys', async t => {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const keys = JSON.stringify({ keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'e1' }] })
  const server = await startHttpServer((_, response) => void response.end(keys))
  t.teardown(server.close)
  const common = { type: 'jwt', loginUrl: 'https://idp.example.com/login' }
  const providers = [
    { ...common, id: 'api', name: 'API', jwks: `${server.url}/api`, bearer: true, bearerAudience: audience },
    { ...common, id: 'people', name: 'People', jwks: `${server.url}/people` },
  ]
  const place = await startApiSetup(t, { settings: { providers } })
  const token = forged({ alg: 'ES256', kid: 'e1' }, place.claims({ jti: newJti() }), ecdsa(pair.privateKey))
  t.equal((await place.bearer(token)).status, 200)
  t.match(await place.newAgent().postCrossSite('/auth/jwt/people', { jwt: token }), {
    status: 400,
    reason: 'jwt.audience_mismatch',
  })
})
