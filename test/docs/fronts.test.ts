// nginx, Caddy and HAProxy with the configurations of docs/fronts, in front of two gateways: what an agent's browser does
// through them, and what a client without good intentions tries.

import { createHash, createPrivateKey, randomBytes, X509Certificate } from 'node:crypto'
import diagnostics from 'node:diagnostics_channel'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import type { ClientHttp2Stream } from 'node:http2'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { systemClock } from '../../src/runtime/clock.js'
import { startChromium } from '../parts/browser.js'
import { createAuthority } from '../parts/certificates.js'
import { load, longSecret, settings } from '../parts/configuration.js'
import { type Desk, startDesk } from '../parts/desk.js'
import { type Front, type FrontName, startFront } from '../parts/front.js'
import { startInProcessGateway } from '../parts/gateway.js'
import { openGuide } from '../parts/guide.js'
import { openShell } from '../parts/guide-shell.js'
import { type H2Client, openH2 } from '../parts/h2-client.js'
import { startHttpServer } from '../parts/http-server.js'
import { createIdentityProvider, logIn } from '../parts/identity-provider.js'
import { freePort } from '../parts/ports.js'
import { startRedis } from '../parts/redis.js'
import { missingParts } from '../parts/required-parts.js'
import { createUserAgent } from '../parts/user-agent.js'
import { until } from '../parts/wait-until.js'
import { frame } from '../parts/websocket.js'

const host = 'desk.example.com'
const publicUrl = `https://${host}`
/** Not a trusted proxy: the fronts connect from 127.0.0.1. */
const clientAddress = '127.0.0.9'
const names: FrontName[] = ['nginx', 'caddy', 'haproxy']
const size = 20_000_000
const icon = '<link rel=icon href=data:,>'

const deskgateOfPages = parse(openGuide('docs/fronts/nginx.md').all('yaml')[0] ?? '')
const idp = createIdentityProvider({ publicUrl, clock: systemClock })

type Started = Awaited<ReturnType<typeof start>>

async function start(t: Test) {
  const [authority, redis, desk, provider] = await Promise.all([
    createAuthority(),
    startRedis({ process: 'any' }),
    startDesk(),
    startProvider(),
  ])
  const tls = await authority.issue([host])
  answerAsDesk(desk)
  const [gatewayPort, probesPort] = [await freePort(), await freePort()]
  const settingsOn = (address: string) => ({
    ...deskgateOfPages,
    listen: `${address}:${gatewayPort}`,
    ops: { listen: `${address}:0`, probes: `${address}:${probesPort}` },
    secrets: ['the secret that both gateways share, as long as it has to be'],
    desk: { url: desk.url },
    providers: [{ ...idp.settings.corp, loginUrl: provider.url.replace('127.0.0.1', 'idp.example.com') }],
    agents: [{ domains: ['example.com'] }],
    sessions: { store: { url: redis.url, keyPrefix: redis.keyPrefix } },
  })
  const how = { files: { 'idp.crt': idp.certificate }, storeTimeout: 20_000 }
  const startOn = (address: string) => startInProcessGateway(settingsOn(address), how)
  const running = await Promise.all([startOn('127.0.0.1'), startOn('127.0.0.2')])
  t.teardown(async () => {
    await Promise.all(running.map(gateway => gateway.close({ finish: 0 })))
    await Promise.all([desk.close(), provider.close(), redis.stop(), authority.remove()])
  })
  return { authority, desk, running, startOn, plan: { gatewayPort, probesPort, tls } }
}

function answerAsDesk(desk: Desk): void {
  desk.onRequest((request, response, seen) => {
    const path = request.url?.split('?', 1)[0]
    if (path === '/events')
      return void response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n')
    if (path === '/large-head') response.setHeader('set-cookie', largeCookies('desk'))
    if (path === '/download') return void response.end(download)
    request.on('end', () => {
      if (path === '/upload') return response.end(sha256(seen.body))
      response.setHeader('content-type', 'text/html')
      response.end(`${icon}<h1>${request.headers['x-agent-email']}</h1>`)
    })
  })
  desk.onUpgrade((request, socket) => {
    const accept = createHash('sha1').update(
      `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`,
    )
    const lines = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade']
    socket.write(`${lines.join('\r\n')}\r\nSec-WebSocket-Accept: ${accept.digest('base64')}\r\n\r\n`)
    socket.on('data', () => socket.write(frame('heard', { opcode: 1 })))
    socket.on('end', () => socket.end())
    socket.on('error', () => {})
  })
}

