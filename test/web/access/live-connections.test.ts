// What is open ends with its session: WebSockets with code 4401 between two frames, streams and downloads by a cut; at an
// ending here or elsewhere, at the idle and absolute end to the second, and after a time in which nothing was heard.

import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import t, { type Test } from 'tap'
import { StoreUnavailable } from '../../../src/core/errors.js'
import type { Store } from '../../../src/core/store.js'
import { createMemoryStore } from '../../../src/store/memory/store.js'
import { agree, startDesk } from '../../parts/desk.js'
import { type ProxyOptions, startProxy, type TestProxy } from '../../parts/proxy-server.js'
import { openRaw, rawRequest } from '../../parts/raw-http.js'
import { until } from '../../parts/wait-until.js'
import { frame, openWebSocket } from '../../parts/websocket.js'

const desk = await startDesk()
t.teardown(desk.close)

/** Desk's ends of the WebSockets, in the order in which they were opened. */
let sides: Duplex[] = []
desk.onUpgrade((request, socket) => {
  agree(request, socket)
  sides.push(socket)
})

async function start(t: Test, options: Omit<ProxyOptions, 'deskUrl'> = {}): Promise<TestProxy> {
  sides = []
  const proxy = await startProxy({ deskUrl: desk.url, ...options })
  t.teardown(proxy.close)
  return proxy
}

const second = 1000
const hour = 3600 * second

t.test('a WebSocket gets 4401, those of another session nothing', async t => {
  const proxy = await start(t)
  const [one, other] = [await proxy.logIn(), await proxy.logIn({ email: 'other@example.com' })]
  const [mine, theirs] = [await openWebSocket(proxy.port, one.cookie), await openWebSocket(proxy.port, other.cookie)]
  await proxy.sessions.end({ handle: one.session.handle }, 'test')
  await mine.raw.ended()
  t.same(mine.closed(), { code: 4401, reason: 'session ended' })
  sides[1]?.write(frame('still here', { opcode: 1 }))
  await until(() => theirs.frames().length === 1)
  t.equal(theirs.closed(), undefined)
  t.ok(sides[0]?.readableEnded || sides[0]?.destroyed || (await ended(sides[0])), 'Desk hears of the end')
})

t.test('the close frame never lies inside another frame', async t => {
  const proxy = await start(t, { timeouts: { frame: 60_000, closing: 60_000 } })
  const whole = frame(Buffer.alloc(1000, 0x88), { opcode: 2 })
  for (const at of [1, 2, 3, 4, 500, 999 + 4]) {
    const { cookie, session } = await proxy.logIn()
    const socket = await openWebSocket(proxy.port, cookie)
    const side = sides.at(-1)
    side?.write(whole)
    side?.write(whole.subarray(0, at))
    let heard = 0
    side?.on('data', () => heard++)
    await until(() => socket.raw.seen().length === whole.length + at)
    await proxy.sessions.end({ handle: session.handle }, 'test')
    t.equal(socket.closed(), undefined, 'not yet')
    socket.send('too late')
    // On another WebSocket, so that this one's message has had its time.
    await proxy.logIn().then(({ cookie }) => openWebSocket(proxy.port, cookie))
    // The rest of the frame, and one that nobody may see any more.
    side?.write(Buffer.concat([whole.subarray(at), frame('secret', { opcode: 1 })]))
    await socket.raw.ended()
    t.same(
      socket.frames().map(({ opcode, payload }) => [opcode, payload.length]),
      [
        [2, 1000],
        [2, 1000],
        [8, 15],
      ],
      `cut after ${at} bytes`,
    )
    t.equal(socket.rest().length, 0)
    t.equal(heard, 0, 'what the browser says meanwhile goes nowhere')
  }
})

t.test('a frame that Desk does not finish is not a way to stay', async t => {
  const proxy = await start(t)
  const { cookie, session } = await proxy.logIn()
  const socket = await openWebSocket(proxy.port, cookie)
  sides[0]?.write(frame(Buffer.alloc(1000), { opcode: 2 }).subarray(0, 700))
  await until(() => socket.raw.seen().length === 700)
  await proxy.sessions.end({ handle: session.handle }, 'test')
  await socket.raw.ended()
  t.equal(socket.raw.seen().length, 700)
})

