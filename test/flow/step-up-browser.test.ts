// In Chromium, on two replicas with a real Redis behind a load balancer that knows of no sessions: a page asks for a
// stronger login of the same agent. The WebSockets of the other tab go on, on both replicas, and the deep link is kept.

import { createHash } from 'node:crypto'
import t from 'tap'
import { systemClock } from '../../src/runtime/clock.js'
import { screenshot, startChromium } from '../parts/browser.js'
import { createAuthority } from '../parts/certificates.js'
import { startDesk } from '../parts/desk.js'
import { startInProcessGateway } from '../parts/gateway.js'
import { startHttpServer } from '../parts/http-server.js'
import { createIdentityProvider } from '../parts/identity-provider.js'
import { startSwitch } from '../parts/load-balancer.js'
import { freePort } from '../parts/ports.js'
import { startRedis } from '../parts/redis.js'
import { missingParts } from '../parts/required-parts.js'
import { exchange } from '../parts/user-agent.js'
import { frame } from '../parts/websocket.js'

const here = '127.0.0.1'
const names = { gateway: 'desk.acme.test', idp: 'idp.other.test' }
const icon = '<link rel=icon href=data:,>'
const mfa = 'https://refeds.org/profile/mfa'

/** Two gateways behind a switch over TLS, and on another site a provider whose page is a button. */
async function start() {
  const port = await freePort()
  const url = `https://${names.gateway}:${port}`
  const own = createIdentityProvider({ publicUrl: url, clock: systemClock })
  const login = { email: 'ada@example.com', context: '' }
  const [authority, redis, desk, idp] = await Promise.all([
    createAuthority(),
    startRedis({ process: 'any' }),
    startDesk(),
    startHttpServer((request, response) => {
      const { email, context } = login
      const before = (xml: string) =>
        context ? xml.replace(/urn:oasis:names:tc:SAML:2.0:ac:classes:\w+/, context) : xml
      const { path, fields } = own.saml(email, `http://${names.idp}${request.url}`, { before })
      const inputs = Object.entries(fields).map(
        ([name, value]) => `<input type=hidden name="${name}" value="${value}">`,
      )
      response.setHeader('content-type', 'text/html')
      response.end(`${icon}<form method=post action="${url}${path}">${inputs.join('')}<button>Yes</button></form>`)
    }),
  ])
  desk.onRequest((request, response) => {
    response.setHeader('content-type', 'text/html')
    response.end(`${icon}<h1>${request.url}</h1><p id=who>${request.headers['x-agent-email']}</p>`)
  })
  desk.onUpgrade((request, socket) => {
    // RFC 6455 4.2.2.
    const accept = createHash('sha1').update(
      `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`,
    )
    const lines = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade']
    socket.write(`${lines.join('\r\n')}\r\nSec-WebSocket-Accept: ${accept.digest('base64')}\r\n\r\n`)
    socket.on('data', () => socket.write(frame('heard', { opcode: 1 })))
    socket.on('error', () => {})
  })
  const settings = {
    publicUrl: url,
    site: names.gateway,
    secrets: ['the secret that all replicas share, as long as it has to be'],
    desk: { url: desk.url },
    providers: [{ ...own.settings.corp, loginUrl: idp.url.replace(here, names.idp) }],
    agents: [{ domains: ['example.com'] }],
    access: { paths: [{ match: '/secret/*', context: [mfa] }] },
    sessions: { store: { url: redis.url, keyPrefix: redis.keyPrefix } },
  }
  const how = { files: { 'idp.crt': own.certificate }, storeTimeout: 20_000 }
  const gateways = await Promise.all([startInProcessGateway(settings, how), startInProcessGateway(settings, how)])
  const tls = await authority.issue([names.gateway])
  const ports = gateways.map(gateway => gateway.port)
  const balancer = await startSwitch(ports, { port, tls })
  const hosts = { [names.gateway]: here, [names.idp]: here }
  const browser = await startChromium({ hosts, trust: [authority.spki] })
  return {
    ...{ url, balancer, browser, gateways, login },
    async close() {
      await browser.close()
      await Promise.all(gateways.map(gateway => gateway.close()))
      await balancer.close()
      await Promise.all([idp.close(), desk.close(), redis.stop(), authority.remove()])
    },
  }
}

