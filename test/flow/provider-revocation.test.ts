// POST /auth/revoke: an identity provider ends the access of its people, and of nobody else.

import { generateKeyPairSync } from 'node:crypto'
import t, { type Test } from 'tap'
import { createTestClock } from '../parts/clock.js'
import { agree, startDesk } from '../parts/desk.js'
import { startInProcessGateway } from '../parts/gateway.js'
import { begin, createIdentityProvider, logIn, portalSecret, type Way } from '../parts/identity-provider.js'
import {
  byEmail,
  bySubject,
  callRevoke,
  createRevocationCaller,
  endpoint,
  type RevocationCaller,
} from '../parts/revocation-caller.js'
import { forged, hmac, rsa } from '../parts/tokens.js'
import { createUserAgent } from '../parts/user-agent.js'
import { until } from '../parts/wait-until.js'
import { openWebSocket } from '../parts/websocket.js'

const publicUrl = 'https://desk.example.com'
const adminToken = 'the-admin-token-of-this-test-long-enough'
const [ada, bob] = ['ada@example.com', 'bob@example.com']

/** Two providers, of which `corp` (SAML) and, unless told otherwise, `portal` may revoke. */
async function start(t: Test, options: { portal?: object; settings?: object } = {}) {
  const clock = createTestClock()
  const idp = createIdentityProvider({ publicUrl, clock })
  const [okta, other] = [createRevocationCaller(), createRevocationCaller({ issuer: 'https://other.okta.com' })]
  const desk = await startDesk()
  desk.onUpgrade(agree)
  const revocationOf = ({ issuer }: RevocationCaller, jwks: string) => ({ jwks, issuer })
  const settings = {
    publicUrl,
    desk: { url: desk.url },
    providers: [
      { ...idp.settings.corp, revocation: revocationOf(okta, 'okta.json') },
      {
        ...idp.settings.portal,
        ...{ bearer: true, bearerAudience: 'desk-api', revocation: revocationOf(other, 'other.json') },
        ...options.portal,
      },
    ],
    agents: [{ domains: ['example.com'] }],
    ops: { adminToken },
    ...options.settings,
  }
  const files = { 'idp.crt': idp.certificate, 'okta.json': okta.jwks, 'other.json': other.jwks }
  const gateway = await startInProcessGateway(settings, { clock, files })
  t.teardown(async () => {
    await gateway.close()
    await desk.close()
  })
  const enter = async (email: string, way: Way = 'corp') => {
    const agent = createUserAgent(publicUrl, gateway)
    const page = await logIn(agent, idp, { way, email })
    return { agent, page }
  }
  const bearer = (changes: object = {}) => {
    const iat = clock.now() / 1000
    const claims = { email: ada, aud: 'desk-api', iat, exp: iat + 600, ...changes }
    return forged({ alg: 'HS256', typ: 'JWT' }, claims, hmac(portalSecret))
  }
  return { clock, idp, okta, other, desk, gateway, settings, files, enter, bearer }
}

type Setup = Awaited<ReturnType<typeof start>>
const statusOf = async ({ agent }: Awaited<ReturnType<Setup['enter']>>) => (await agent.fetch('/tickets')).status

t.test('one call ends every session of the person at that provider, and no other', async t => {
  const setup = await start(t)
  const { clock, okta, gateway, enter } = setup
  const [first, second] = [await enter(ada), await enter(ada)]
  const [elsewhere, colleague] = [await enter(ada, 'portal'), await enter(bob)]
  const socket = await openWebSocket(gateway.port, first.agent.cookieHeader('/'))
  t.equal(socket.status, 101)
  const answer = await callRevoke(gateway, okta.token(clock.now()), byEmail('Ada@Example.com'))
  t.match(answer, { status: 204, body: '', setCookies: [] })
  await until(() => socket.closed() !== undefined)
  t.match(socket.closed(), { code: 4401 })
  t.equal(await statusOf(first), 401)
  t.equal(await statusOf(second), 401)
  t.equal(await statusOf(elsewhere), 200, 'another provider vouches for that session')
  t.equal(await statusOf(colleague), 200)
  const audit = await gateway.audit()
  const ended = audit.filter(({ event }) => event === 'session_ended')
  t.equal(ended.length, 2)
  t.match(ended[0], { agent: ada, provider: 'corp', by: 'provider', why: 'access ended by the identity provider' })
  t.match(audit.at(-1), { event: 'access_revoked', agent: ada, provider: 'corp', address: '127.0.0.1' })
})

