// Every handshake, however it ends, has one line in the access log and counts once in the metrics.

import t, { type Test } from 'tap'
import { StoreUnavailable } from '../../../../src/core/errors.js'
import { createMemoryStore } from '../../../../src/store/memory/store.js'
import { agree, type Desk, startDesk } from '../../../parts/desk.js'
import { type ProxyOptions, startProxy, type TestProxy } from '../../../parts/proxy-server.js'
import { openRaw, type RawConnection } from '../../../parts/raw-http.js'
import { until } from '../../../parts/wait-until.js'

const desk = await startDesk()
t.teardown(desk.close)

const usual = [
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
]
const without = (name: string) => usual.filter(line => !line.startsWith(name))

interface Parts {
  proxy: TestProxy
  desk: Desk
  cookie: string
  open(handshake?: { line?: string; headers?: string[]; cookie?: string | null }): RawConnection
}

interface Case {
  options?: Partial<ProxyOptions>
  /** Status and outcome of the handshakes. */
  wanted: [status: number, outcome: string][]
  run(parts: Parts): Promise<unknown>
}

const refused = (handshake: Parameters<Parts['open']>[0]) => async (parts: Parts) => {
  const connection = parts.open(handshake)
  await connection.response()
  await connection.ended()
}
/** Desk's answer to the handshake. */
const answered = (bytes: string) => async (parts: Parts) => {
  parts.desk.onUpgrade((_, socket) => socket.end(bytes))
  const connection = parts.open()
  await connection.ended()
}
/** What happens while Desk thinks. */
const whileDeskThinks = (then: (connection: RawConnection, parts: Parts) => unknown) => async (parts: Parts) => {
  let asked = false
  parts.desk.onUpgrade(() => {
    asked = true
  })
  const connection = parts.open()
  await until(() => asked)
  await then(connection, parts)
  await connection.ended()
}

let down = false
let gate: Promise<void> | undefined
const heldStore: ProxyOptions['store'] = clock => {
  const store = createMemoryStore({ clock })
  const get = async (key: string) => {
    await gate
    if (down) throw new StoreUnavailable('down')
    return store.get(key)
  }
  return { ...store, get }
}
const stranger = `__Host-deskgate=${'A'.repeat(43)}`
const no = 'HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno'
const yes = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'

