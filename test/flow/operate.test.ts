// What an operator meets while the gateway runs: reloads one by one, certificates that change under open connections,
// probes of their own, limits on refused logins and on wrong tokens, and an overloaded process.

import { once } from 'node:events'
import { connect, type TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import type { ProcessLoad } from '../../src/ops/load-shedding.js'
import { systemClock } from '../../src/runtime/clock.js'
import { longSecret, rsaPair } from '../parts/configuration.js'
import { type Desk, startDesk } from '../parts/desk.js'
import { type InProcessGateway, startInProcessGateway } from '../parts/gateway.js'
import { startHttpServer } from '../parts/http-server.js'
import { createIdentityProvider, logIn } from '../parts/identity-provider.js'
import { idpMetadata } from '../parts/idp-metadata.js'
import { openRaw, sendRaw } from '../parts/raw-http.js'
import { createUserAgent } from '../parts/user-agent.js'
import { until } from '../parts/wait-until.js'

const publicUrl = 'https://desk.example.com'
const token = longSecret('token')
const key = Buffer.alloc(16).toString('base64')
const idp = createIdentityProvider({ publicUrl, clock: systemClock })

interface Site {
  gateway: InProcessGateway
  desk: Desk
  settings(changes?: Record<string, unknown>): Record<string, unknown>
  ask(
    path: string,
    options?: { bearer?: string; method?: string },
  ): Promise<{ status: number; headers: Headers; json: unknown }>
}

async function open(
  t: Test,
  changes: Record<string, unknown> = {},
  more: { files?: Record<string, string>; measure?: () => ProcessLoad } = {},
): Promise<Site> {
  const desk = await startDesk()
  const settings = (now: Record<string, unknown> = {}) => ({
    publicUrl,
    desk: { url: desk.url, public: ['/open'] },
    providers: [idp.settings.corp, idp.settings.portal],
    agents: [{ domains: ['example.com'] }],
    ...changes,
    ...now,
  })
  const gateway = await startInProcessGateway(settings(), {
    ...more,
    files: { 'idp.crt': idp.certificate, ...more.files },
  })
  t.teardown(async () => {
    await gateway.close()
    await desk.close()
  })
  return {
    gateway,
    desk,
    settings,
    async ask(path, { bearer, method = 'GET' } = {}) {
      const headers = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }
      const answer = await fetch(gateway.opsUrl + path, { method, headers })
      const body = await answer.text()
      const json = answer.headers.get('content-type')?.includes('json') ? JSON.parse(body) : body
      return { status: answer.status, headers: answer.headers, json }
    },
  }
}

t.test('a request keeps the settings that it began with, and the old ones are closed after it', async t => {
  const { gateway, desk, settings } = await open(t)
  const other = await startDesk()
  t.teardown(other.close)
  const agent = createUserAgent(publicUrl, gateway)
  t.equal((await logIn(agent, idp, { way: 'portal', email: 'ada@example.com' })).status, 303)
  let answer = () => {}
  const reached = new Promise<void>(resolve => {
    desk.onRequest((_request, response) => {
      answer = () => response.end('the old one')
      resolve()
    })
  })
  const slow = agent.visit('/slow')
  await reached
  const result = await gateway.reload(settings({ desk: { url: other.url } }))
  t.match(result, { applied: true, changed: ['desk.url', 'desk.public'] })
  t.equal((await agent.visit('/quick')).status, 200)
  t.equal(other.seen.length, 1, 'the new one serves what begins now')
  answer()
  t.match(await slow, { status: 200, body: 'the old one' })
  t.equal((await agent.visit('/')).status, 200, 'and nobody is logged out')
})