t.test('a new login works, an old answer and an old token do not', async t => {
  const { clock, idp, okta, other, gateway, enter, bearer } = await start(t)
  const late = createUserAgent(publicUrl, gateway)
  const [saml, jwt] = [
    await begin(late, idp, { way: 'corp', email: ada }),
    await begin(late, idp, { way: 'portal', email: ada }),
  ]
  const old = bearer()
  const call = (token: string) =>
    callRevoke(gateway, token, undefined, { method: 'GET', path: '/tickets', headers: {} })
  t.equal((await call(old)).status, 200)
  const socket = await openBearerSocket(gateway.port, old)
  t.equal(socket.status, 101)
  clock.move(1000)
  for (const caller of [okta, other]) {
    t.equal((await callRevoke(gateway, caller.token(clock.now()), byEmail(ada))).status, 204)
  }
  await until(() => socket.closed() !== undefined)
  t.match(socket.closed(), { code: 4401 }, 'the socket of the bearer token is closed at once')
  t.match(await call(old), { status: 401, reason: 'jwt.too_old' })
  clock.move(1000)
  t.match(await late.postCrossSite(saml.path, saml.fields), { status: 400, reason: 'saml.authentication_too_old' })
  const refused = await late.postCrossSite(jwt.path, jwt.fields)
  t.match(refused, { status: 400, reason: 'jwt.too_old' })
  const report = await fetch(`${gateway.opsUrl}/api/logins/${refused.reference}`, {
    headers: { authorization: `Bearer ${adminToken}` },
  })
  const { checks } = (await report.json()) as { checks: object[] }
  t.match(checks.at(-1), {
    name: 'access not ended by the provider',
    ok: false,
    setting: 'providers[].revocation',
    hint: /ended this person's access after issuing this/,
  })
  t.equal((await call(bearer())).status, 200, 'what was issued since')
  for (const way of ['corp', 'portal'] as const) t.equal((await enter(ada, way)).page.status, 303)
})

t.test('iss_sub: the NameID of a SAML login, the external_id of a JWT login', async t => {
  const { clock, idp, okta, other, gateway, enter } = await start(t)
  const own = await enter(ada)
  const portal = createUserAgent(publicUrl, gateway)
  const { path, fields } = await idp.jwt(bob, undefined, { external_id: 4711 })
  t.equal((await portal.postCrossSite(path, fields)).status, 303)
  const call = (caller: RevocationCaller, iss: string, sub: string) =>
    callRevoke(gateway, caller.token(clock.now()), bySubject(iss, sub))
  t.equal((await call(okta, 'https://idp.example.com/metadata', 'nobody')).status, 204)
  t.match(await call(okta, 'https://else.example.com', ada), { status: 400, reason: 'jwt.issuer_mismatch' })
  t.equal(await statusOf(own), 200)
  t.equal((await call(okta, okta.issuer, ada)).status, 204)
  t.equal(await statusOf(own), 401)
  t.equal((await portal.fetch('/tickets')).status, 200)
  const { path: again, fields: answer } = await idp.jwt(bob, undefined, { external_id: '4711' })
  t.equal((await call(other, other.issuer, '4711')).status, 204)
  t.equal((await portal.fetch('/tickets')).status, 401)
  clock.move(1000)
  const fresh = createUserAgent(publicUrl, gateway)
  t.match(await fresh.postCrossSite(again, answer), { reason: 'jwt.too_old' }, 'and the mark is by that name')
})