t.test('a client that does not read is cut all the same, and nothing that it sends goes to Desk', async t => {
  const proxy = await start(t)
  const { cookie, session } = await proxy.logIn()
  const socket = await openWebSocket(proxy.port, cookie)
  let got = 0
  sides[0]?.on('data', (bytes: Buffer) => {
    got += bytes.length
  })
  socket.raw.socket.pause()
  const full = () =>
    sides[0]?.write(frame(Buffer.alloc(60_000), { opcode: 2 })) === false && sides[0].writableLength > 4e6
  await until(full)
  await proxy.sessions.end({ handle: session.handle }, 'test')
  const before = got
  socket.send('too late')
  await until(async () => (await gauge(proxy)) === 0)
  t.equal(got, before)
  socket.raw.close()
})

t.test("after Desk's own close frame there is no second one", async t => {
  const proxy = await start(t)
  const { cookie, session } = await proxy.logIn()
  const socket = await openWebSocket(proxy.port, cookie)
  sides[0]?.write(frame(Buffer.from([3, 0xe8]), { opcode: 8 }))
  await until(() => socket.closed() !== undefined)
  await proxy.sessions.end({ handle: session.handle }, 'test')
  await socket.raw.ended()
  t.equal(socket.frames().length, 1)
})

t.test('streams and downloads that last are cut; short answers and those of others are not', async t => {
  const proxy = await start(t)
  const [one, other] = [await proxy.logIn(), await proxy.logIn({ email: 'other@example.com' })]
  const responses: ServerResponse[] = []
  desk.onRequest((request, response) => {
    responses.push(response)
    if (request.url === '/silent') return
    if (request.url === '/events') response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders()
    else response.writeHead(200, { 'Content-Length': '1000' }).write('some')
  })
  const open = async (path: string, cookie: string, version = '1.1') => {
    const connection = openRaw(proxy.port)
    connection.send(rawRequest(`GET ${path} HTTP/${version}`, [`Cookie: ${cookie}`]))
    const before = responses.length
    await until(() => responses.length > before)
    if (path !== '/silent') await connection.until(seen => seen.includes('\r\n\r\n'))
    return connection
  }
  const mine = [
    await open('/events', one.cookie),
    await open('/file', one.cookie),
    await open('/silent', one.cookie),
    await open('/file', one.cookie, '1.0'),
  ]
  const theirs = await open('/events', other.cookie)
  const young = async () => {
    await proxy.liveConnections.tick()
    const connection = await open('/file', one.cookie)
    return connection
  }
  await proxy.liveConnections.tick()
  const short = await young()
  await proxy.liveConnections.tick()
  await proxy.sessions.end({ handle: one.session.handle }, 'test')
  for (const connection of mine) await connection.ended()
  t.notOk(mine[2]?.seen().length, 'of what Desk still thought about nothing came')
  t.equal(short.socket.destroyed, false)
  responses.at(-1)?.end(Buffer.alloc(996))
  t.equal((await short.response()).whole, true, 'an answer that was nearly there')
  responses[4]?.write('data: still here\n\n')
  await theirs.until(seen => seen.includes('still here'))
  theirs.close()
})

t.test('an answer that begins just before the revocation and goes on and on is cut as well', async t => {
  const proxy = await start(t)
  const { cookie, session } = await proxy.logIn()
  desk.onRequest((_, response) => void response.writeHead(200).write('some'))
  const connection = openRaw(proxy.port)
  connection.send(rawRequest('GET /file HTTP/1.1', [`Cookie: ${cookie}`]))
  await connection.until(seen => seen.includes('some'))
  await proxy.sessions.end({ handle: session.handle }, 'test')
  for (let i = 0; i < 3; i++) await proxy.liveConnections.tick()
  await connection.ended()
  t.pass('cut')
})

