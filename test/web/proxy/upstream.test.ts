// What the gateway itself asks Desk: bounded in time and size, over Desk's own TLS, without identity and without a redirect.

import t, { type Test } from 'tap'
import { createLog } from '../../../src/ops/log.js'
import { systemRandom } from '../../../src/runtime/clock.js'
import type { UnreadLimit } from '../../../src/web/connections/unread-limit.js'
import type { RequestContext } from '../../../src/web/context.js'
import { createDeskQueue } from '../../../src/web/proxy/desk-queue.js'
import { createRequestDesk, openDesk } from '../../../src/web/proxy/upstream.js'
import { createAuthority } from '../../parts/certificates.js'
import { type Desk, startDesk } from '../../parts/desk.js'
import { missingParts } from '../../parts/required-parts.js'

/** Of no account here. */
const noUnreadLimit: UnreadLimit = { grew: () => {}, watch: () => {}, close: () => {} }

function defaultLimits() {
  return { queue: createDeskQueue({ log: createLog({ level: 'silent' }) }), unread: noUnreadLimit }
}

const context = {
  id: systemRandom(4).toString('hex'),
  session: { handle: 'somebody' },
  address: '127.0.0.1',
  snapshot: { config: { desk: { connections: 8 } } },
} as unknown as RequestContext

function open(t: Test, desk: Desk, timeout = 300) {
  const connection = openDesk({ url: desk.url, timeout: 60_000 })
  t.teardown(() => connection.close())
  t.teardown(desk.close)
  const requestHeaders = (headers: readonly string[], { session }: RequestContext) => [
    'Host',
    'desk.example.com',
    ...headers,
    ...(session ? ['X-Agent-Email', 'identity'] : []),
  ]
  return createRequestDesk({ desk: connection, requestHeaders, queue: defaultLimits().queue, timeout })
}

t.test('the answer as it is, asked without the identity of the context', async t => {
  const desk = await startDesk()
  const ask = open(t, desk, 30_000)
  t.match(await ask('/api/me?x=1', ['Cookie', 'a=b'], context), { status: 200, body: Buffer.from('hello') })
  t.match(desk.last(), { method: 'GET', url: '/api/me?x=1' })
  t.same(desk.last().folded('x-agent-email'), [])
  desk.onRequest((_, response) => response.writeHead(302, { location: '/elsewhere' }).end())
  t.match(await ask('/', [], context), { status: 302 })
  t.equal(desk.seen.length, 2)
})

t.test('Attack: a Desk that holds the login up, or fills the memory', async t => {
  const desk = await startDesk()
  const ask = open(t, desk)
  desk.onRequest(() => {})
  t.same(await ask('/', [], context), { failure: 'no complete response within 300 ms' }, 'silence')
  desk.onRequest((_, response) => {
    const timer = setInterval(() => response.write('x'), 20)
    response.on('close', () => clearInterval(timer))
  })
  t.same(await ask('/', [], context), { failure: 'no complete response within 300 ms' }, 'byte by byte')
  const patient = open(t, await startDesk(), 30_000)
  t.match(await patient('/', [], context), { status: 200 })
  const large = await startDesk()
  large.onRequest((_, response) => response.end('x'.repeat(64 * 1024 + 1)))
  t.same(await open(t, large, 30_000)('/', [], context), { failure: 'a response of more than 65536 bytes' })
  large.onRequest((_, response) => response.end('x'.repeat(64 * 1024)))
  t.match(await open(t, large, 30_000)('/', [], context), { status: 200 })
})

t.test(
  'a Desk that cannot be reached, or shows a certificate of somebody else',
  { skip: missingParts('openssl') },
  async t => {
    const authority = await createAuthority()
    t.teardown(authority.remove)
    const leaf = await authority.issue(['127.0.0.1'])
    const stranger = await startDesk({ key: leaf.key, cert: leaf.cert })
    t.match(await open(t, stranger, 30_000)('/', [], context), { failure: /^no response \((?!.*TIMEOUT).*\)$/ })
    t.equal(stranger.seen.length, 0)
    const gone = await startDesk()
    await gone.close()
    t.same(await open(t, gone, 30_000)('/', [], context), { failure: 'no response (ECONNREFUSED)' })
  },
)
