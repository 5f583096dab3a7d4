// A client that is slow, sends too much or too little, does not read, or goes away: it gets the status that is right, Desk
// is not kept waiting, and no connection stays.

import t, { type Test } from 'tap'
import { type Desk, startDesk } from '../../../parts/desk.js'
import { type ProxyOptions, startProxy, type TestProxy } from '../../../parts/proxy-server.js'
import { openRaw, type RawConnection, rawRequest, sendRaw } from '../../../parts/raw-http.js'
import { settled, until } from '../../../parts/wait-until.js'

interface Place {
  desk: Desk
  proxy: TestProxy
  mine: string
}

async function start(t: Test, options: Omit<ProxyOptions, 'deskUrl'> = {}): Promise<Place> {
  const desk = await startDesk()
  const proxy = await startProxy({ deskUrl: desk.url, ...options })
  t.teardown(async () => {
    await proxy.close()
    await desk.close()
  })
  const { cookie } = await proxy.logIn()
  return { desk, proxy, mine: `Cookie: ${cookie}` }
}

/** Nobody is connected any more. */
const empty = ({ proxy }: Place) =>
  until(
    () =>
      new Promise<boolean>((resolve, reject) =>
        proxy.app.server.getConnections((error, count) => (error ? reject(error) : resolve(count === 0))),
      ),
  )

const lines = (...all: string[]) => all.join('\r\n')
const statusOf = (connection: RawConnection) => connection.seen().toString('latin1').split('\r\n', 1)[0]

t.test('Attack: heads that never end are 408, and their connections are closed', async t => {
  const place = await start(t, { listenerTimes: { head: 500, check: 100 } })
  const begun = ['', 'G', 'GET / HTTP/1.1\r\n', lines('GET / HTTP/1.1', 'Host: x', place.mine, 'X: ')]
  const all = begun.flatMap(bytes =>
    Array.from({ length: 5 }, () => ({ bytes, connection: openRaw(place.proxy.port) })),
  )
  for (const { bytes, connection } of all) connection.send(bytes)
  for (const { connection } of all) {
    await connection.ended()
    t.equal(statusOf(connection), 'HTTP/1.1 408 Request Timeout')
  }
  const dripping = openRaw(place.proxy.port)
  const drip = setInterval(() => dripping.send('X: y\r\n'), 20)
  t.teardown(() => clearInterval(drip))
  dripping.send('GET / HTTP/1.1\r\n')
  await dripping.ended()
  t.equal(statusOf(dripping), 'HTTP/1.1 408 Request Timeout', 'one that drips, too')
  await empty(place)
  t.equal(place.desk.seen.length, 0)
})

t.test('Attack: bodies that never end are 408, and Desk is not kept waiting', async t => {
  const place = await start(t, { timeouts: { body: 500, unread: 500 } })
  const { desk, proxy, mine } = place
  const heads = {
    'a length': ['Content-Length: 100', 'half'],
    'a length and nothing': ['Content-Length: 100', ''],
    chunks: ['Transfer-Encoding: chunked', '4\r\nhalf\r\n'],
    'half a chunk': ['Transfer-Encoding: chunked', 'ff\r\nhalf'],
  }
  for (const [why, [framing = '', body = '']] of Object.entries(heads)) {
    const before = desk.seen.length
    const connection = openRaw(proxy.port)
    connection.send(lines('POST /up HTTP/1.1', 'Host: x', mine, framing, '', body))
    const answer = await connection.response()
    t.match(answer, { status: 408, whole: true }, why)
    t.strictSame(answer.all('connection'), ['close'])
    await until(() => desk.seen.slice(before).every(({ aborted }) => aborted))
    t.ok(desk.seen.slice(before).every(({ complete }) => !complete))
    t.match(proxy.lines.at(-1), { status: 408, outcome: 'bad_request' })
    connection.close()
  }
  t.notOk(
    proxy.lines.some(({ level }) => level === 'warn'),
    'which is no trouble of Desk',
  )
  desk.onRequest((_, response) => void response.writeHead(200, { 'Content-Length': '100' }).write('some'))
  const begun = openRaw(proxy.port)
  begun.send(lines('POST /up HTTP/1.1', 'Host: x', mine, 'Content-Length: 100', '', 'half'))
  t.match(await begun.response(), { status: 200, whole: false }, 'an answer that has begun is cut')
  await empty(place)
})

t.test('a client that Desk holds back is not taken for a slow one', async t => {
  const { desk, proxy, mine } = await start(t, { timeouts: { body: 200 } })
  const size = 30_000_000
  desk.onRequest((request, response) => {
    request.pause()
    // What `startDesk` does after this would make it flow again.
    queueMicrotask(() => request.pause())
    setTimeout(() => request.resume(), 1500)
    request.on('end', () => response.end('all'))
  })
  const connection = openRaw(proxy.port)
  connection.send(lines('POST /up HTTP/1.1', 'Host: x', mine, `Content-Length: ${size}`, '', ''))
  connection.send(Buffer.alloc(size))
  t.match(await connection.response(), { status: 200 })
  t.equal(desk.last().body.length, size)
  connection.close()
})