t.test('Attack: bad calls end nothing, and each has its reason', async t => {
  const setup = await start(t)
  const { clock, idp, okta, other, gateway, enter } = setup
  const victim = await enter(ada)
  const now = clock.now()
  const seconds = now / 1000
  const used = okta.token(now)
  t.equal((await callRevoke(gateway, used, byEmail(bob))).status, 204)
  const weak = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const login = (await idp.jwt(ada)).fields.jwt ?? ''
  const tokens: [string, string | undefined, string][] = [
    ['no token', undefined, 'jwt.malformed'],
    ['no JWT', 'abc', 'jwt.malformed'],
    ['another signature', okta.token(now, {}, { signer: rsa(weak) }), 'jwt.signature_invalid'],
    ["another provider's key", okta.token(now, {}, { signer: rsa(other.key) }), 'jwt.signature_invalid'],
    ['an unknown key', okta.token(now, {}, { header: { kid: 'okta-2' } }), 'jwt.signature_invalid'],
    [
      'HMAC by the public key',
      okta.token(now, {}, { header: { alg: 'HS256' }, signer: hmac(okta.jwks) }),
      'jwt.algorithm_not_allowed',
    ],
    ['none', okta.token(now, {}, { header: { alg: 'none' }, signer: () => '' }), 'jwt.algorithm_not_allowed'],
    ['another issuer', okta.token(now, { iss: 'https://evil.example.com' }), 'jwt.issuer_mismatch'],
    ['the issuer of another provider', okta.token(now, { iss: other.issuer }), 'jwt.signature_invalid'],
    ['no issuer', okta.token(now, { iss: undefined }), 'jwt.claim_missing'],
    ['another audience', okta.token(now, { aud: 'https://elsewhere.example.com/revoke' }), 'jwt.audience_mismatch'],
    ['publicUrl alone', okta.token(now, { aud: publicUrl }), 'jwt.audience_mismatch'],
    ['replayed', used, 'jwt.replayed'],
    ['from the future', okta.token(now, { iat: seconds + 61, exp: seconds + 300 }), 'jwt.from_the_future'],
    ['expired', okta.token(now, { iat: seconds - 400, exp: seconds - 61 }), 'jwt.expired'],
    ['without an end', okta.token(now, { exp: undefined }), 'jwt.claim_missing'],
    ['good for a day', okta.token(now, { exp: seconds + 86_400 }), 'jwt.claim_invalid'],
    ['without jti', okta.token(now, { jti: undefined }), 'jwt.claim_missing'],
    ['a jti that is none', okta.token(now, { jti: 7 }), 'jwt.claim_invalid'],
    ['typ JWT', okta.token(now, {}, { header: { typ: 'JWT' } }), 'jwt.malformed'],
    ['no typ', okta.token(now, {}, { header: { typ: undefined } }), 'jwt.malformed'],
    ['a logout token', okta.token(now, {}, { header: { typ: 'logout+jwt' } }), 'jwt.malformed'],
    ['a login token', login, 'jwt.malformed'],
    ['a bearer token', setup.bearer(), 'jwt.malformed'],
  ]
  for (const [name, token, reason] of tokens) {
    const page = await callRevoke(gateway, token, byEmail(ada))
    t.match(page, { status: 401, reason, headers: { 'www-authenticate': /^Bearer error="invalid_token"/ } }, name)
    t.match(page.headers['content-type'], 'application/problem+json')
  }
  const bodies: [string, unknown, string][] = [
    ['no subject', {}, 'jwt.claim_missing'],
    ['no body', '', 'jwt.malformed'],
    ['no JSON', '{', 'jwt.malformed'],
    ['an array', [byEmail(ada)], 'jwt.malformed'],
    [
      'two subjects',
      `{"sub_id":{"format":"email","email":"${bob}"},"sub_id":{"format":"email","email":"${ada}"}}`,
      'jwt.malformed',
    ],
    ['two names for it', { ...byEmail(ada), subject: { format: 'email', email: bob } }, 'jwt.claim_missing'],
    ['a text', { sub_id: ada }, 'jwt.claim_missing'],
    ['a list of one', { sub_id: [{ format: 'email', email: ada }] }, 'jwt.claim_missing'],
    ['a list of two', { sub_id: [{ format: 'email', email: ada }, byEmail(bob)] }, 'jwt.claim_missing'],
    ['a list in the older name', { subject: [[{ format: 'email', email: ada }]] }, 'jwt.claim_missing'],
    ['another format', { sub_id: { format: 'opaque', id: ada } }, 'jwt.claim_invalid'],
    ['no address', { sub_id: { format: 'email', email: 'ada' } }, 'jwt.claim_invalid'],
    ['two addresses', { sub_id: { format: 'email', email: [ada, bob] } }, 'jwt.claim_invalid'],
    ['more members', { sub_id: { format: 'email', email: ada, sub: 'x' } }, 'jwt.claim_invalid'],
    ['no sub', { sub_id: { format: 'iss_sub', iss: okta.issuer } }, 'jwt.claim_invalid'],
    ['an empty sub', bySubject(okta.issuer, ''), 'jwt.claim_invalid'],
    ['the issuer of another', bySubject(other.issuer, ada), 'jwt.issuer_mismatch'],
    ['longer than it is read', JSON.stringify({ ...byEmail(ada), x: 'x'.repeat(17_000) }), ''],
  ]
  for (const [name, body, reason] of bodies) {
    const token = okta.token(clock.now())
    const page = await callRevoke(gateway, token, body)
    if (reason === '') t.equal(page.status, 413, name)
    else t.match(page, { status: 400, reason }, name)
    const again = await callRevoke(gateway, token, byEmail('nobody@example.com'))
    t.equal(again.status, 204, `${name}: the token is not used up`)
  }
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  t.equal((await callRevoke(gateway, okta.token(now), `email=${ada}`, { headers: form })).status, 415)
  t.equal(await statusOf(victim), 200)
  const lines = gateway.lines.filter(({ msg }) => msg === 'revocation refused')
  t.equal(lines.length, tokens.length + bodies.length - 1)
  const audit = await gateway.audit()
  const refusals = audit.filter(({ event }) => event === 'revocation_refused')
  t.equal(refusals.length, lines.length)
  t.notMatch(JSON.stringify([lines, refusals]), /eyJ|ada@example/, 'no token, and no address that nobody vouched for')
})

