// What the log tells operators in a real process: which listener is in the way, that trustedProxies is missing, where Desk
// was looked for, and who made a request.

import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import t, { type Test } from 'tap'
import { systemClock } from '../../src/runtime/clock.js'
import { runDeskgate } from '../parts/command.js'
import { startDesk } from '../parts/desk.js'
import { type LogLine, startInProcessGateway, writeConfiguration } from '../parts/gateway.js'
import { createIdentityProvider } from '../parts/identity-provider.js'
import { freePort } from '../parts/ports.js'
import { createUserAgent } from '../parts/user-agent.js'

const publicUrl = 'https://desk.example.com'
const idp = createIdentityProvider({ publicUrl, clock: systemClock })
const files = { 'idp.crt': idp.certificate }
const basic = {
  publicUrl,
  desk: { url: 'http://127.0.0.1:1' },
  providers: [idp.settings.portal],
  agents: [{ any: true }],
}

async function taken(t: Test): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  t.teardown(() => server.close())
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

t.test('an address that cannot be listened on is told by its setting, also when Redis is down', async t => {
  const address = await taken(t)
  const free = async () => `127.0.0.1:${await freePort()}`
  const store = { secrets: ['the-ring-of-this-test-is-long-enough'], sessions: { store: `redis://${await free()}` } }
  const cases: [object, RegExp][] = [
    [
      { listen: address, ops: { listen: await free() } },
      /^deskgate: listen: \S+ is in use by another process: .*\(EADDRINUSE\)$/m,
    ],
    [{ listen: await free(), ops: { listen: address } }, /^deskgate: ops\.listen: \S+ is in use by another process/m],
    [
      { listen: await free(), ops: { listen: await free(), probes: address } },
      /^deskgate: ops\.probes: \S+ is in use/m,
    ],
    [
      { ...store, listen: address, ops: { listen: await free() } },
      /^deskgate: listen: \S+ is in use by another process/m,
    ],
    [
      { listen: '192.0.2.1:8080', ops: { listen: await free() } },
      /^deskgate: listen: 192\.0\.2\.1:8080 is not an address of this host/m,
    ],
  ]
  for (const [addresses, message] of cases) {
    const { file } = await writeConfiguration({ ...basic, ...addresses }, files)
    const { code, stderr } = await runDeskgate(['serve', '--config', file])
    t.equal(code, 1)
    t.match(stderr, message)
    t.notMatch(stderr, /Redis|store/)
  }
})

t.test('missing trustedProxies: one warning, at the first request that a proxy has passed on', async t => {
  const warned = (lines: LogLine[]) => lines.filter(({ setting }) => setting === 'trustedProxies')
  const start = async (more: object) => {
    const gateway = await startInProcessGateway({ ...basic, ...more }, { files })
    t.teardown(gateway.close)
    const get = (headers: Record<string, string>) => fetch(`${gateway.url}/`, { headers, redirect: 'manual' })
    return { ...gateway, get }
  }
  for (const name of ['X-Forwarded-For', 'x-forwarded-proto', 'X-Forwarded-Host', 'X-Forwarded-Port']) {
    const { get, lines } = await start({})
    await get({})
    t.equal(warned(lines).length, 0, 'not without such a header')
    for (let i = 0; i < 3; i++) await get({ [name]: 'x' })
    t.match(warned(lines), [
      { level: 'warn', peer: '127.0.0.1', msg: /^X-Forwarded headers of a private peer ignored/ },
    ])
    t.equal(warned(lines).length, 1, name)
  }
  for (const more of [{ trustedProxies: ['127.0.0.0/8'] }, { publicUrl: 'http://localhost:8080' }]) {
    const { get, lines } = await start(more)
    await get({ 'X-Forwarded-For': '192.0.2.1' })
    t.equal(warned(lines).length, 0, JSON.stringify(more))
  }
})

t.test('the line of a request names its agent, however it ends', async t => {
  const desk = await startDesk()
  const access = { paths: [{ match: '/admin/*', roles: ['admin'] }] }
  const gateway = await startInProcessGateway({ ...basic, desk: { url: desk.url }, access }, { files })
  t.teardown(async () => {
    await gateway.close()
    await desk.close()
  })
  const ada = createUserAgent(publicUrl, gateway)
  const { path, fields } = await idp.jwt('ada@example.com')
  await ada.postCrossSite(path, fields)
  await ada.visit('/admin/users')
  await ada.send('/tickets/7')
  await ada.fetch('/api/tickets')
  await createUserAgent(publicUrl, gateway).visit('/nobody')
  const lineOf = (path: string) => gateway.lines.find(line => line.msg === 'request' && line.path === path)
  t.match(lineOf('/admin/users'), { agent: 'ada@example.com', status: 403 })
  t.match(lineOf('/tickets/7'), { agent: 'ada@example.com', method: 'POST' })
  t.match(lineOf('/api/tickets'), { agent: 'ada@example.com', status: 200 })
  t.notOk(lineOf('/nobody')?.agent, 'without a session there is none')
})

t.test('a 502 names desk.url, and the line of a request its agent', async t => {
  const desk = await startDesk()
  const settings = { ...basic, desk: { url: desk.url, public: ['/open'] } }
  const gateway = await startInProcessGateway(settings, { files })
  t.teardown(gateway.close)
  const ada = createUserAgent(publicUrl, gateway)
  const { path, fields } = await idp.jwt('ada@example.com')
  await ada.postCrossSite(path, fields)
  await ada.visit('/tickets')
  await ada.visit('/open')
  await desk.close()
  t.equal((await ada.visit('/gone')).status, 502)
  const lineOf = (path: string) => gateway.lines.find(line => line.msg === 'request' && line.path === path)
  t.match(lineOf('/tickets'), { agent: 'ada@example.com', session: String })
  t.notOk(lineOf('/open')?.agent, 'a public path has none')
  t.match(lineOf('/gone'), { status: 502, agent: 'ada@example.com' })
  t.match(
    gateway.lines.find(({ msg }) => msg === 'Desk response failed'),
    { level: 'warn', 'desk.url': desk.url, code: 'ECONNREFUSED' },
  )
})