t.test('a body that comes in small pieces, each in its time, arrives', async t => {
  const { desk, proxy, mine } = await start(t, { timeouts: { body: 10_000 } })
  const connection = openRaw(proxy.port)
  connection.send(lines('POST /up HTTP/1.1', 'Host: x', mine, 'Content-Length: 20', '', ''))
  let got = 0
  desk.onRequest((request, response) => {
    request.on('data', chunk => {
      got += chunk.length
    })
    request.on('end', () => response.end('all'))
  })
  for (let i = 1; i <= 20; i++) {
    connection.send('x')
    await until(() => got === i)
  }
  t.match(await connection.response(), { status: 200 })
  connection.close()
})

t.test('Attack: a client that does not read a response is cut off, and Desk with it', async t => {
  const place = await start(t, { timeouts: { unread: 1000 } })
  const { desk, proxy, mine } = place
  const chunk = Buffer.alloc(64 * 1024)
  desk.onRequest((_, response) => {
    const pump = () => {
      while (!response.destroyed && response.write(chunk));
    }
    response.on('drain', pump)
    pump()
  })
  const readers = Array.from({ length: 10 }, () => openRaw(proxy.port))
  for (const [at, reader] of readers.entries()) {
    reader.socket.pause()
    reader.send(rawRequest(`GET /down HTTP/1.${at % 2}`, [mine]))
  }
  await until(() => desk.seen.length === 10 && desk.seen.every(({ aborted }) => aborted))
  await empty(place)
  for (const reader of readers) reader.close()
})

t.test('Attack: a client that requests many small responses and reads none is cut off', async t => {
  const place = await start(t, { timeouts: { unread: 1000 } })
  const { desk, proxy, mine } = place
  const small = Buffer.alloc(15_000)
  desk.onRequest((_, response) => response.end(small))
  const reader = openRaw(proxy.port)
  reader.socket.pause()
  reader.send(lines('GET /small HTTP/1.1', 'Host: x', mine, '', '').repeat(8000))
  await settled(() => desk.seen.length)
  t.ok(desk.seen.length < 8000, `${desk.seen.length} were asked for, then no more`)
  await empty(place)
  reader.close()
})

t.test('Attack: heads of ten thousand lines, or of a megabyte, are 431', async t => {
  const place = await start(t)
  const { desk, proxy, mine } = place
  const heads: Record<string, string[]> = {
    'ten thousand lines': Array.from({ length: 10_000 }, (_, at) => `a${at}: 1`),
    'ten thousand empty lines of one name': Array.from({ length: 10_000 }, () => 'a:'),
    'a megabyte in one line': [`X: ${'x'.repeat(1_000_000)}`],
    'a megabyte of cookies': [`Cookie: a=${'x'.repeat(1_000_000)}`],
    'a megabyte in one name': ['x'.repeat(1_000_000)],
  }
  for (const [why, headers] of Object.entries(heads)) {
    for (const more of [[], ['Upgrade: websocket', 'Connection: Upgrade']]) {
      const connection = openRaw(proxy.port)
      connection.send(lines('GET /x HTTP/1.1', 'Host: x', mine, ...more, ...headers, '', ''))
      await connection.ended()
      t.equal(statusOf(connection), 'HTTP/1.1 431 Request Header Fields Too Large', why)
    }
  }
  const target = openRaw(proxy.port)
  target.send(rawRequest(`GET /${'x'.repeat(1_000_000)} HTTP/1.1`, [mine]))
  await target.ended()
  t.equal(statusOf(target), 'HTTP/1.1 431 Request Header Fields Too Large', 'a target of a megabyte')
  const trailers = lines(
    'POST /x HTTP/1.1',
    'Host: x',
    mine,
    'Transfer-Encoding: chunked',
    '',
    `0\r\nX: ${'x'.repeat(1e6)}`,
  )
  const connection = openRaw(proxy.port)
  connection.send(trailers)
  await connection.ended()
  t.match(statusOf(connection), /431/, 'trailers of a megabyte')
  await empty(place)
  t.ok(desk.seen.every(({ complete }) => !complete))
  t.equal((await sendRaw(proxy.port, rawRequest('GET /after HTTP/1.1', [mine]))).status, 200)
})

t.test('clients that go away in any state leave no connection, here or at Desk', async t => {
  const place = await start(t)
  const { desk, proxy, mine } = place
  desk.onRequest(() => {})
  const requests = [
    'GET /x HT',
    lines('GET /silent HTTP/1.1', 'Host: x', mine, '', ''),
    lines('POST /up HTTP/1.1', 'Host: x', mine, 'Content-Length: 10', '', 'half'),
    lines('POST /up HTTP/1.1', 'Host: x', mine, 'Transfer-Encoding: chunked', '', '5\r\nha'),
    lines('GET /1 HTTP/1.1', 'Host: x', mine, '', '').repeat(5),
  ]
  for (const way of ['reset', 'end', 'destroy'] as const) {
    const all = requests.map(bytes => ({ bytes, connection: openRaw(proxy.port) }))
    const before = desk.seen.length
    for (const { bytes, connection } of all) connection.send(bytes)
    await until(() => desk.seen.length === before + 8)
    for (const { connection } of all) {
      if (way === 'reset') connection.socket.resetAndDestroy()
      else if (way === 'end') connection.socket.end()
      else connection.socket.destroy()
    }
    if (way === 'end') for (const { connection } of all) setTimeout(connection.close, 200)
    await until(() => desk.seen.every(({ aborted }) => aborted))
    await empty(place)
    t.pass(way)
  }
})