t.test('a revocation token never logs anybody in, and opens no API', async t => {
  const { clock, other, gateway } = await start(t)
  const token = other.token(clock.now(), { email: ada, aud: [endpoint, 'desk-api'] })
  const agent = createUserAgent(publicUrl, gateway)
  for (const path of ['/auth/jwt', '/auth/jwt/portal', '/auth/jwt/callback']) {
    t.match(await agent.postCrossSite(path, { jwt: token }), { status: 400, reason: 'jwt.malformed' })
  }
  const headers = { authorization: `Bearer ${token}` }
  t.match(await agent.fetch('/tickets', { headers }), { status: 401, reason: 'jwt.malformed' })
})

t.test('off unless it is set; other methods; switched by a reload', async t => {
  const { clock, okta, gateway, settings, files, enter } = await start(t)
  const post = () => callRevoke(gateway, okta.token(clock.now()), byEmail(ada))
  for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS']) {
    t.match(await callRevoke(gateway, undefined, undefined, { method }), { status: 405, headers: { allow: 'POST' } })
  }
  t.equal((await callRevoke(gateway, undefined, undefined, { method: 'HEAD' })).status, 405)
  const { providers } = settings
  const off = { ...settings, providers: providers.map(one => ({ ...one, revocation: null })) }
  t.match(await gateway.reload(off, files), { applied: true })
  const inside = await enter(ada)
  for (const method of ['POST', 'GET', 'PUT']) {
    const page = await callRevoke(gateway, okta.token(clock.now()), byEmail(ada), { method })
    t.equal(page.status, 404, method)
  }
  t.equal(await statusOf(inside), 200)
  t.match(await gateway.reload(settings, files), { applied: true })
  t.equal((await post()).status, 204)
  t.equal(await statusOf(inside), 401)
  const elsewhere = {
    ...settings,
    providers: providers.map(one => ({ ...one, revocation: { ...one.revocation, audience: 'desk' } })),
  }
  t.match(await gateway.reload(elsewhere, files), { applied: true })
  t.match(await post(), { status: 401, reason: 'jwt.audience_mismatch' })
  t.equal((await callRevoke(gateway, okta.token(clock.now(), { aud: ['desk', 'x'] }), byEmail(ada))).status, 204)
})