const cases: Record<string, Case> = {
  'agreed, and closed by the client': {
    wanted: [[101, 'proxied']],
    async run({ open }) {
      const connection = open()
      await connection.response()
      connection.close()
    },
  },
  'another version': {
    wanted: [[426, 'bad_request']],
    run: refused({ headers: [...without('Sec-WebSocket-Version'), 'Sec-WebSocket-Version: 8'] }),
  },
  'no key': { wanted: [[400, 'bad_request']], run: refused({ headers: without('Sec-WebSocket-Key') }) },
  'no session': { wanted: [[401, 'unauthorized']], run: refused({ cookie: null }) },
  'a foreign page': {
    wanted: [[403, 'forbidden']],
    run: refused({ headers: [...usual, 'Origin: https://evil.example'] }),
  },
  'a path of the gateway': { wanted: [[404, 'own']], run: refused({ line: 'GET /auth/login HTTP/1.1' }) },
  'two hosts': { wanted: [[400, 'bad_request']], run: refused({ headers: ['Host: y', ...usual] }) },
  'an identity that cannot be written': {
    wanted: [[500, 'upstream_error']],
    run(parts) {
      parts.proxy.snapshot.identity.append = () => {
        throw new Error('no identity')
      }
      return refused({})(parts)
    },
  },
  'a header that Node does not send': {
    wanted: [[500, 'upstream_error']],
    run(parts) {
      parts.proxy.snapshot.identity.append = flat => void flat.push('X-Agent-Name', 'a\nb')
      return refused({})(parts)
    },
  },
  'Desk refuses': { wanted: [[403, 'proxied']], run: answered(no) },
  'Desk refuses, then agrees': { wanted: [[403, 'proxied']], run: answered(no + yes) },
  'Desk breaks off its refusal': { wanted: [[403, 'proxied']], run: answered(no.replace('2', '9')) },
  'Desk agrees to another protocol': {
    wanted: [[502, 'upstream_error']],
    run: answered(yes.replace('websocket', 'h2c')),
  },
  'Desk answers with a status that does not exist': {
    wanted: [[502, 'upstream_error']],
    run: answered('HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n'),
  },
  'Desk closes': { wanted: [[502, 'upstream_error']], run: answered('') },
  'Desk is silent': {
    options: { settings: { desk: { timeout: '200ms' } } },
    wanted: [[504, 'upstream_error']],
    run: whileDeskThinks(connection => connection.ended()),
  },
  'the client leaves while Desk thinks': {
    wanted: [[499, 'proxied']],
    run: whileDeskThinks(connection => connection.close()),
  },
  'the client resets while Desk thinks': {
    wanted: [[499, 'proxied']],
    run: whileDeskThinks(({ socket }) => socket.resetAndDestroy()),
  },
  'the session ends while Desk thinks': {
    wanted: [[499, 'proxied']],
    run: whileDeskThinks((_, { proxy }) => proxy.sessions.end('all', 'test')),
  },
  'the process ends while Desk thinks': {
    wanted: [[499, 'proxied']],
    run: whileDeskThinks((_, { proxy }) => proxy.upgrades.closeAll(0)),
  },
  'the client leaves while the session is read': {
    options: { store: heldStore },
    wanted: [[499, 'own']],
    async run({ open, proxy }) {
      let release = () => {}
      gate = new Promise(resolve => {
        release = resolve
      })
      const connection = open({ cookie: stranger })
      await until(() => connections(proxy).then(count => count === 1))
      connection.close()
      await until(() => connections(proxy).then(count => count === 0))
      gate = undefined
      release()
    },
  },
  'the store is down': {
    options: { store: heldStore },
    wanted: [[503, 'store_unavailable']],
    async run(parts) {
      down = true
      await refused({ cookie: stranger })(parts)
      down = false
    },
  },
  'no place for one more that lasts': {
    options: { settings: { desk: { longAnswers: 4 } } },
    wanted: [
      [503, 'desk_busy'],
      [101, 'proxied'],
    ],
    async run({ open, desk }) {
      desk.onUpgrade((request, socket) => agree(request, socket))
      const [one, two] = [open(), open()]
      await Promise.all([one.response(), two.response()])
      one.close()
      two.close()
    },
  },
}

const connections = (proxy: TestProxy) =>
  new Promise<number>(resolve => proxy.app.server.getConnections((_, count) => resolve(count)))

async function counted(proxy: TestProxy): Promise<number> {
  const { body } = await proxy.metrics.text()
  return [...body.matchAll(/^deskgate_requests_total\{.*\} (\d+)$/gm)].reduce(
    (sum, [, count]) => sum + Number(count),
    0,
  )
}

async function start(t: Test, options: Case['options'] = {}): Promise<Parts> {
  const proxy = await startProxy({ deskUrl: desk.url, ...options })
  t.teardown(proxy.close)
  const { cookie } = await proxy.logIn()
  const open: Parts['open'] = ({ line = 'GET /ws HTTP/1.1', headers = usual, cookie: sent = cookie } = {}) => {
    const connection = openRaw(proxy.port)
    connection.send([line, 'Host: x', ...(sent === null ? [] : [`Cookie: ${sent}`]), ...headers, '', ''].join('\r\n'))
    return connection
  }
  return { proxy, desk, cookie, open }
}

for (const [name, { options, wanted, run }] of Object.entries(cases)) {
  t.test(name, async t => {
    const parts = await start(t, options)
    const { proxy } = parts
    await run(parts)
    await until(async () => (await connections(proxy)) === 0)
    await until(() => proxy.lines.some(({ msg }) => msg === 'request'))
    // What the end of the connection brings about is over a turn of the loop later.
    await new Promise(resolve => setImmediate(resolve))
    const lines = proxy.lines.filter(({ msg }) => msg === 'request')
    t.same(lines.map(({ status, outcome }) => [status, outcome]).toSorted(), wanted.toSorted())
    t.equal(await counted(proxy), wanted.length, 'the metric')
  })
}
