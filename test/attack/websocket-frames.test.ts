// What may pass through an open WebSocket: frames of RFC 6455 of a bounded size, as fast as they are taken, and no message
// held by the gateway.

import type { Duplex } from 'node:stream'
import { deflateRawSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { agree, startDesk } from '../parts/desk.js'
import { type ProxyOptions, startProxy } from '../parts/proxy-server.js'
import { openRaw } from '../parts/raw-http.js'
import { settled, until } from '../parts/wait-until.js'
import { frame, framesIn, openWebSocket, type TestWebSocket } from '../parts/websocket.js'

const handshake = [
  'GET /ws HTTP/1.1',
  'Host: x',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
]
const extension = 'Sec-WebSocket-Extensions: permessage-deflate'

interface Side {
  socket: Duplex
  /** All that came from the browser. */
  got: Buffer
  over: boolean
}

interface Opened {
  browser: TestWebSocket
  desk: Side
}

/** A proxy before a Desk that listens to its WebSockets, and agrees with these lines. */
async function start(t: Test, options: Omit<ProxyOptions, 'deskUrl'> = {}, lines: string[] = []) {
  const desk = await startDesk()
  const sides: Side[] = []
  desk.onUpgrade((request, socket) => {
    agree(request, socket, lines)
    const side: Side = { socket, got: Buffer.alloc(0), over: false }
    socket.on('error', () => {})
    socket.on('data', chunk => {
      side.got = Buffer.concat([side.got, chunk])
    })
    for (const end of ['end', 'close']) {
      socket.on(end, () => {
        side.over = true
      })
    }
    sides.push(side)
  })
  const proxy = await startProxy({ deskUrl: desk.url, ...options })
  t.teardown(async () => {
    await proxy.close()
    await desk.close()
  })
  const { cookie, session } = await proxy.logIn()
  const open = async (): Promise<Opened> => {
    const browser = await openWebSocket(proxy.port, cookie)
    t.teardown(browser.raw.close)
    return { browser, desk: sides.at(-1) as Side }
  }
  const gone = () =>
    until(async () => (await proxy.metrics.text()).body.includes('deskgate_websockets 0\n') && sides.every(s => s.over))
  return { proxy, session, open, gone }
}

/** The head of a frame alone. */
const head = (first: number, second: number, ...length: number[]) => Buffer.from([first, second, ...length])
const huge = (top: number) => [top, 0, 0, 0, 0, 0, 0, 0]
const text = (payload: string) => frame(payload, { opcode: 1, masked: true })
const mask = [0, 0, 0, 0]

const broken: Record<string, Buffer> = {
  'a text that is not masked': frame('spoof', { opcode: 1 }),
  'a ping that is not masked': frame('', { opcode: 9 }),
  'a reserved bit that nobody agreed to': head(0xc1, 0x80, ...mask),
  'all reserved bits': head(0xf1, 0x80, ...mask),
  'a reserved opcode for data': head(0x83, 0x80, ...mask),
  'the last opcode for data': head(0x87, 0x80, ...mask),
  'a reserved opcode for control': head(0x8b, 0x80, ...mask),
  'a ping of 126 bytes': frame('x'.repeat(126), { opcode: 9, masked: true }),
  'a close frame that announces much': head(0x88, 0xff, ...huge(0), ...mask),
  'a ping in pieces': frame('x', { opcode: 9, masked: true, final: false }),
  'another request': Buffer.from('GET /inner HTTP/1.1\r\nHost: x\r\n\r\n'),
}

t.test('Attack: what is not a frame of a browser ends the WebSocket, and never reaches Desk', async t => {
  const { proxy, open, gone } = await start(t)
  for (const [why, bytes] of Object.entries(broken)) {
    const { browser, desk } = await open()
    browser.raw.send(Buffer.concat([text('before'), bytes, text('after')]))
    await browser.raw.ended()
    t.same(browser.closed(), { code: 1002, reason: 'protocol error' }, why)
    await until(() => desk.over)
    t.same(desk.got, text('before'), `${why}: Desk has what came before, and no more`)
    t.match(proxy.lines.at(-1), { level: 'warn', from: 'browser', msg: /RFC 6455/ }, why)
  }
  await gone()
})

t.test('Attack: a bad head in pieces, behind a good frame in pieces', async t => {
  const { open } = await start(t)
  const { browser, desk } = await open()
  const bytes = Buffer.concat([text('good'), frame('spoof', { opcode: 1 })])
  for (let at = 0; at < bytes.length; at++) {
    browser.raw.send(bytes.subarray(at, at + 1))
    // So that it arrives alone.
    await until(() => desk.got.length > at || at >= text('good').length)
  }
  await browser.raw.ended()
  t.equal(browser.closed()?.code, 1002)
  await until(() => desk.over)
  t.ok(desk.got.length <= text('good').length + 1, 'at most the first byte of it, which says nothing yet')
})

t.test('what Desk sends that is not a frame does not get to the browser either', async t => {
  const { proxy, open } = await start(t)
  const cases = { 'a reserved opcode': head(0x8f, 0), 'a ping of 126 bytes': frame('x'.repeat(126), { opcode: 9 }) }
  for (const [why, bytes] of Object.entries(cases)) {
    const { browser, desk } = await open()
    desk.socket.write(Buffer.concat([frame('fine', { opcode: 1 }), bytes]))
    await browser.raw.ended()
    t.same(
      browser.frames().map(({ opcode, payload }) => [opcode, payload.length]),
      [
        [1, 4],
        [8, 2 + 'protocol error'.length],
      ],
      why,
    )
    t.equal(browser.rest().length, 0)
    t.match(proxy.lines.at(-1), { from: 'Desk' })
  }
})

t.test('Attack: a frame larger than the limit is closed with 1009 at its head, up to the limit it passes', async t => {
  const { proxy, open } = await start(t, { largestFrame: 64 * 1024 })
  for (const [why, bytes] of Object.entries({
    'one byte more': head(0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 1, ...mask),
    'a hundred megabytes': head(0x82, 0xff, 0, 0, 0, 0, 6, 0, 0, 0, ...mask),
    'more than a number holds': head(0x82, 0xff, ...huge(0x7f), ...mask),
    'the bit that must be zero': head(0x82, 0xff, ...huge(0xff), ...mask),
  })) {
    const { browser, desk } = await open()
    browser.raw.send(bytes)
    await browser.raw.ended()
    t.same(browser.closed(), { code: 1009, reason: 'message too big' }, why)
    await until(() => desk.over)
    t.equal(desk.got.length, 0, `${why}: Desk hears nothing of it`)
    t.match(proxy.lines.at(-1), { msg: /larger than 64 MiB/ })
  }
  const { browser, desk } = await open()
  const largest = frame(Buffer.alloc(65_536, 1), { opcode: 2, masked: true })
  // A message may be as long as it likes, in frames.
  const message = Buffer.concat([
    frame(Buffer.alloc(65_536, 2), { opcode: 2, masked: true, final: false }),
    ...Array.from({ length: 40 }, () => frame(Buffer.alloc(65_000, 3), { opcode: 0, masked: true, final: false })),
    frame('end', { opcode: 0, masked: true }),
  ])
  browser.raw.send(Buffer.concat([largest, message]))
  await until(() => desk.got.length === largest.length + message.length)
  t.ok(desk.got.equals(Buffer.concat([largest, message])), 'byte for byte')
  desk.socket.write(head(0x82, 127, 0, 0, 0, 0, 0, 1, 0, 1))
  await browser.raw.ended()
  t.equal(browser.closed()?.code, 1009, 'and so it is the other way round')
})

t.test('what an agreed extension makes of reserved bits passes, also a bomb: nothing is inflated here', async t => {
  const { open } = await start(t, { largestFrame: 64 * 1024 }, [extension])
  const { browser, desk } = await open()
  const bomb = deflateRawSync(Buffer.alloc(20_000_000))
  t.ok(bomb.length < 65_536)
  const sent = frame(bomb, { opcode: 2, masked: true })
  sent[0] = 0xc2
  browser.raw.send(sent)
  await until(() => desk.got.length >= sent.length)
  t.same(desk.got, sent, 'as small as it was')
  const back = Buffer.from(frame(bomb, { opcode: 2 }))
  back[0] = 0xc2
  desk.socket.write(back)
  await until(() => browser.frames().length === 1)
  t.same(browser.raw.seen(), back)
  // Control frames keep their bounds under any extension.
  browser.raw.send(frame('x'.repeat(126), { opcode: 10, masked: true }))
  await browser.raw.ended()
  t.equal(browser.closed()?.code, 1002)
})

t.test('frames of every legal kind pass in both directions', async t => {
  const { open } = await start(t)
  const { browser, desk } = await open()
  const all = (masked: boolean) =>
    Buffer.concat([
      frame('', { opcode: 1, masked }),
      frame('a', { opcode: 1, masked, final: false }),
      frame('x'.repeat(125), { opcode: 9, masked }),
      frame('b', { opcode: 0, masked }),
      frame(Buffer.alloc(70_000), { opcode: 2, masked }),
      frame('', { opcode: 10, masked }),
      frame(Buffer.from([3, 0xe8]), { opcode: 8, masked }),
    ])
  browser.raw.send(all(true))
  await until(() => desk.got.length === all(true).length)
  t.same(desk.got, all(true))
  desk.socket.write(all(false))
  await until(() => browser.raw.seen().length === all(false).length)
  t.same(browser.raw.seen(), all(false))
})

t.test('a message as a browser masks it passes untouched', async t => {
  const { open } = await start(t)
  const { browser, desk } = await open()
  const masked = Buffer.from([0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58])
  browser.raw.send(masked)
  await until(() => desk.got.length === masked.length)
  t.same(desk.got, masked, 'RFC 6455 5.7')
})

for (const reader of ['browser', 'Desk'] as const) {
  t.test(`Attack: a ${reader} that does not read holds back the other side, and is given up in the end`, async t => {
    const { proxy, open, gone } = await start(t, { timeouts: { unread: 3000 } })
    const { browser, desk } = await open()
    const [sleeper, sender] =
      reader === 'browser' ? [browser.raw.socket, desk.socket] : [desk.socket, browser.raw.socket]
    const chunk = frame(Buffer.alloc(60_000), { opcode: 2, masked: reader === 'Desk' })
    sleeper.pause()
    let sent = 0
    const push = () => {
      while (!sender.destroyed && sent < 1e9 && sender.write(chunk)) sent += chunk.length
    }
    sender.on('error', () => {}).on('drain', push)
    push()
    await settled(() => sent)
    t.ok(sent < 60e6, `${sent} bytes could be sent, then no more`)
    await until(() => proxy.lines.some(({ msg }) => /data not read in time/.test(String(msg))))
    if (reader === 'Desk') {
      await browser.raw.ended()
      t.equal(browser.closed()?.code, 1013)
    }
    sleeper.resume()
    await gone()
    t.pass('both sockets are gone')
  })
}

t.test('who reads now and then is not given up', async t => {
  const { open } = await start(t, { timeouts: { unread: 30_000 } })
  const { browser, desk } = await open()
  browser.raw.socket.pause()
  const chunk = frame(Buffer.alloc(60_000), { opcode: 2 })
  const count = 100
  for (let i = 0; i < count; i++) desk.socket.write(chunk)
  await settled(() => desk.socket.writableLength)
  browser.raw.socket.resume()
  await until(() => browser.raw.seen().length === count * chunk.length)
  t.equal(framesIn(browser.raw.seen()).frames.length, count)
})

t.test('Attack: ten thousand frames, and more and more, before Desk has agreed wait at the client', async t => {
  const desk = await startDesk()
  let [got, say] = [0, () => {}]
  const first: Buffer[] = []
  desk.onUpgrade((request, socket) => {
    socket.on('error', () => {})
    socket.on('data', chunk => {
      if (got < 200_000) first.push(chunk)
      got += chunk.length
    })
    say = () => agree(request, socket)
  })
  const proxy = await startProxy({ deskUrl: desk.url })
  t.teardown(async () => {
    await proxy.close()
    await desk.close()
  })
  const { cookie } = await proxy.logIn()
  const browser = openRaw(proxy.port)
  t.teardown(browser.close)
  browser.send([...handshake, `Cookie: ${cookie}`, '', ''].join('\r\n'))
  const frames = Buffer.concat(Array.from({ length: 10_000 }, (_, at) => text(String(at))))
  browser.send(frames)
  const chunk = frame(Buffer.alloc(60_000), { opcode: 2, masked: true })
  let sent = frames.length
  const push = () => {
    do sent += chunk.length
    while (sent < 1e9 && browser.socket.write(chunk))
  }
  browser.socket.on('drain', push)
  push()
  await until(() => desk.seen.length === 1)
  await settled(() => sent)
  t.ok(sent < 60e6, `${sent} bytes could be sent, then no more`)
  t.equal(got, 0)
  browser.socket.off('drain', push)
  say()
  await until(() => got === sent)
  t.ok(Buffer.concat(first).subarray(0, frames.length).equals(frames), 'then all arrive, in order')
})

t.test('Attack: the end of a session in the middle of an endless frame keeps nothing of it', async t => {
  const { proxy, session, open, gone } = await start(t, { timeouts: { frame: 60_000, closing: 1000 } })
  const { browser, desk } = await open()
  // Sixty million bytes, of which a few are there.
  desk.socket.write(Buffer.concat([head(0x82, 127, 0, 0, 0, 0, 3, 0x93, 0x87, 0), Buffer.alloc(1000)]))
  await until(() => browser.raw.seen().length === 1010)
  browser.raw.socket.pause()
  await proxy.sessions.end({ handle: session.handle }, 'test')
  let sent = 0
  const chunk = Buffer.alloc(60_000)
  const push = () => {
    while (!desk.socket.destroyed && sent < 50e6 && desk.socket.write(chunk)) sent += chunk.length
  }
  desk.socket.on('drain', push)
  push()
  await settled(() => sent)
  t.ok(sent < 40e6, `${sent} bytes could be sent, then no more`)
  browser.raw.close()
  await gone()
})

t.test('the last word comes whole, however much Desk says behind the frame that it ends', async t => {
  const { proxy, session, open } = await start(t, { timeouts: { frame: 60_000, closing: 60_000 } })
  const { browser, desk } = await open()
  let broken = false
  browser.raw.socket.on('error', () => {
    broken = true
  })
  const whole = frame(Buffer.alloc(1000), { opcode: 2 })
  desk.socket.write(whole.subarray(0, 500))
  await until(() => browser.raw.seen().length === 500)
  await proxy.sessions.end({ handle: session.handle }, 'test')
  desk.socket.write(whole.subarray(500))
  for (let i = 0; i < 20; i++) {
    desk.socket.write(frame(Buffer.alloc(30_000), { opcode: 2 }))
    await new Promise(resolve => setImmediate(resolve))
  }
  await browser.raw.ended()
  t.same(
    browser.frames().map(({ opcode }) => opcode),
    [2, 8],
  )
  t.notOk(broken, 'a clean end')
})
