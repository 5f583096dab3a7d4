// `deskgate doctor` before a front with one fault at a time: it names each, with the setting to change, and nothing else.

import { readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { doctor } from '../../src/cli/commands/doctor.js'
import { createFindings, type DoctorFinding } from '../../src/cli/doctor/findings.js'
import { checkOwnClock } from '../../src/cli/doctor/surroundings.js'
import { createProgram } from '../../src/cli/program.js'
import { createAuthority } from '../parts/certificates.js'
import { longSecret, settings } from '../parts/configuration.js'
import { startDesk } from '../parts/desk.js'
import { type Fault, startFaultyFront } from '../parts/faulty-front.js'
import { startInProcessGateway, writeConfiguration } from '../parts/gateway.js'
import { openGuide } from '../parts/guide.js'
import { idpMetadata } from '../parts/idp-metadata.js'
import { freePort } from '../parts/ports.js'
import { startRedis } from '../parts/redis.js'
import { refusals, startRefusing } from '../parts/redis-refusals.js'
import { adminToken, callOps } from '../parts/rehearsal.js'
import { missingParts } from '../parts/required-parts.js'
import { newSigningKey } from '../parts/saml-idp.js'

const needed = missingParts('openssl')

/** A server of a provider whose clock is off by milliseconds. */
async function startProvider(t: Test) {
  const clock = { off: 0 }
  const server = createServer((_, response) => {
    response.setHeader('date', new Date(Date.now() + clock.off).toUTCString())
    response.end()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => void server.close())
  return { clock, loginUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/login` }
}

async function open(t: Test, more: Record<string, unknown> = {}) {
  const authority = await createAuthority()
  t.teardown(authority.remove)
  const desk = await startDesk()
  t.teardown(desk.close)
  desk.onRequest((_, response) => response.writeHead(200, { 'X-Frame-Options': 'SAMEORIGIN' }).end('hello'))
  const provider = await startProvider(t)
  const port = await freePort()
  const publicUrl = `https://localhost:${port}`
  const portal = { id: 'portal', type: 'jwt', name: 'Portal', secrets: [longSecret('portal')] }
  const base = settings({
    publicUrl,
    desk: { url: desk.url },
    providers: [{ ...portal, loginUrl: provider.loginUrl }],
    trustedProxies: ['127.0.0.2/32'],
    ops: { adminToken },
    ...more,
  })
  const gateway = await startInProcessGateway(base)
  t.teardown(() => gateway.close())
  const good = await authority.issue(['localhost'])
  const front = await startFaultyFront(port, { gateway: () => gateway.port, tls: good })
  t.teardown(front.close)
  const { folder, file } = await writeConfiguration({ ...base, ops: { adminToken } })
  t.teardown(() => rm(folder, { recursive: true }))

  const run = async (config = file) => {
    const [out, err]: [string[], string[]] = [[], []]
    const io = { env: {}, out: (line: string) => void out.push(line), err: (line: string) => void err.push(line) }
    const code = await doctor({ config, ops: gateway.opsUrl, ca: authority.certFile, json: true }, io)
    const { checks } = JSON.parse(out.join('')) as { checks: DoctorFinding[] }
    const wrong = checks.filter(({ state }) => state === 'problem' || state === 'warning')
    return { code, err, checks, wrong: wrong.map(({ check, seen, change }) => `${check}: ${seen} | ${change}`) }
  }
  return { authority, desk, provider, port, publicUrl, base, gateway, front, good, run, file }
}

t.test('a login that works, and fronts with a fault', { skip: needed }, async t => {
  const { front, run, desk, provider, gateway, base, authority, good, file, publicUrl } = await open(t)
  const healthy = await run()
  t.same(healthy.wrong, [])
  t.match(healthy, { code: 0, err: [] })
  t.same(
    healthy.checks.map(({ check, state }) => `${state} ${check}`),
    [
      ...[
        'ok configuration',
        'ok publicUrl',
        'ok clock',
        'ok session store',
        'ok clock of portal',
        'ok host name',
        'ok TLS',
      ],
      ...['ok way to the gateway', 'ok no way past the gateway', 'ok cookie of the login', 'ok cross-site POST'],
      ...['ok session cookie', 'ok seen cookie', 'ok provider portal', 'ok cookies return', 'ok forged identity'],
      ...['ok Host', 'ok client address', 'ok header size', 'ok WebSocket', 'ok event stream', "ok Desk's first page"],
    ],
  )
  t.match(await callOps(gateway.opsUrl, 'GET', '/api/sessions'), { body: { sessions: [] } }, 'its session is over')

  const guide = openGuide('docs/doctor.md')
  const [, ...words] = guide.commandBlock('deskgate doctor').trim().split(' ')
  /** The last two lines of a run without a failed check. */
  const read = async () => {
    out.length = 0
    const print = { env: {}, out: (line: string) => void out.push(line), err: t.fail }
    const program = createProgram({ io: print, version: '0', done: code => t.equal(code, 0) })
    const typed = words.map(word => (word === 'deskgate.yaml' ? file : word))
    await program.parseAsync([...typed, '--ops', gateway.opsUrl, '--ca', authority.certFile], { from: 'user' })
    return out.slice(-2)
  }
  const out: string[] = []
  await read()
  t.equal(out.at(-2), 'The way through the gateway works.')
  t.match(
    out.at(-1),
    /^Not tested: your identity provider, and whether Desk knows an agent.*deskgate explain REFERENCE$/,
  )
  t.match(out[1], / {2}ok {4}publicUrl +https:\/\/localhost:/)
  guide.everyBlockRan(t)
  const page = readFileSync(join(import.meta.dirname, '../../docs/doctor.md'), 'utf8')
  for (const { check } of healthy.checks) t.match(page, `\`${check.replace('portal', 'PROVIDER')}\``)
  for (const line of guide.all('text').join('').split('\n')) {
    const [, check] = /^ {2}(?:ok {2}|FAIL) {2}(.+?) {2}/.exec(line) ?? []
    if (check !== undefined)
      t.ok(
        healthy.checks.some(one => one.check === check),
        check,
      )
  }

  const faults: [name: string, fault: Fault, expected: RegExp[]][] = [
    ['cookies blocked', { dropCookies: true }, [/^cross-site POST: .*did not arrive: the front blocks Cookie \|/]],
    [
      'Secure and SameSite stripped',
      { strip: /; (?:Secure|SameSite=\w+)/gi },
      [
        /^cookie of the login: __Host-deskgate-login\.\S+ arrived without Secure, SameSite=\(none\) instead of None \|.*Set-Cookie/,
        /^cross-site POST: browsers do not send the cookie of the login/,
      ],
    ],
    [
      'HttpOnly stripped',
      { strip: /; HttpOnly/gi },
      [/^cookie of the login: .*without HttpOnly/, /^session cookie/, /^seen cookie/],
    ],
    [
      'Set-Cookie blocked',
      { strip: /^.*$/ },
      [/^cookie of the login: no Set-Cookie.*proxy_hide_header/, /^cross-site POST/],
    ],
    [
      'a header limit',
      { largest: 4500 },
      [
        /^header size: 4000 bytes of cookies arrive; 8000 bytes of cookies do not arrive \(HTTP 400\); logins in several tabs may need \d+ bytes \|.*large_client/,
      ],
    ],
    [
      'buffering',
      { buffers: true },
      [
        /^event stream: first and last event were sent 1500 ms apart, and arrived 0 ms apart: buffered \| .*proxy_buffering off/,
      ],
    ],
    ['no upgrades', { noUpgrade: true }, [/^WebSocket: HTTP 400 instead of an upgrade \|/]],
    [
      'a way past',
      { past: Number(new URL(desk.url).port) },
      [/^no way past the gateway: HTTP 200 .*forged X-Agent-Email \|/],
    ],
    ['another Host', { host: 'gateway.internal' }, [/^Host: the gateway sees a host other than.*\$http_host/]],
    ['no X-Forwarded-For', { forwarded: 'none' }, [/^client address: seen as 127\.0\.0\.2.*no proxy names the client/]],
    [
      'X-Forwarded-For of the client',
      { forwarded: 'as it came' },
      [/^client address: the X-Forwarded-For that a client sends is accepted/],
    ],
    [
      'a front without a gateway',
      { answers: (_, response) => response.writeHead(502).end() },
      [/^way to the gateway: HTTP 502, and not from the gateway.*`listen`.*\/ready at ops\.probes, which is not set/],
    ],
    [
      'something else',
      { answers: (_, response) => response.writeHead(404).end() },
      [/^way to the gateway: HTTP 404.*something other than the gateway/],
    ],
    [
      'a redirect elsewhere',
      { answers: (_, response) => response.writeHead(301, { location: 'https://www.example.com/x?y' }).end() },
      [/^way to the gateway: HTTP 301: sent on to https:\/\/www\.example\.com\/x \|/],
    ],
  ]
  for (const [name, fault, expected] of faults) {
    front.fault = fault
    const { code, wrong, err } = await run()
    t.match(wrong, expected, name)
    t.equal(wrong.length, expected.length, `${name}: ${wrong.join('\n')}`)
    t.equal(code, err.length > 0 ? 1 : 0, name)
  }
  front.fault = {}

  const names = async (expected: RegExp[], name: string) => {
    const { wrong } = await run()
    t.match(wrong, expected, name)
    t.equal(wrong.length, expected.length, `${name}: ${wrong.join('\n')}`)
  }
  await gateway.reload({ ...base, trustedProxies: [] })
  await names(
    [/^client address: X-Forwarded-For: 127\.0\.0\.1 arrived from 127\.0\.0\.2 and was ignored \| trustedProxies: add/],
    'no trust',
  )
  const untrusting = await writeConfiguration({ ...base, trustedProxies: [] })
  t.teardown(() => rm(untrusting.folder, { recursive: true }))
  front.fault = { forwarded: 'itself' }
  t.match((await run(untrusting.file)).wrong, [
    /^client address: X-Forwarded-For: 127\.0\.0\.2 arrived from 127\.0\.0\.2 and was ignored \| trustedProxies: add/,
  ])
  front.fault = {}
  for (const everybody of ['0.0.0.0/0', '::/0']) {
    const trusting = { ...base, trustedProxies: ['127.0.0.2/32', everybody] }
    const { folder, file } = await writeConfiguration(trusting)
    t.teardown(() => rm(folder, { recursive: true }))
    await gateway.reload(trusting)
    const { wrong, code } = await run(file)
    t.match(wrong, [/^client address: trustedProxies trusts every peer: .* \| trustedProxies: name only/], everybody)
    t.equal(wrong.length, 1, wrong.join('\n'))
    t.equal(code, 1)
  }
  await gateway.reload({ ...base, desk: { url: 'http://127.0.0.1:1' } })
  await names([/^Desk's first page: HTTP 502: Desk does not answer \| check desk\.url/], 'Desk is down')
  await gateway.reload(base)
  desk.onRequest((_, response) => response.writeHead(302, { location: 'http://desk.internal/start' }).end())
  await names([/^Desk's first page: HTTP 302: Desk sends to http:\/\/desk\.internal \|/], 'Desk has another base URL')
  desk.onRequest((_, response) => response.end('hello'))
  await names([/^Desk's first page: .*any site may show it in a frame/], 'no word on frames')
  desk.onRequest((_, response) => response.writeHead(403).end())
  await names(
    [/^Desk's first page: HTTP 403: either Desk does not know .* or it refuses everybody/],
    'a refusal of Desk',
  )
  t.match(await read(), [/^The way to Desk works\. It is not proven that Desk accepts an agent/, /^Not tested/])
  desk.onRequest((_, response) => response.writeHead(401, { 'content-type': 'text/plain' }).end('Wrong \x1b[2J aud\nx'))
  await names(
    [
      new RegExp(
        `^Desk's first page: HTTP 401 .*It says: Wrong \\\\u\\{1b\\}\\[2J aud \\| .*iss ${publicUrl} and aud ${desk.url} .*${publicUrl}/auth/jwks\\.json`,
      ),
    ],
    'a Desk that takes no assertion',
  )
  desk.onRequest((_, response) => response.writeHead(500, { 'content-type': 'text/plain' }).end("RT's settings: x"))
  await names(
    [/It says: RT's settings: x \| fix what Desk says, and restart Desk; see Desk's own log/],
    'what Desk says',
  )
  desk.onRequest((_, response) => response.writeHead(302, { location: '/login' }).end())
  await names([/^Desk's first page: HTTP 302 to \/login: Desk does not know/], 'a Desk that asks who it is')
  desk.onRequest((_, response) => response.writeHead(502).end())
  front.fault = { past: Number(new URL(desk.url).port) }
  const notDesk = [
    /^no way past the gateway: HTTP 502, and not from/,
    /^Desk's first page: HTTP 502, and not from the gateway/,
  ]
  await names(notDesk, 'the gateway is gone, not Desk')
  front.fault = {}
  desk.onRequest((_, response) => response.writeHead(200, { 'X-Frame-Options': 'SAMEORIGIN' }).end('hello'))
  provider.clock.off = 600_000
  provider.clock.off = -600_000
  await names([/^clock of portal: .* is \d{3} s behind the gateway \|/], 'a provider whose clock is slow')
  provider.clock.off = 600_000
  await names([/^clock of portal: .* is \d{3} s ahead of the gateway \| .*clockSkew/], 'a provider whose clock is off')
  provider.clock.off = 0

  front.present(await authority.issue(['other.example']))
  await names([/^TLS: the certificate is for DNS:other\.example, not for localhost \| publicUrl/], 'another host')
  front.present(await authority.issue(['localhost'], { days: -1 }))
  await names([/^TLS: the certificate expired on /], 'an expired certificate')
  const stranger = await createAuthority('A stranger')
  t.teardown(stranger.remove)
  front.present(await stranger.issue(['localhost']))
  await names([/^TLS: the chain .*unknown/], 'an unknown authority')
  front.present(good)
  await front.speak('http')
  await names([/^TLS: localhost:\d+ speaks plain http \|.*publicUrl is https/], 'http')
  await front.speak('https')

  await gateway.reload({ ...base, providers: [] })
  t.match((await run()).wrong, [
    /^configuration: the running gateway rejected the newest configuration, and keeps the previous one: .*providers.* \| /,
  ])
  await gateway.reload({ ...base, publicUrl: 'https://localhost:1' })
  const stale = await run()
  t.match(stale.wrong, [
    /^publicUrl: the running gateway has https:\/\/localhost:1, this configuration https/,
    /^TLS: no TLS connection/,
  ])
})

t.test('providers that cannot log anybody in', { skip: needed }, async t => {
  const { run, base, gateway, front, provider, port } = await open(t)
  const withConfig = async (settings: Record<string, unknown>, files: Record<string, string> = {}) => {
    const { folder, file } = await writeConfiguration(settings, files)
    t.teardown(() => rm(folder, { recursive: true }))
    await gateway.reload(settings, files)
    return run(file)
  }
  // What answers there is an empty page.
  const metadata = new URL('/metadata', provider.loginUrl).href
  const company = { id: 'company', type: 'saml', name: 'Company', metadata }
  const unread = await withConfig({ ...base, providers: [company] })
  t.match(unread.wrong, [/^provider company: metadata unreadable: .+ \| check providers\[\]\.metadata/])
  t.equal(unread.wrong.length, 1, unread.wrong.join('\n'))
  t.equal(unread.code, 1)

  const signing = newSigningKey('idp.example.com', Date.now() + 9e9).certificate
  const loginPage = provider.loginUrl.replace('127.0.0.1', 'localhost')
  const files = { 'idp.xml': idpMetadata([signing], { loginUrl: loginPage }) }
  const inFile = await withConfig({ ...base, providers: [{ ...company, metadata: 'idp.xml' }] }, files)
  t.match(
    inFile.checks.find(({ check }) => check === 'clock of company'),
    { state: 'ok', seen: new RegExp(`^${new URL(loginPage).origin} (?:is \\d s|agrees)`) },
    'the login page that a metadata file names',
  )

  const [portal] = base.providers as Record<string, unknown>[]
  const away = await withConfig({ ...base, providers: [{ ...portal, loginUrl: 'http://127.0.0.1:1/login' }] })
  t.match(away.wrong, [/^clock of portal: http:\/\/127\.0\.0\.1:1 cannot be reached from this host: ECONNREFUSED/])
  t.equal(away.code, 0)

  const overHttp = { ...base, publicUrl: `http://localhost:${port}` }
  const tls = await withConfig(overHttp)
  t.match(tls.wrong, [/^TLS: plain http to a TLS port: localhost:\d+ \| publicUrl: write https/])
  t.equal(tls.wrong.length, 1, tls.wrong.join('\n'))
  await front.speak('http')
  const crossSite = await withConfig(overHttp)
  t.match(crossSite.wrong, [
    /^TLS: publicUrl is http/,
    /^provider portal: http:\/\/127\.0\.0\.1:\d+ is another site, and publicUrl is http.*cookie/,
  ])
  t.equal(crossSite.wrong.length, 2, crossSite.wrong.join('\n'))
  const loginUrl = provider.loginUrl.replace('127.0.0.1', 'localhost')
  t.match((await withConfig({ ...overHttp, providers: [{ ...portal, loginUrl }] })).wrong, [/^TLS: publicUrl is http/])
})

t.test('a Redis that refuses to publish', { skip: needed || missingParts('redis-server') }, async t => {
  const refusal = refusals.find(({ refuses }) => refuses === 'publish')
  if (!refusal) throw new Error('no such refusal')
  const redis = await startRefusing(refusal)
  t.teardown(redis.stop)
  const store = refusal.url?.(redis) ?? redis.url
  const { run } = await open(t, { sessions: { store }, secrets: [longSecret('ring')] })
  await refusal.bringAbout(redis)
  const { wrong, code } = await run()
  t.match(wrong, [/^session store: .* \| check sessions\.store/, /^end of the rehearsal: /])
  t.equal(code, 1)
})

t.test('a Redis that is away', { skip: needed || missingParts('redis-server') }, async t => {
  const redis = await startRedis({ process: 'own' })
  t.teardown(redis.stop)
  const { run } = await open(t, { sessions: { store: redis.url }, secrets: [longSecret('ring')] })
  await redis.stop()
  const { wrong, code } = await run()
  t.match(wrong, [/^session store: .+ \| check sessions\.store: that it runs/])
  t.equal(wrong.length, 1)
  t.equal(code, 1)
})

t.test('a clock that is a little slow has no minus', async t => {
  const found = createFindings()
  checkOwnClock(found, { offset: -20, within: 0 })
  t.match(found.all, [{ state: 'ok', seen: "the gateway's clock differs from this host's by 0.0 s" }])
})

t.test('without a token, a configuration or a gateway', async t => {
  const { folder, file } = await writeConfiguration(settings())
  t.teardown(() => rm(folder, { recursive: true }))
  const err: string[] = []
  const io = { env: {}, out: () => {}, err: (line: string) => void err.push(line) }
  t.equal(await doctor({ config: file }, io), 1)
  t.match(err.join('\n'), 'ops.adminToken is not set')
  t.equal(await doctor({ config: `${file}.none` }, io), 1)
  const env = { DESKGATE_ADMIN_TOKEN: adminToken }
  t.equal(await doctor({ config: file, ca: `${file}.none` }, { ...io, env }), 1)
  t.match(err.at(-1), /^--ca: ENOENT/)
  await t.rejects(doctor({ config: file, ops: 'http://127.0.0.1:1' }, { ...io, env }), { name: 'OpsUnreachable' })
})