t.test('two applications of one issuer: a call speaks for both', async t => {
  const okta = createRevocationCaller()
  const { clock, gateway, settings, files, enter } = await start(t)
  const both = settings.providers.map(one => ({ ...one, revocation: { jwks: 'both.json', issuer: okta.issuer } }))
  const next = { ...settings, providers: both }
  t.match(await gateway.reload(next, { ...files, 'both.json': okta.jwks }), { applied: true })
  const [saml, jwt] = [await enter(ada), await enter(ada, 'portal')]
  const token = okta.token(clock.now())
  t.equal((await callRevoke(gateway, token, byEmail(ada))).status, 204)
  t.same([await statusOf(saml), await statusOf(jwt)], [401, 401])
  t.match(await callRevoke(gateway, token, byEmail(bob)), { reason: 'jwt.replayed' })
})

t.test('two applications of one issuer, each with an audience of its own: each is asked', async t => {
  const okta = createRevocationCaller()
  const { clock, gateway, settings, files, enter } = await start(t)
  const audiences = ['https://one.example.com', 'https://two.example.com']
  const providers = settings.providers.map((one, at) => ({
    ...one,
    revocation: { jwks: 'both.json', issuer: okta.issuer, audience: audiences[at] },
  }))
  t.match(await gateway.reload({ ...settings, providers }, { ...files, 'both.json': okta.jwks }), { applied: true })
  const ways: Way[] = ['corp', 'portal']
  for (const [at, meant] of ways.entries()) {
    const inside = await Promise.all(ways.map(way => enter(ada, way)))
    const token = okta.token(clock.now(), { aud: audiences[at] })
    t.equal((await callRevoke(gateway, token, byEmail(ada))).status, 204, meant)
    t.same(await Promise.all(inside.map(statusOf)), at === 0 ? [401, 200] : [200, 401])
    clock.move(1000)
  }
  const both = await Promise.all(ways.map(way => enter(ada, way)))
  t.equal((await callRevoke(gateway, okta.token(clock.now(), { aud: audiences }), byEmail(ada))).status, 204)
  t.same(await Promise.all(both.map(statusOf)), [401, 401])
  const elsewhere = okta.token(clock.now(), { aud: 'https://three.example.com' })
  t.match(await callRevoke(gateway, elsewhere, byEmail(ada)), { status: 401, reason: 'jwt.audience_mismatch' })
})

t.test('Attack: a thousand bad calls a second: most are refused unread, and good work goes on', async t => {
  const { clock, okta, gateway, enter } = await start(t, { settings: { limits: { logins: '60/m' } } })
  const inside = await enter(bob)
  const weak = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const bad = okta.token(clock.now(), {}, { signer: rsa(weak) })
  const began = performance.now()
  const statuses: number[] = []
  for (let round = 0; round < 20; round++) {
    const pages = await Promise.all(Array.from({ length: 50 }, () => callRevoke(gateway, bad, byEmail(bob))))
    statuses.push(...pages.map(({ status }) => status))
  }
  t.comment(`1000 calls in ${(performance.now() - began).toFixed()} ms`)
  const unread = statuses.filter(status => status === 429).length
  t.ok(unread > 800, `${unread} were refused unread`)
  t.same([...new Set(statuses)].sort(), [401, 429])
  t.equal(await statusOf(inside), 200)
  t.equal((await enter(ada)).page.status, 303, 'logins have a limit of their own')
  clock.move(60_000)
  t.equal((await callRevoke(gateway, okta.token(clock.now()), byEmail(bob))).status, 204)
})

async function openBearerSocket(port: number, token: string) {
  return openWebSocket(port, `x=1\r\nAuthorization: Bearer ${token}`)
}