for (const [what, settings] of [
  ['the idle end', { idle: '1h', lifetime: '24h' }],
  ['the absolute end', { idle: '24h', lifetime: '1h' }],
] as const) {
  t.test(`${what} is exact`, async t => {
    const proxy = await start(t, { settings: { sessions: settings } })
    const { cookie } = await proxy.logIn()
    const socket = await openWebSocket(proxy.port, cookie)
    proxy.clock.move(hour - 1)
    await proxy.liveConnections.tick()
    t.equal(socket.closed(), undefined)
    proxy.clock.move(1)
    await proxy.liveConnections.tick()
    await socket.raw.ended()
    t.same(socket.closed(), { code: 4401, reason: 'session ended' })
  })
}

t.test('messages of the browser are activity; pongs, what Desk says and polling are not', async t => {
  const settings = { sessions: { idle: '1h', idleIgnore: ['/quiet'] } }
  const cases: [string, string, (socket: Awaited<ReturnType<typeof openWebSocket>>) => void, boolean][] = [
    ['a message', '/ws', socket => socket.send('hello'), true],
    ['a pong', '/ws', socket => socket.send('hello', 10), false],
    ['a message on a path of idleIgnore', '/quiet', socket => socket.send('hello'), false],
    ['a message of Desk', '/ws', () => sides.at(-1)?.write(frame('hello', { opcode: 1 })), false],
  ]
  for (const [why, path, speak, active] of cases) {
    const proxy = await start(t, { settings })
    const { cookie } = await proxy.logIn()
    const socket = await openWebSocket(proxy.port, cookie, path)
    let heard = 0
    sides[0]?.on('data', () => heard++)
    proxy.clock.move(hour - second)
    await proxy.liveConnections.tick()
    speak(socket)
    await until(() => heard + socket.frames().length > 0)
    proxy.clock.move(second)
    await proxy.liveConnections.tick()
    if (active) {
      t.equal(socket.closed(), undefined, why)
      proxy.clock.move(hour - second)
      await proxy.liveConnections.tick()
    }
    await socket.raw.ended()
    t.equal(socket.closed()?.code, 4401, why)
  }
})

t.test('what comes after the idle end brings nothing back', async t => {
  const proxy = await start(t, { settings: { sessions: { idle: '1h' } } })
  const { cookie } = await proxy.logIn()
  const socket = await openWebSocket(proxy.port, cookie)
  let heard = 0
  sides[0]?.on('data', () => heard++)
  proxy.clock.move(hour)
  socket.send('too late')
  await until(() => heard > 0 || socket.closed() !== undefined)
  await proxy.liveConnections.tick()
  await socket.raw.ended()
  t.equal(socket.closed()?.code, 4401)
})

/** A store whose messages are lost when the test says so; a gap is told by hand. */
function deaf() {
  let [lost, down] = [false, false]
  const gaps: (() => void)[] = []
  const store = (memory: Store): Store => ({
    ...memory,
    get: key => (down ? Promise.reject(new StoreUnavailable('down')) : memory.get(key)),
    subscribe(channel, onMessage, onGap, onBreak) {
      gaps.push(onGap)
      memory.subscribe(channel, message => lost || onMessage(message), onGap, onBreak)
    },
  })
  return {
    store: (clock: Parameters<NonNullable<ProxyOptions['store']>>[0]) => store(createMemoryStore({ clock })),
    lose: () => {
      lost = true
    },
    fail: (is: boolean) => {
      down = is
    },
    gap() {
      for (const gap of gaps) gap()
    },
  }
}

/** Ends a session as another replica does, whose message may be lost. */
async function endElsewhere(store: Store, handle: string): Promise<void> {
  await store.delete([`s:${handle}`])
  await store.publish('ended', JSON.stringify({ handle, why: 'test' }))
}

