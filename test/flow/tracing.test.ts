// Spans of a login and of requests to Desk, at a collector: who is whose parent, who decides what is recorded, what no
// attribute says, and a collector that is away.

import t, { type Test } from 'tap'
import { createLog } from '../../src/ops/log.js'
import { createTracing } from '../../src/ops/tracing.js'
import { systemClock, systemRandom } from '../../src/runtime/clock.js'
import { type Collector, startCollector } from '../parts/collector.js'
import { type Desk, startDesk } from '../parts/desk.js'
import { type InProcessGateway, startInProcessGateway } from '../parts/gateway.js'
import { createIdentityProvider, logIn } from '../parts/identity-provider.js'
import { rawRequest, sendRaw } from '../parts/raw-http.js'
import { createUserAgent } from '../parts/user-agent.js'
import { until } from '../parts/wait-until.js'
import { openWebSocket } from '../parts/websocket.js'

const publicUrl = 'https://desk.example.com'
const id = '0af7651916cd43dd8448eb211c80319c'
const parent = 'b7ad6b7169203331'
const idp = createIdentityProvider({ publicUrl, clock: systemClock })
const trusting = { trustedProxies: ['127.0.0.1/32'] }

interface Site {
  gateway: InProcessGateway
  desk: Desk
  settings(changes: object): Record<string, unknown>
  get(path: string, ...headers: string[]): Promise<number>
}

async function open(t: Test, tracing: object | undefined, changes: object = {}): Promise<Site> {
  const desk = await startDesk()
  const settings = (more: object) => ({
    publicUrl,
    desk: { url: desk.url, public: ['GET /open'] },
    providers: [idp.settings.corp, idp.settings.portal],
    agents: [{ domains: ['example.com'] }],
    ...(tracing ? { tracing } : {}),
    ...changes,
    ...more,
  })
  const gateway = await startInProcessGateway(settings({}), { files: { 'idp.crt': idp.certificate } })
  t.teardown(async () => {
    await gateway.close()
    await desk.close()
  })
  return {
    gateway,
    desk,
    settings,
    get: async (path, ...headers) => (await sendRaw(gateway.port, rawRequest(`GET ${path} HTTP/1.1`, headers))).status,
  }
}

async function collect(t: Test): Promise<Collector> {
  const collector = await startCollector()
  t.teardown(collector.close)
  return collector
}

t.test('each step of a login, and nothing that it was about', async t => {
  const collector = await collect(t)
  const { gateway, desk } = await open(t, { otlp: collector.url, sample: 1 })
  const agent = createUserAgent(publicUrl, gateway)
  t.equal((await logIn(agent, idp, { way: 'corp', email: 'ada@example.com' })).status, 303)
  t.equal((await agent.visit('/tickets/secret-path?q=secret-query')).status, 200)
  const sent = desk.last().all('traceparent')
  t.equal(
    (await logIn(createUserAgent(publicUrl, gateway), idp, { way: 'portal', email: 'eve@other.test' })).status,
    403,
  )
  await gateway.close()

  const { spans } = collector
  const named = (name: string) => spans.filter(span => span.name === name)
  const under = (name: string, root: string) => {
    const span = named(name).find(({ parentSpanId }) => {
      for (let at = parentSpanId; at; at = spans.find(({ spanId }) => spanId === at)?.parentSpanId) {
        if (spans.find(({ spanId }) => spanId === at)?.name === root) return true
      }
      return false
    })
    t.ok(span, `${name} under ${root}`)
    return span
  }
  t.match(under('provider begin', 'GET /auth/login/:id')?.attributes, { 'deskgate.provider': 'corp' })
  const acs = 'POST /auth/saml/acs'
  t.match(under('provider handleCallback', acs)?.attributes, { 'deskgate.provider': 'corp' })
  for (const step of ['directory find', 'sessions create', 'store set', 'store claim']) under(step, acs)
  t.match(named(acs)[0]?.attributes, {
    'http.request.method': 'POST',
    'http.route': '/auth/saml/acs',
    'http.response.status_code': 303,
    'deskgate.outcome': 'own',
  })
  const [toDesk] = named('desk')
  t.match(named('GET protected').find(({ spanId }) => spanId === toDesk?.parentSpanId)?.attributes, {
    'deskgate.outcome': 'proxied',
  })
  t.same(sent, [`00-${toDesk?.traceId}-${toDesk?.spanId}-01`], "Desk's spans are under ours")
  const line = gateway.lines.find(({ path }) => path === '/tickets/secret-path')
  t.equal(line?.trace, toDesk?.traceId, 'a trace that begins here is in the log too')
  const text = collector.bodies.join('')
  for (const secret of ['@', '%40', 'secret', 'deskgate_state', 'SAMLResponse', 'eyJ', 'return_to', '__Host'])
    t.notMatch(text, secret)
})