const download = randomBytes(size)
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
/** 24 kB of them, none too large for a browser. */
const largeCookies = (name: string) => Array.from({ length: 6 }, (_, at) => `${name}${at}=${'c'.repeat(4000)}`)

t.test('the settings of Deskgate are the same on all pages', async t => {
  const env = { DESKGATE_SECRET: longSecret('ring') }
  for (const page of ['nginx.md', 'caddy.md', 'haproxy.md', 'traefik.md']) {
    const [own = '', ...others] = openGuide(`docs/fronts/${page}`).all('yaml')
    t.same(others, [])
    t.same(parse(own), deskgateOfPages)
    t.match(load(settings(parse(own)), { env }), { config: {}, warnings: [] }, page)
  }
})

t.test('the certificate for a trial is one that a browser takes', { skip: missingParts('openssl') }, async t => {
  const shell = await openShell(t, {})
  const guide = openGuide('docs/fronts/README.md')
  t.match(await shell.run(guide.commandBlock('Trial CA')), { code: 0 })
  guide.everyBlockRan(t)
  const file = (name: string) => readFileSync(join(shell.folder, name), 'utf8')
  const [own, authority] = [new X509Certificate(file('fullchain.pem')), new X509Certificate(file('ca.crt'))]
  t.ok(
    own.verify(authority.publicKey) &&
      own.checkHost(host) &&
      own.checkPrivateKey(createPrivateKey(file('privkey.pem'))),
  )
  t.ok(authority.ca)
  t.notOk(own.ca)
  t.equal(file('desk.example.com.pem'), file('fullchain.pem') + file('privkey.pem'))
})

t.test('links lead somewhere', async t => {
  const folder = join(import.meta.dirname, '../../docs/fronts')
  for (const name of readdirSync(folder)) {
    const text = readFileSync(join(folder, name), 'utf8')
    for (const [, target = ''] of text.matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)) {
      t.ok(existsSync(join(folder, target)), `${name}: ${target}`)
    }
  }
})

t.test('the fronts', { skip: missingParts('nginx', 'caddy', 'haproxy', 'chromium', 'openssl', 'redis') }, async t => {
  const all = await start(t)
  const fronts = new Map<FrontName, Front>()
  t.teardown(() => Promise.all([...fronts.values()].map(front => front.stop())))

  for (const name of names) {
    t.test(name, async t => {
      const front = await startFront(name, all.plan)
      fronts.set(name, front)
      await plainHttp(t, front)
      await throughABrowser(t, front, all)
      const cookie = await sessionCookie(front, all.authority.cert)
      const connect = () => openH2({ port: front.port, ca: all.authority.cert, host, from: clientAddress })
      const client = await connect()
      t.teardown(client.close)
      const parts = { client, connect, cookie, desk: all.desk, gatewayPort: all.plan.gatewayPort }
      await t.test('a client cannot choose its address or the request ID', t => forged(t, parts))
      await t.test('20 MB each way, byte for byte, and not held back', t => transfers(t, parts))
      await t.test('24 kB of cookies to Desk, and as many from it', t => heads(t, parts))
      await t.test('the target arrives as it was sent', t => targets(t, parts))
      await t.test('the end of a client is the end at Desk', t => clientGone(t, parts))
      await t.test('connections to the gateways are kept', t => keptConnections(t, parts))
    })
  }

  await t.test('a gateway is restarted, and no request fails', t => restarts(t, fronts, all))
  await t.test('without a gateway', t => withoutGateway(t, fronts, all))
})

async function plainHttp(t: Test, { plainPort }: Front) {
  const answer = await fetch(`http://127.0.0.1:${plainPort}/tickets?q=1`, {
    redirect: 'manual',
    headers: { connection: 'close' },
  })
  t.match([answer.status, answer.headers.get('location')], [/30[178]/, /^https:/])
}

/** The provider's page is a button that posts a SAML response of an agent with 1,200 groups. */
function startProvider() {
  const values = Array.from({ length: 1200 }, (_, at) => `cn=group-${at},ou=${'x'.repeat(40)},dc=example,dc=com`)
  const plan = { attributes: [{ name: 'memberOf', values }] }
  return startHttpServer((request, response) => {
    const { path, fields } = idp.saml('ana@example.com', `http://idp.example.com${request.url}`, { plan })
    const inputs = Object.entries(fields).map(([name, value]) => `<input type=hidden name="${name}" value="${value}">`)
    response.setHeader('content-type', 'text/html')
    response.end(`${icon}<form method=post action="${publicUrl}${path}">${inputs.join('')}<button>Yes</button></form>`)
  })
}