t.test('step-up in Chromium', { skip: missingParts('chromium', 'openssl', 'redis') }, async t => {
  const { url, balancer, browser, gateways, login, close } = await start()
  t.teardown(close)
  const { context, page, complaints } = await browser.newProfile()
  const session = async () => (await context.cookies()).find(({ name }) => name === '__Host-deskgate')?.value ?? ''

  await page.goto(`${url}/tickets/1`)
  await page.getByRole('button', { name: 'Yes' }).click()
  await page.waitForURL(`${url}/tickets/1`)
  t.equal(await page.locator('#who').innerText(), 'ada@example.com')
  const opened = await page.evaluate(async () => {
    const sockets = [0, 1, 2, 3].map(() => new WebSocket(`${location.origin.replace('http', 'ws')}/ws`))
    const seen = { heard: [0, 0, 0, 0], closed: [] as number[] }
    Object.assign(window, { sockets, seen })
    for (const [i, socket] of sockets.entries()) {
      socket.onmessage = () => {
        seen.heard[i] = (seen.heard[i] ?? 0) + 1
      }
      socket.onclose = ({ code }) => seen.closed.push(code)
    }
    await Promise.all(sockets.map(socket => new Promise(open => socket.addEventListener('open', open))))
    return sockets.length
  })
  const byReplica = balancer.served.map(lines => lines.filter(line => line === 'UPGRADE /ws').length)
  t.same([opened, ...byReplica.sort()], [4, 2, 2], 'two on each replica')
  const talk = () =>
    page.evaluate(async () => {
      const { sockets, seen } = window as unknown as {
        sockets: WebSocket[]
        seen: { heard: number[]; closed: number[] }
      }
      const before = [...seen.heard]
      const answers = sockets.map(
        socket => new Promise(heard => socket.addEventListener('message', heard, { once: true })),
      )
      for (const socket of sockets) if (socket.readyState === 1) socket.send('hello')
      const open = sockets.filter(socket => socket.readyState === 1).length
      if (open === sockets.length) await Promise.all(answers)
      return { open, closed: seen.closed, heard: seen.heard.every((count, i) => count === (before[i] ?? 0) + 1) }
    })
  t.same(await talk(), { open: 4, closed: [], heard: true })

  const tab = await context.newPage()
  const before = await session()
  const deep = `${url}/secret/7?tab=2#comments`
  for (const [name, answer, reason] of [
    ['a weaker login', { email: 'ada@example.com', context: '' }, 'saml.context_mismatch'],
    ['somebody else', { email: 'bob@example.com', context: mfa }, 'login.step_up_other_agent'],
  ] as const) {
    Object.assign(login, answer)
    await tab.goto(deep)
    await tab.getByRole('button', { name: 'Yes' }).click()
    await tab.getByText(reason).waitFor()
    await screenshot(tab, `step-up-${reason.split('.')[1]}`)
    t.equal(await session(), before, `${name}: nothing has changed`)
  }
  Object.assign(login, { email: 'ada@example.com', context: mfa })
  await tab.goto(deep)
  await tab.getByRole('button', { name: 'Yes' }).click()
  await tab.waitForURL(/\/secret\/7\?tab=2/)
  t.equal(await tab.locator('h1').innerText(), '/secret/7?tab=2')
  t.equal(await tab.locator('#who').innerText(), 'ada@example.com')
  const after = await session()
  t.not(after, before)

  for (const { port } of gateways) {
    const headers = (value: string) => ({ host: new URL(url).host, cookie: `__Host-deskgate=${value}` })
    t.equal((await exchange({ port }, '/tickets', { headers: headers(before) })).status, 401, 'the old cookie')
    t.equal((await exchange({ port }, '/secret/8', { headers: headers(after) })).status, 200)
  }
  t.same(await talk(), { open: 4, closed: [], heard: true }, 'the same WebSockets')
  for (let i = 0; i < 4; i++) t.equal((await tab.goto(`${url}/secret/${i}`))?.status(), 200, 'on whichever replica')

  await tab.goto(`${url}/auth/session`)
  await tab.getByRole('button', { name: 'Log out', exact: true }).click()
  await page.waitForFunction(() => (window as unknown as { seen: { closed: number[] } }).seen.closed.length === 4)
  t.same(await page.evaluate(() => (window as unknown as { seen: unknown }).seen), {
    heard: [2, 2, 2, 2],
    closed: [4401, 4401, 4401, 4401],
  })
  t.same(
    complaints.filter(text => !/status of 4\d\d/.test(text)),
    [],
  )
})