t.test('what is wrong changes nothing, and is said everywhere', async t => {
  const { gateway, settings, ask } = await open(t, { ops: { adminToken: token } })
  const bad = await gateway.reload(settings({ agents: [], listen: '127.0.0.1:1' }))
  t.match(bad, { applied: false, problems: [{ key: 'listen' }, { key: 'agents' }] })
  t.match(await ask('/ready'), {
    status: 200,
    json: { ready: true, config: 'rejected', problems: [/listen/, /agents/] },
  })
  t.match((await ask('/metrics')).json, /^deskgate_config_rejected 1$/m)
  t.equal((await createUserAgent(publicUrl, gateway).visit('/open')).status, 200)
  t.match((await gateway.audit()).at(-1), {
    event: 'configuration_rejected',
    why: 'signal',
    problems: [/listen/, /agents/],
  })
  t.match(await ask('/api/reload', { method: 'POST', bearer: token }), {
    status: 422,
    json: { status: 422, problems: [{ file: 'deskgate.yaml', line: Number, column: Number, key: 'listen' }, {}] },
  })
  t.match(await gateway.reload(settings()), { applied: true, changed: [] })
  t.match(await ask('/ready'), { status: 200, json: { config: 'current', draining: false, shedding: false } })
})

t.test('many reloads at once are one after the other', async t => {
  const { gateway, settings } = await open(t)
  const results = await Promise.all(
    Array.from({ length: 8 }, (_, i) =>
      gateway.reload(settings({ desk: { url: 'http://127.0.0.1:9', timeout: `${i + 1}s` } })),
    ),
  )
  t.ok(results.every(({ applied }) => applied))
  t.match(await gateway.reload(settings()), { applied: true, changed: ['desk.url', 'desk.timeout', 'desk.public'] })
})

t.test('the admin token and the places of the audit log change with it', async t => {
  const { gateway, settings, ask } = await open(t)
  t.equal((await ask('/api/logins/AAAAA-AAAAA', { bearer: token })).status, 404)
  t.match(await gateway.reload(settings({ ops: { adminToken: token } })), {
    applied: true,
    changed: ['ops.adminToken'],
  })
  t.equal((await ask('/api/reload', { method: 'POST' })).status, 401)
  t.equal((await ask('/api/reload', { method: 'POST', bearer: token })).status, 200)
  t.match(
    (await gateway.audit()).map(({ event }) => event),
    ['configuration_changed', 'keys_changed'],
  )
  t.match(await gateway.reload(settings({ ops: {} })), { applied: true })
  t.equal((await ask('/api/reload', { method: 'POST', bearer: token })).status, 404, 'no token, no API')
})

t.test('a provider that goes takes its gauges along; one that stays keeps what it has fetched', async t => {
  const { gateway, settings, ask } = await open(t)
  t.match((await ask('/metrics')).json, /idp_certificate_expiry_seconds\{provider="corp"\}/)
  await gateway.reload(settings({ providers: [idp.settings.portal] }))
  t.notMatch((await ask('/metrics')).json, /idp_certificate_expiry_seconds\{provider="corp"\}/)
  t.equal((await createUserAgent(publicUrl, gateway).visit('/auth/login/corp')).status, 404)
})

t.test('a provider whose settings are the same keeps what it has fetched, also while its IdP is down', async t => {
  let asked = 0
  const site = await startHttpServer((_request, response) => {
    asked++
    response.end(idpMetadata([idp.certificate]))
  })
  const corp = { id: 'corp', type: 'saml', name: 'Corp', metadata: `${site.url}/metadata` }
  const { gateway, settings } = await open(t, { providers: [corp] })
  const begins = async () => (await createUserAgent(publicUrl, gateway).visit('/auth/login/corp')).status === 302
  await until(begins)
  const before = asked
  t.match(await gateway.reload(settings({ log: { level: 'warn' } })), { applied: true, changed: ['log.level'] })
  t.ok(await begins())
  t.equal(asked, before, 'nothing was fetched anew')
  await site.close()
  t.match(await gateway.reload(settings({ providers: [{ ...corp, name: 'Renamed' }] })), { applied: true })
  t.ok(await begins(), 'a changed one begins with the copy in the store')
})

