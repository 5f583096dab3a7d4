// Desk behind @fastify/http-proxy: nothing goes there without the guard's verdict, whatever is mounted or left out.

import type { IncomingMessage } from 'node:http'
import { PassThrough } from 'node:stream'
import t from 'tap'
import { openListener } from '../../../src/web/connections/listener.js'
import { carryRequests, mountDesk } from '../../../src/web/proxy/plugin.js'
import { createRequestLifecycle } from '../../../src/web/request-lifecycle.js'
import { startDesk } from '../../parts/desk.js'
import { startProxy } from '../../parts/proxy-server.js'
import { sendRaw } from '../../parts/raw-http.js'

const desk = await startDesk()
const proxy = await startProxy({ deskUrl: desk.url, settings: { desk: { public: ['/open'] } } })
t.teardown(async () => {
  await proxy.close()
  await desk.close()
})
const { cookie } = await proxy.logIn()
const { snapshot } = proxy

/** The same snapshot behind another listener, with `mount` in the place of the guarded Desk. */
async function listen(mount: typeof mountDesk): Promise<number> {
  const lifecycle = createRequestLifecycle({
    ...{ current: () => snapshot, acquire: () => snapshot, release: () => {}, shedding: () => false },
    ...{ clock: proxy.clock, metrics: proxy.metrics, log: { access: () => {} } as never },
  })
  const app = openListener(snapshot.config, lifecycle.rewriteUrl)
  lifecycle.mount(app)
  mount(app)
  await app.listen({ port: 0, host: '127.0.0.1' })
  t.teardown(() => app.close())
  const address = app.server.address()
  return typeof address === 'object' && address ? address.port : 0
}

const requests = ['GET /x', 'GET /open', 'POST /x', 'QUERY /x', 'HEAD /x', 'PROPFIND /x', 'DELETE /auth/login']
const bytes = (line: string) =>
  `${line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: ${cookie}\r\nContent-Length: 0\r\n\r\n`

t.test('Attack: without the guard every request is refused, with a session and on public paths too', async t => {
  const port = await listen(app => void app.register(carryRequests))
  for (const line of requests) t.equal((await sendRaw(port, bytes(line))).status, 500, line)
  t.equal(desk.seen.length, 0, 'Desk has seen none')
})

t.test('with the guard the same requests pass', async t => {
  const port = await listen(mountDesk)
  for (const line of requests.slice(0, -1)) t.equal((await sendRaw(port, bytes(line))).status, 200, line)
  t.equal(desk.seen.length, requests.length - 1)
  t.equal((await sendRaw(port, bytes(requests.at(-1) ?? ''))).status, 404, 'a path of the gateway never goes to Desk')
})

t.test('Attack: a verdict of another request, a refusal, or none lets nothing through', async t => {
  const before = desk.seen.length
  const request = { method: 'GET', url: '/x', rawHeaders: [], httpVersion: '1.1', complete: true } as never
  const context = { ...contextOf(), session: undefined }
  for (const verdict of [undefined, { kind: 'refuse', code: 'challenge' } as const]) {
    const given = { ...context, verdict }
    let status = 0
    const writeHead = (code: number) => {
      status = code
    }
    snapshot.pipeline.send(request, { req: request, headersSent: false, writeHead, end: () => {} } as never, given)
    t.equal(status, 500)
    t.throws(() => snapshot.pipeline.upgrade(request, new PassThrough(), Buffer.alloc(0), given, () => {}))
  }
  t.equal(desk.seen.length, before)
})

t.test('a media type is for Desk to judge, and an unknown sender is 401 before anyone looks at it', async t => {
  for (const type of ['nonsense', ';;', '*/', 'a/b; c="', 'application/json']) {
    for (const method of ['POST', 'QUERY', 'PUT', 'DELETE']) {
      const lines = ['Host: x', 'Connection: close', `Content-Type: ${type}`, 'Content-Length: 1', '', '{']
      const head = `${method} /x HTTP/1.1\r\n`
      t.equal((await sendRaw(proxy.port, head + [`Cookie: ${cookie}`, ...lines].join('\r\n'))).status, 200)
      t.same(desk.last().all('content-type'), [type])
      t.equal((await sendRaw(proxy.port, head + lines.join('\r\n'))).status, 401, `${method} ${type}`)
    }
  }
})

function contextOf() {
  const request = { method: 'GET', url: '/x', rawHeaders: [], httpVersion: '1.1', socket: { remoteAddress: '::1' } }
  const lifecycle = createRequestLifecycle({
    ...{ current: () => snapshot, acquire: () => snapshot, release: () => {}, shedding: () => false },
    ...{ clock: proxy.clock, metrics: proxy.metrics, log: { access: () => {} } as never },
  })
  return lifecycle.stateOf(request as unknown as IncomingMessage).context
}