async function throughABrowser(t: Test, { port }: Front, { authority, desk }: Started) {
  const hosts = { [host]: `127.0.0.1:${port}`, 'idp.example.com': '127.0.0.1' }
  const browser = await startChromium({ hosts, trust: [authority.spki] })
  t.teardown(browser.close)
  const { page } = await browser.newProfile()
  await page.goto(`${publicUrl}/tickets`)
  await page.click('button')
  await page.waitForURL(`${publicUrl}/tickets`)
  t.equal(await page.textContent('h1'), 'ana@example.com')
  const seen = await page.evaluate(async () => {
    const [navigation] = performance.getEntriesByType('navigation') as PerformanceResourceTiming[]
    const began = performance.now()
    const event = await new Promise<string>((resolve, reject) => {
      const source = new EventSource('/events')
      source.onmessage = ({ data }) => resolve(data)
      source.onerror = () => reject(new Error('no event stream'))
    })
    const waited = performance.now() - began
    const heard = await new Promise<string>((resolve, reject) => {
      const socket = new WebSocket(`wss://${location.host}/ws`)
      socket.onopen = () => socket.send('hello')
      socket.onmessage = ({ data }) => resolve(data)
      socket.onerror = () => reject(new Error('no WebSocket'))
    })
    return { protocol: navigation?.nextHopProtocol, event, waited, heard }
  })
  t.match(seen, { protocol: 'h2', event: '1', heard: 'heard' })
  t.ok(seen.waited < 1000, `the event came after ${seen.waited} ms`)
  t.equal(desk.last().all('x-agent-email').join(), 'ana@example.com', 'the WebSocket has the identity')
}

async function sessionCookie({ port }: Front, ca: string): Promise<string> {
  const agent = createUserAgent(publicUrl, { port, ca })
  await logIn(agent, idp, { way: 'corp', email: 'ben@example.com' })
  return agent.cookieHeader('/')
}

interface Parts {
  client: H2Client
  connect(): Promise<H2Client>
  gatewayPort: number
  cookie: string
  desk: Desk
}

async function forged(t: Test, { client, cookie, desk }: Parts) {
  const claims = {
    'x-forwarded-for': '203.0.113.7',
    'x-real-ip': '203.0.113.7',
    forwarded: 'for=203.0.113.7',
    'x-forwarded-proto': 'http',
    'x-forwarded-host': 'evil.example',
    'x-request-id': 'mine',
    'x-agent-email': 'ana@example.com',
  }
  const { status } = await client.ask('/tickets', { cookie, ...claims })
  t.equal(status, 200)
  const last = desk.last()
  t.same(last.all('x-forwarded-for'), [`${clientAddress}, 127.0.0.1`])
  t.same(last.all('x-forwarded-proto'), ['https'])
  t.same(last.all('x-forwarded-host'), [host])
  t.same(last.all('x-agent-email'), ['ben@example.com'])
  t.same(last.all('host'), [host])
  const [id = ''] = last.all('x-request-id')
  t.ok(id.length >= 16 && id !== 'mine', id)
}

async function transfers(t: Test, { client, cookie, desk }: Parts) {
  const down = await client.ask('/download', { cookie })
  t.equal(down.body.length, size)
  t.equal(sha256(down.body), sha256(download))
  const before = desk.seen.length
  const stream = client.open('/upload', { ':method': 'POST', cookie, 'content-length': String(size) })
  const answer = client.answer(stream)
  stream.write(download.subarray(0, 1_000_000))
  await until(() => desk.seen.length > before && desk.last().url === '/upload')
  t.notOk(desk.last().complete, 'Desk has its beginning while the rest is not sent yet')
  stream.end(download.subarray(1_000_000))
  t.match(await answer, { status: 200, body: Buffer.from(sha256(download)) })
}

async function heads(t: Test, { client, cookie, desk }: Parts) {
  const mine = largeCookies('mine').join('; ')
  const answer = await client.ask('/large-head', { cookie: `${cookie}; ${mine}` })
  t.equal(answer.status, 200)
  t.ok(desk.last().all('cookie').join('; ').includes(mine))
  t.equal(answer.headers['set-cookie']?.join().length, largeCookies('desk').join().length)
}