t.test('another certificate, under open connections', async t => {
  const [one, two] = [rsaPair(), rsaPair()]
  const files = (pair: typeof one) => ({ 'idp.crt': idp.certificate, 'tls.crt': pair.certificate, 'tls.key': pair.key })
  const tls = { cert: 'tls.crt', key: 'tls.key' }
  const { gateway, settings } = await open(t, { tls }, { files: files(one) })
  const handshake = async () => {
    const socket = connect({ port: gateway.port, rejectUnauthorized: false, servername: 'desk.example.com' })
    await once(socket, 'secureConnect')
    return socket
  }
  const certificateOf = (socket: TLSSocket) => socket.getPeerX509Certificate()?.toString()
  const kept = await handshake()
  t.teardown(() => kept.destroy())
  t.equal(certificateOf(kept), one.certificate)
  const mixed = await gateway.reload(settings(), { ...files(two), 'tls.key': one.key })
  t.match(mixed, { applied: false, problems: [{ key: 'tls.key', message: /does not belong to tls\.cert/ }] })
  t.match(await gateway.reload(settings(), files(two)), { applied: true, changed: ['tls.cert', 'tls.key'] })
  const fresh = await handshake()
  t.equal(certificateOf(fresh), two.certificate)
  fresh.destroy()
  kept.write('GET /open HTTP/1.1\r\nHost: desk.example.com\r\n\r\n')
  const [answer] = (await once(kept, 'data')) as [Buffer]
  t.match(answer.toString('latin1'), /^HTTP\/1\.1 200 /, 'the open connection goes on')
})

t.test('probes have a listener of their own, without the API', async t => {
  const { gateway, ask } = await open(t, { ops: { probes: '127.0.0.1:0', adminToken: token } })
  const { probesUrl = '' } = gateway
  const get = async (path: string) =>
    (await fetch(probesUrl + path, { headers: { authorization: `Bearer ${token}` } })).status
  t.same(await Promise.all(['/live', '/ready', '/metrics'].map(get)), [200, 200, 200])
  t.same(await Promise.all(['/api/logins/AAAAA-AAAAA', '/api/reload', '/', '/open'].map(get)), [404, 404, 404, 404])
  t.equal((await ask('/live')).status, 200, 'the ops listener keeps everything')
})

/** A callback whose body does not end. */
const heldBack =
  'POST /auth/jwt HTTP/1.1\r\nHost: desk.example.com\r\nX-Forwarded-For: 192.0.2.1\r\n' +
  'Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n\r\njwt='

t.test('refused logins are limited by address, finished ones are not', async t => {
  const { gateway } = await open(t, { limits: { logins: '3/m' }, trustedProxies: ['127.0.0.0/8'] })
  const from = (address: string) => ({ headers: { 'x-forwarded-for': address } })
  const agent = createUserAgent(publicUrl, gateway)
  const fail = (address: string) => agent.postCrossSite('/auth/jwt', { jwt: 'x' }, from(address))
  for (let i = 0; i < 5; i++) {
    const someone = createUserAgent(publicUrl, gateway)
    const asked = from('192.0.2.1')
    t.equal((await logIn(someone, idp, { way: 'portal', email: 'ada@example.com', asked })).status, 303)
  }
  // Beyond the limit four at a time are still read: four that are held back leave none. A window may end in between.
  const held = Array.from({ length: 4 }, () => openRaw(Number(new URL(gateway.url).port)))
  t.teardown(() => held.forEach(({ close }) => void close()))
  let limited = await fail('192.0.2.1')
  for (let i = 0; i < 12 && limited.status === 400; i++) {
    limited = await fail('192.0.2.1')
    if (i !== 3) continue
    for (const { send } of held) send(heldBack)
  }
  t.match(limited, { status: 429, reason: 'login.rate_limited', body: /Too many failed logins/ })
  t.match(limited.headers['retry-after'], /^[1-9]\d?$/)
  t.equal((await fail('192.0.2.2')).status, 400, 'another address')
  const refused = (await gateway.audit()).filter(({ reason }) => reason === 'login.rate_limited')
  t.match(refused[0], { event: 'login_refused', address: '192.0.2.1' })
})