t.test(
  'a revocation elsewhere arrives as an event; a lost event is noticed by nearCache, or at once after a gap',
  async t => {
    for (const how of ['heard', 'lost', 'gap']) {
      const messages = deaf()
      let store: Store | undefined
      const proxy = await start(t, {
        settings: { sessions: { nearCache: '30s' } },
        store: clock => {
          store = messages.store(clock)
          return store
        },
      })
      const { cookie, session } = await proxy.logIn()
      const socket = await openWebSocket(proxy.port, cookie)
      await proxy.liveConnections.tick()
      if (how !== 'heard') messages.lose()
      await endElsewhere(store as Store, session.handle)
      if (how === 'gap') messages.gap()
      if (how === 'lost') {
        await proxy.liveConnections.tick()
        t.equal(socket.closed(), undefined)
        proxy.clock.move(29 * second)
        await proxy.liveConnections.tick()
      }
      await socket.raw.ended()
      t.equal(socket.closed()?.code, 4401, how)
    }
  },
)

t.test('activity elsewhere keeps what is open here', async t => {
  let store: Store | undefined
  const proxy = await start(t, {
    settings: { sessions: { idle: '1h' } },
    store: clock => {
      store = createMemoryStore({ clock })
      return store
    },
  })
  const { cookie, session } = await proxy.logIn()
  const socket = await openWebSocket(proxy.port, cookie)
  proxy.clock.move(hour / 2)
  await store?.set(`a:${session.handle}`, Buffer.from(String(proxy.clock.now())), hour)
  proxy.clock.move(hour / 2)
  await proxy.liveConnections.tick()
  t.equal(socket.closed(), undefined)
  proxy.clock.move(hour / 2)
  await proxy.liveConnections.tick()
  await socket.raw.ended()
  t.equal(socket.closed()?.code, 4401)
})

t.test('a clock that is set back is not a reason to trust what was read', async t => {
  const messages = deaf()
  let store: Store | undefined
  const proxy = await start(t, {
    store: clock => {
      store = messages.store(clock)
      return store
    },
  })
  const { cookie, session } = await proxy.logIn()
  const socket = await openWebSocket(proxy.port, cookie)
  await proxy.liveConnections.tick()
  messages.lose()
  await endElsewhere(store as Store, session.handle)
  proxy.clock.move(-hour)
  await proxy.liveConnections.tick()
  await socket.raw.ended()
  t.equal(socket.closed()?.code, 4401)
})

t.test(
  'at the idle end the store must be asked: one that is down ends it, with a code that says to come back',
  async t => {
    const messages = deaf()
    const proxy = await start(t, {
      settings: { sessions: { idle: '1h', outageGrace: '24h' } },
      store: messages.store,
    })
    const { cookie } = await proxy.logIn()
    const socket = await openWebSocket(proxy.port, cookie)
    await proxy.liveConnections.tick()
    messages.fail(true)
    proxy.clock.move(hour - second)
    await proxy.liveConnections.tick()
    t.equal(socket.closed(), undefined)
    proxy.clock.move(second)
    await proxy.liveConnections.tick()
    await socket.raw.ended()
    t.equal(socket.closed()?.code, 1013)
  },
)

t.test('closeAll says 1001 to all, at some moment within the time that it is given', async t => {
  const proxy = await start(t)
  const { cookie } = await proxy.logIn()
  const sockets = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      openWebSocket(proxy.port, i % 2 ? cookie : undefined, i % 2 ? '/ws' : '/open'),
    ),
  )
  t.same([...new Set(sockets.map(({ status }) => status))], [101])
  proxy.upgrades.closeAll(60_000)
  for (const { raw } of sockets) await raw.ended()
  t.same([...new Set(sockets.map(socket => socket.closed()?.code))], [1001])
  const late = await openWebSocket(proxy.port, cookie)
  await late.raw.ended()
  t.equal(late.closed()?.code, 1001, 'and so to one that was just opening')
})

async function ended(socket: Duplex | undefined): Promise<boolean> {
  socket?.resume()
  await until(() => socket === undefined || socket.readableEnded || socket.destroyed)
  return true
}

async function gauge(proxy: TestProxy): Promise<number> {
  return Number(/deskgate_websockets (\d+)/.exec((await proxy.metrics.text()).body)?.[1])
}