t.test('a trusted proxy decides what is recorded, and anybody else does not', async t => {
  const collector = await collect(t)
  const trusted = await open(t, { otlp: collector.url, sample: 0 }, trusting)
  await trusted.get('/open', `traceparent: 00-${id}-${parent}-01`, 'tracestate: a=1')
  const [to] = trusted.desk.last().all('traceparent')
  t.match(to, new RegExp(`^00-${id}-(?!${parent})[0-9a-f]{16}-01$`), 'with our own parent ID')
  t.same(trusted.desk.last().all('tracestate'), ['a=1'])
  await trusted.get('/open', `traceparent: 00-${id}-${parent}-00`)
  t.same(trusted.desk.last().all('traceparent'), [`00-${id}-${parent}-00`], 'as it came')
  await trusted.get('/open')
  t.same(trusted.desk.last().all('traceparent'), [])
  await trusted.gateway.close()
  t.same(collector.spans.map(({ traceId, name }) => [traceId, name]).sort(), [
    [id, 'GET public'],
    [id, 'desk'],
  ])
  t.equal(collector.spans.find(({ name }) => name === 'GET public')?.parentSpanId, parent)

  collector.spans.length = 0
  const open1 = await open(t, { otlp: collector.url, sample: 0 })
  await open1.get('/open', `traceparent: 00-${id}-${parent}-01`)
  t.same(open1.desk.last().all('traceparent'), [`00-${id}-${parent}-01`])
  await open1.gateway.close()
  t.same(collector.spans, [], 'Attack: a browser that has every request recorded')

  const all = await open(t, { otlp: `${collector.url}/v1/traces`, sample: 1 })
  await all.get('/open', `traceparent: 00-${id}-${parent}-00`, 'tracestate: a=1')
  await all.get('/open', 'traceparent: invalid', 'tracestate: a=1')
  t.match(all.desk.last().all('traceparent'), [/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/])
  t.same(all.desk.last().all('tracestate'), [], 'the state of an invalid trace')
  await all.gateway.close()
  t.equal(collector.spans.length, 4)
})

t.test('a collector that is away or stuck costs a line of the log, and no request', async t => {
  const collector = await startCollector()
  const { gateway, get } = await open(t, { otlp: collector.url, sample: 1 })
  await collector.close()
  for (let i = 0; i < 20; i++) t.equal(await get('/open'), 200)
  const lost = () => gateway.lines.filter(({ msg }) => msg?.startsWith('spans could not be sent'))
  await until(() => lost().length > 0, 60_000)
  t.match(lost(), [{ level: 'warn', setting: 'tracing.otlp', code: 'ECONNREFUSED' }])
  const stuck = await startCollector(Number(new URL(collector.url).port))
  t.teardown(stuck.close)
  stuck.answers('never')
  t.equal(await get('/open'), 200)
  const before = performance.now()
  await gateway.close()
  t.ok(performance.now() - before < 10_000, 'a shutdown waits for it a few seconds')
  t.equal(lost().length, 1)
})

t.test('a WebSocket has the spans of its handshake, however long it stays open', async t => {
  const collector = await collect(t)
  const { gateway, desk } = await open(t, { otlp: collector.url, sample: 1 })
  let [sent, answer]: [string | undefined, number] = [undefined, 101]
  desk.onUpgrade((request, socket) => {
    sent = request.headers.traceparent as string
    const lines = answer === 101 ? ['101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'] : ['500 No']
    socket.write(`HTTP/1.1 ${lines.join('\r\n')}\r\nContent-Length: 0\r\n\r\n`)
    socket.on('error', () => {})
  })
  const opened = await openWebSocket(gateway.port, undefined, '/open')
  t.equal(opened.status, 101)
  await until(() => collector.spans.length === 2, 20_000)
  t.notOk(opened.closed(), 'it is open still')
  const [toDesk, own] = ['desk', 'GET public'].map(name => collector.spans.find(span => span.name === name))
  t.equal(toDesk?.parentSpanId, own?.spanId)
  t.equal(sent, `00-${toDesk?.traceId}-${toDesk?.spanId}-01`)
  const switched = { failed: false, attributes: { 'http.response.status_code': 101 } }
  t.match(toDesk, switched)
  t.match(own, { ...switched, attributes: { ...switched.attributes, 'deskgate.outcome': 'public' } })

  collector.spans.length = 0
  answer = 500
  t.equal((await openWebSocket(gateway.port, undefined, '/open')).status, 500)
  t.equal((await openWebSocket(gateway.port, undefined, '/tickets')).status, 401)
  opened.raw.close()
  await gateway.close({ finish: 0 })
  t.match(
    collector.spans.map(({ name, failed }) => [name, failed]).sort(),
    [
      ['GET public', true],
      ['desk', true],
    ],
    'a refusal of Desk is one; what never reaches Desk has no span',
  )
})

t.test(
  'while the collector hangs, the spans that wait are bounded, and the log says once that some are lost',
  async t => {
    const collector = await collect(t)
    collector.answers('never')
    const lines: { msg?: string }[] = []
    const log = createLog({ level: 'warn' }, { write: text => void lines.push(JSON.parse(text)) })
    const deps = { clock: systemClock, random: systemRandom, log, interval: 100 }
    const tracing = createTracing({ otlp: collector.url, sample: 1 }, deps)
    for (let i = 0; i < 20_000; i++) tracing.begin('GET public', {})?.end()
    await until(() => lines.length > 0, 30_000)
    for (let i = 0; i < 20_000; i++) tracing.begin('GET public', {})?.end()
    collector.answers(200)
    await tracing.close()
    t.match(lines, [{ msg: /^spans could not be sent to the collector, and are lost/ }])
    const { length } = collector.spans
    t.ok(length > 0 && length <= 2048, `of 40000 spans ${length} were kept`)
  },
)

t.test('off: nothing of it is loaded', async t => {
  const { gateway, get, desk, settings } = await open(t, undefined)
  t.equal(await get('/open', `traceparent: 00-${id}-${parent}-01`), 200)
  t.same(desk.last().all('traceparent'), [`00-${id}-${parent}-01`])
  t.match(await gateway.reload(settings({ tracing: { otlp: 'http://127.0.0.1:4318' } })), {
    applied: false,
    problems: [{ key: 'tracing', message: 'cannot change while the gateway runs' }],
  })
  const user = settings({ tracing: { otlp: 'http://user:word@127.0.0.1:4318' } })
  const refused = await gateway.reload(user)
  t.ok('problems' in refused && refused.problems.some(({ message }) => message === 'contains a user name'))
})