t.test('Attack: a client that nobody trusts, at a private address, forges X-Forwarded-For', async t => {
  const forged: Record<string, string>[] = [
    { 'x-forwarded-for': '192.0.2.1' },
    { 'x-forwarded-for': '' },
    { 'x-forwarded-for': 'unknown' },
    { 'x-forwarded-for': '10.0.0.1, 127.0.0.1' },
    { forwarded: 'for=192.0.2.1' },
    { 'x-real-ip': '192.0.2.1' },
    {},
  ]
  for (const headers of forged) {
    const { gateway } = await open(t, { limits: { logins: '3/h' } })
    const port = Number(new URL(gateway.url).port)
    const held = Array.from({ length: 4 }, () => openRaw(port))
    t.teardown(() => held.forEach(({ close }) => void close()))
    const agent = createUserAgent(publicUrl, gateway)
    const fail = () => agent.postCrossSite('/auth/jwt', { jwt: 'x' }, { headers })
    for (let i = 0; i < 3; i++) t.equal((await fail()).status, 400)
    for (const { send } of held) send(heldBack)
    let answer = await fail()
    for (let i = 0; i < 8 && answer.status === 400; i++) answer = await fail()
    t.match(answer, { status: 429, reason: 'login.rate_limited' }, JSON.stringify(headers))
    const refused = (await gateway.audit()).filter(({ reason }) => reason === 'login.rate_limited')
    t.match(refused[0], { address: '127.0.0.1' }, 'the address of the socket')
  }
})

t.test('Attack: guessing the admin token', async t => {
  const { gateway, ask } = await open(t, { limits: { logins: '3/h' }, ops: { adminToken: token } })
  const guess = () => ask('/api/logins/AAAAA-AAAAA', { bearer: 'wrong' })
  let answer = await guess()
  for (let i = 0; i < 12 && answer.status === 401; i++) answer = await guess()
  t.match(answer, { status: 429, json: { status: 429 } })
  t.match(answer.headers.get('retry-after'), /^[1-9]\d*$/)
  t.equal((await ask('/api/logins/AAAAA-AAAAA', { bearer: token })).status, 429, 'the right guess does not show')
  t.equal((await ask('/ready')).status, 200)
  t.match((await gateway.audit())[0], { event: 'admin_refused', address: '127.0.0.1' })
})

t.test('an overloaded process turns requests away, and says that it is not ready', async t => {
  let load: ProcessLoad = { delay: 0, heap: 0, rss: 0 }
  const { gateway, desk, ask } = await open(t, {}, { measure: () => load })
  const agent = createUserAgent(publicUrl, gateway)
  t.equal((await agent.visit('/open')).status, 200)
  load = { delay: 5000, heap: 0, rss: 0 }
  await gateway.line(({ msg }) => /overloaded/.test(msg ?? ''))
  const seen = desk.seen.length
  const page = await agent.visit('/open')
  t.match(page, { status: 503, body: /Just a moment/, headers: { 'retry-after': '5' } })
  t.match(await agent.fetch('/auth/session'), { status: 503, headers: { 'content-type': 'application/problem+json' } })
  const handshake = [
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${key}`,
  ]
  const upgrade = await sendRaw(gateway.port, `GET /open HTTP/1.1\r\nHost: x\r\n${handshake.join('\r\n')}\r\n\r\n`)
  t.match([upgrade.status, upgrade.all('retry-after')], [503, ['5']], 'an upgrade too')
  t.equal(desk.seen.length, seen)
  t.match(await ask('/ready'), { status: 503, json: { ready: false, state: 'shedding', shedding: true } })
  t.equal((await ask('/live')).status, 200)
  t.match((await ask('/metrics')).json, /^deskgate_requests_total\{outcome="shed"\} 3$/m)
  load = { delay: 0, heap: 0, rss: 0 }
  await gateway.line(({ msg }) => /no longer overloaded/.test(msg ?? ''))
  t.equal((await agent.visit('/open')).status, 200)
})