async function targets(t: Test, { client, cookie, desk }: Parts) {
  for (const target of ['/a%20b/c;x=1?q=%41+b&r[]=%20&s=a//b/../c', '/%C3%A4?%E4', '/a?//b=../c', '/a/']) {
    t.equal((await client.ask(target, { cookie })).status, 200)
    t.equal(desk.last().url, target)
  }
}

async function clientGone(t: Test, { connect, cookie, desk }: Parts) {
  const leave: Record<string, (client: H2Client, stream: ClientHttp2Stream) => unknown> = {
    'it closes the stream': (_, stream) => stream.close(),
    'it closes the connection': client => client.close(),
    'its connection is reset': client => client.reset(),
  }
  for (const [how, gone] of Object.entries(leave)) {
    const own = await connect()
    const stream = own.open('/events', { cookie })
    stream.on('error', () => {})
    stream.end()
    const [chunk] = await once(stream, 'data')
    t.equal(String(chunk), 'data: 1\n\n')
    const recorded = desk.last()
    await gone(own, stream)
    await until(() => recorded.aborted)
    t.pass(how)
    await own.close()
  }
}

async function keptConnections(t: Test, { client, cookie, gatewayPort }: Parts) {
  const connections = new Set<number | undefined>()
  const record = (message: unknown) => {
    const { request } = message as { request: IncomingMessage }
    if (request.url === '/kept' && request.socket.localPort === gatewayPort) connections.add(request.socket.remotePort)
  }
  diagnostics.subscribe('http.server.request.start', record)
  for (let count = 0; count < 20; count++) t.equal((await client.ask('/kept', { cookie })).status, 200)
  diagnostics.unsubscribe('http.server.request.start', record)
  t.ok(connections.size > 0 && connections.size <= 4, `${connections.size} connections for 20 requests`)
}

/** As by SIGTERM, with a shorter `drain`: for a third of it the gateway serves although it is not ready. */
async function restarts(t: Test, fronts: Map<FrontName, Front>, all: Started) {
  const { authority, running, startOn } = all
  let over = false
  const counts: Record<string, number> = {}
  const failures: string[] = []
  const work = [...fronts].map(async ([name, front]) => {
    const cookie = await sessionCookie(front, authority.cert)
    // A front ends a connection after some number of requests, and a browser then opens another.
    const worker = async (body: string | undefined) => {
      while (!over) {
        const client = await openH2({ port: front.port, ca: authority.cert, host, from: clientAddress })
        for (let asked = 0; asked < 100 && !over; asked++) {
          const answer = await client.askAgain('/tickets', { cookie, origin: publicUrl }, body)
          if (answer.status !== 200) failures.push(`${name} ${body ?? 'GET'} ${answer.status} ${answer.body}`)
          counts[name] = (counts[name] ?? 0) + 1
          await pause(30)
        }
        await client.close()
      }
    }
    // nginx asks no health checks, and does not send a POST twice: its page says so.
    await Promise.all((name === 'nginx' ? [undefined, undefined] : [undefined, 'ticket']).map(worker))
  })
  const more = (count: number) => {
    const from = names.map(name => counts[name] ?? 0)
    return until(() => names.every((name, at) => (counts[name] ?? 0) >= (from[at] ?? 0) + count), 60_000)
  }
  await more(20)
  await running[0]?.close({ serveOn: 5000, finish: 20_000 })
  await more(20)
  running[0] = await startOn('127.0.0.1')
  const { lines } = running[0]
  const before = lines.length
  await until(() => lines.length > before + 20, 60_000)
  over = true
  await Promise.all(work)
  t.same(failures, [], [...fronts.values()].map(front => front.output()).join('\n'))
}

async function withoutGateway(t: Test, fronts: Map<FrontName, Front>, { authority, running, startOn }: Started) {
  await Promise.all(running.map(gateway => gateway.close({ finish: 0 })))
  const statuses = new Map<FrontName, Promise<number>>()
  for (const [name, { port }] of fronts) {
    const client = await openH2({ port, ca: authority.cert, host, from: clientAddress })
    t.teardown(client.close)
    // HAProxy notices with its next check that there is none.
    if (name === 'haproxy') await until(async () => (await client.askAgain('/')).status === 503)
    statuses.set(
      name,
      client.ask('/').then(({ status }) => status),
    )
  }
  t.equal(await statuses.get('nginx'), 502)
  t.equal(await statuses.get('haproxy'), 503)
  running[0] = await startOn('127.0.0.1')
  t.equal(await statuses.get('caddy'), 401, 'Caddy waits for one, and the gateway answers')
}
