// The end of a gateway as those see it who are connected to it: it says that it goes, serves on, tells each connection that
// this was its last answer, finishes what is under way, and cuts only what does not end in time.

import { once } from 'node:events'
import { Agent, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { startDesk } from '../parts/desk.js'
import { type InProcessGateway, startInProcessGateway } from '../parts/gateway.js'
import { exchange } from '../parts/user-agent.js'
import { until } from '../parts/wait-until.js'

const patience = 30_000

async function start(t: Test, pause?: () => Promise<unknown>) {
  const desk = await startDesk()
  const settings = {
    publicUrl: 'https://desk.example.com',
    desk: { url: desk.url, public: ['/*'] },
    providers: [{ id: 'p', type: 'jwt', name: 'P', loginUrl: 'https://p.example.com/', secrets: ['x'.repeat(40)] }],
    agents: [{ any: true }],
  }
  const gateway = await startInProcessGateway(settings, pause ? { pause } : {})
  t.teardown(desk.close)
  return { desk, gateway }
}

/** One request by an agent that keeps its connections; the answer's head. */
function ask(agent: Agent, { port }: InProcessGateway, path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, agent }, resolve)
    asked.on('error', reject).end()
  })
}

function raw({ port }: InProcessGateway): { socket: Socket; text(): string } {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.on('data', chunk => {
    text += chunk.toString('latin1')
  })
  socket.on('error', () => {})
  return { socket, text: () => text }
}

const isRefused = ({ port }: InProcessGateway) =>
  exchange({ port }, '/open', {}).then(
    () => false,
    () => true,
  )

t.test('it says so, serves on, and no connection loses a request', async t => {
  let noticed = () => {}
  const balancer = new Promise<void>(resolve => {
    noticed = resolve
  })
  const { desk, gateway } = await start(t, () => balancer)
  const held = new Map<string, ServerResponse>()
  desk.onRequest((request, response) => {
    if (request.url === '/open') return void response.end('hello')
    if (request.url === '/stream') response.write('first, ')
    held.set(request.url ?? '', response)
  })
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const kept = await ask(agent, gateway, '/open')
  t.equal(kept.headers.connection, 'keep-alive')
  await once(kept.resume(), 'end')
  const slow = ask(new Agent({ keepAlive: true }), gateway, '/slow')
  const stream = raw(gateway)
  stream.socket.write('GET /stream HTTP/1.1\r\nHost: x\r\n\r\n')
  const silent = raw(gateway)
  await until(() => held.has('/slow') && stream.text().includes('first, '), patience)

  const closed = gateway.close({ serveOn: 10_000 })
  const ready = await fetch(`${gateway.opsUrl}/ready`)
  t.match({ status: ready.status, body: await ready.json() }, { status: 503, body: { state: 'draining' } })
  const again = await ask(agent, gateway, '/open')
  t.match([again.statusCode, again.headers.connection], [200, 'close'], 'a kept connection hears that it is over')
  await once(again.resume(), 'end')
  t.equal((await exchange(gateway, '/open', {})).status, 200, 'and a new one is still taken')
  held.get('/slow')?.end('late')
  t.equal((await slow).headers.connection, 'close', 'so does one whose answer was under way')

  noticed()
  await until(() => isRefused(gateway), patience)
  // On a connection whose head went out before the end began, another request comes in after it.
  stream.socket.write('GET /open HTTP/1.1\r\nHost: x\r\n\r\n')
  held.get('/stream')?.end('last')
  await once(stream.socket, 'close')
  const [, second = ''] = stream.text().split('last')
  t.match(second, /HTTP\/1\.1 200 OK[\s\S]*Connection: close[\s\S]*hello/i, 'it is served, as the last')
  await closed
  t.ok(
    silent.socket.destroyed || (await once(silent.socket, 'close')),
    'a connection without a request holds nothing up',
  )
  t.notOk(gateway.lines.some(({ msg }) => String(msg).includes('open connections closed')))
})

t.test('what does not end in time is cut, and said', async t => {
  const { desk, gateway } = await start(t)
  desk.onRequest((_request, response) => void response.write('for ever'))
  const endless = raw(gateway)
  endless.socket.write('GET /events HTTP/1.1\r\nHost: x\r\n\r\n')
  await until(() => endless.text().includes('for ever'), patience)
  await gateway.close({ finish: 100 })
  if (!endless.socket.destroyed) await once(endless.socket, 'close')
  t.match(
    gateway.lines.find(({ level }) => level === 'warn'),
    { connections: 1, msg: /drain time over/ },
  )
})
