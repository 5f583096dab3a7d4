// An answer of Desk that is too long, too short, late, early, endless or broken: who asked gets it or an error with the right
// status, nobody else gets any of it, and no connection stays.

import type { Socket } from 'node:net'
import t from 'tap'
import { latin1Lines } from '../../../../src/web/proxy/http/hints-and-trailers.js'
import { type BareDesk, startBareDesk } from '../../../parts/bare-desk.js'
import { startDesk } from '../../../parts/desk.js'
import { startProxy } from '../../../parts/proxy-server.js'
import { openRaw, rawRequest, sendRaw } from '../../../parts/raw-http.js'
import { until } from '../../../parts/wait-until.js'

const ok = 'HTTP/1.1 200 OK'
const evil = `${ok}\r\nContent-Length: 4\r\n\r\nevil`

/** Nobody is connected to the gateway any more, and nobody but `idle` kept-alive connections to Desk. */
async function empty(bare: BareDesk, idle = 0): Promise<void> {
  const connected = () =>
    new Promise<number>((resolve, reject) =>
      bare.proxy.app.server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
    )
  await until(async () => (await connected()) === 0)
  await until(() => bare.sockets.filter(socket => !socket.destroyed).length <= idle)
}

t.test("Attack: what Desk sends behind its answer is nobody's answer", async t => {
  const behind: Record<string, [line: string, answer: string, status: number, body: string]> = {
    'bytes behind a length': ['GET', `${ok}\r\nContent-Length: 2\r\n\r\nok${evil}`, 200, 'ok'],
    'bytes behind the last chunk': [
      'GET',
      `${ok}\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n${evil}`,
      200,
      'ok',
    ],
    'a body behind the head for HEAD': ['HEAD', evil.replace('evil', evil), 200, ''],
    'a body of a 204': ['GET', `HTTP/1.1 204 No\r\n\r\n${evil}`, 204, ''],
    'a body of a 304': ['GET', `HTTP/1.1 304 Not\r\nContent-Length: 4\r\n\r\n${evil}`, 304, ''],
    'garbage behind a length': ['GET', `${ok}\r\nContent-Length: 2\r\n\r\nokSSH-2.0\r\n\r\n`, 200, 'ok'],
  }
  for (const [why, [method, bytes, status, body]] of Object.entries(behind)) {
    const bare = await startBareDesk((socket, seen) => {
      const clean = `${ok}\r\nContent-Length: 5\r\n\r\nclean`
      if (seen.includes('\r\n\r\n')) socket.write(Buffer.from(seen.includes('/bad') ? bytes : clean, 'latin1'))
    })
    for (let round = 0; round < 3; round++) {
      const answer = await bare.ask(`${method} /bad HTTP/1.1`)
      t.match([answer.status, answer.body.toString()], [status, body], why)
      const others = await Promise.all(Array.from({ length: 4 }, () => bare.ask('GET /good HTTP/1.1')))
      t.ok(
        others.every(other => other.body.toString() === 'clean'),
        `${why}: the next ones get their own`,
      )
    }
    await empty(bare, 5)
    await bare.close()
  }
})

t.test("an answer that Desk sends before anybody asked is nobody's", async t => {
  const bare = await startBareDesk((socket, seen) => {
    if (seen.includes('\r\n\r\n')) socket.write(`${ok}\r\nContent-Length: 5\r\n\r\nclean`)
  })
  t.equal((await bare.ask()).body.toString(), 'clean')
  const [kept] = bare.sockets
  kept?.write(evil)
  await until(() => kept?.destroyed === true || kept?.readableEnded === true)
  t.equal((await bare.ask()).body.toString(), 'clean')
  await bare.close()
})

t.test('a head that comes in two pieces, cut anywhere, is the same head', async t => {
  const lines = [
    'Content-Length: 2',
    'X-Empty:',
    'X-Accent: caf\xe9',
    'Set-Cookie: a=1',
    'Set-Cookie: b=2',
    'X-Last: end',
  ]
  const whole = `${ok}\r\n${lines.join('\r\n')}\r\n\r\nok`
  let cut = 0
  const bare = await startBareDesk((socket, seen) => {
    if (!seen.includes('\r\n\r\n')) return
    const rest = () => socket.write(Buffer.from(whole.slice(cut), 'latin1'))
    socket.write(Buffer.from(whole.slice(0, cut), 'latin1'), () => setImmediate(rest))
  })
  for (cut = 1; cut < whole.length; cut++) {
    const { status, body, headers } = await bare.ask()
    const came = headers.map(([name, value]) => `${name}: ${value}`.trim())
    t.match([status, body.toString()], [200, 'ok'])
    t.same(
      lines.filter(line => !came.includes(line)),
      [],
      `cut at ${cut}`,
    )
  }
  await bare.close()
})

t.test(
  'a head in three pieces, cut in its first line and in its last, has its own lines and no other bytes',
  async t => {
    const lines = ['X-First: one', ...Array.from({ length: 30 }, (_, at) => `X-Line-${at}: value ${at}`), 'X-Last: end']
    const whole = `${ok}\r\nContent-Length: 2\r\n${lines.join('\r\n')}\r\n\r\nok`
    const cuts = [whole.indexOf('Length'), whole.indexOf('nd\r\n\r\nok')]
    const bare = await startBareDesk((socket, seen) => {
      if (!seen.includes('\r\n\r\n')) return
      const pieces = [whole.slice(0, cuts[0]), whole.slice(cuts[0], cuts[1]), whole.slice(cuts[1])]
      const next = () => {
        const piece = pieces.shift()
        if (piece !== undefined) socket.write(piece, () => setImmediate(() => setImmediate(next)))
      }
      next()
    })
    for (let round = 0; round < 40; round++) {
      const { status, headers } = await bare.ask()
      const came = headers.map(([name, value]) => `${name}: ${value}`).filter(line => line.startsWith('X-'))
      t.match(came.pop(), /^X-Request-Id: [\w-]{22}$/)
      t.same([status, came], [200, lines])
    }
    await bare.close()
  },
)

t.test('Attack: lines of a head that lie around the bytes of somebody else bring none of them', async t => {
  const apart = (text: string) => Buffer.from(new TextEncoder().encode(text).buffer)
  const shared = apart(`X-First${'secret '.repeat(40)}end`)
  const read = apart('.........................one....X-Last')
  const lines = [shared.subarray(0, 7), read.subarray(25, 28), read.subarray(32), shared.subarray(287)]
  t.same(latin1Lines(lines), ['X-First', 'one', 'X-Last', 'end'])
})

t.test('names of Desk that are alike at both ends, and long ones, are not taken for each other', t => {
  const names = ['X-Red-A', 'X-Rod-A', 'x-red-a', 'X-Red-A', '', `X-${'a'.repeat(40)}`, 'X-\xe9-A', 'X-\xe8-A']
  const lines = names.flatMap(name => [Buffer.from(name, 'latin1'), Buffer.from('\xe9', 'latin1')])
  for (let time = 0; time < 2; time++)
    t.same(
      latin1Lines(lines),
      names.flatMap(name => [name, '\xe9']),
    )
  t.end()
})

t.test('headers that are none are 502, and what they hold goes nowhere', async t => {
  const heads = [
    'X-A: a\x01b',
    'X-A: a\x7fb',
    'X-A: a\rX-Agent: 1',
    'X A: 1',
    ': 1',
    'X-\xe9: 1',
    'X-A : 1',
    'X-A: 1\r\n folded',
    'Content-Length: x',
    'Content-Length: -1',
    'Content-Length: 1, 2',
    'Content-Length:',
    'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked',
  ]
  let bytes = ''
  const bare = await startBareDesk(socket => socket.end(Buffer.from(bytes, 'latin1')))
  for (const head of heads) {
    bytes = `${ok}\r\n${head}\r\nX-Secret: yes\r\n\r\nsecret`
    const answer = await bare.ask()
    const seen = JSON.stringify(answer.headers) + answer.body
    if (answer.status !== 502) t.match(answer, { status: 200, whole: false }, JSON.stringify(head))
    else t.notMatch(seen, /ecret|127\.0\.0\.1/, JSON.stringify(head))
  }
  await empty(bare)
  await bare.close()
})

t.test('a Desk that resets is 502 before its head, and an answer cut off behind it', async t => {
  let [before, body] = ['', '']
  const bare = await startBareDesk((socket, seen) => {
    if (!seen.includes('\r\n\r\n')) return
    socket.write(before + body)
    // What was written has left before the reset.
    setTimeout(() => socket.resetAndDestroy(), 100)
  })
  for (const line of ['GET /x HTTP/1.1', 'POST /x HTTP/1.1']) {
    for (const head of ['', 'HTTP/1.1 2', `${ok}\r\nX-A: 1\r\n`]) {
      ;[before, body] = [head, '']
      t.equal((await bare.ask(line)).status, 502, JSON.stringify(head))
    }
    for (const framing of ['Content-Length: 10', 'Transfer-Encoding: chunked']) {
      ;[before, body] = [`${ok}\r\n${framing}\r\n\r\n`, framing.startsWith('T') ? '4\r\nhalf\r\n' : 'half']
      t.match(await bare.ask(line), { status: 200, whole: false }, framing)
    }
  }
  const upload = await bare.ask('POST /x HTTP/1.1', 'x'.repeat(100_000), ['Content-Length: 100000'])
  t.ok([200, 502].includes(upload.status))
  await empty(bare)
  await bare.close()
})

t.test('a Desk that never answers many at once is 504 to each, and is left alone after that', async t => {
  let asked = 0
  const bare = await startBareDesk(() => void asked++, { desk: { timeout: '1s' } })
  const lines = ['GET /x HTTP/1.1', 'HEAD /x HTTP/1.1', 'POST /x HTTP/1.1', 'DELETE /x HTTP/1.1']
  const answers = await Promise.all(Array.from({ length: 40 }, (_, at) => bare.ask(lines[at % 4])))
  t.ok(answers.every(({ status, whole }) => status === 504 && whole))
  t.ok(asked > 0 && asked <= 40, `asked ${asked} times: nothing twice`)
  await empty(bare)
  await bare.close()
})

t.test('a Desk that takes an upload and never answers is 504, and so is one that never takes it', async t => {
  let paused = false
  const bare = await startBareDesk(socket => void (paused && socket.pause()), { desk: { timeout: '300ms' } })
  for (const size of [10, 20_000_000]) {
    paused = size > 10
    const connection = openRaw(bare.proxy.port)
    connection.send(rawRequest('POST /up HTTP/1.1', [`Cookie: ${bare.cookie}`, `Content-Length: ${size}`]))
    connection.send(Buffer.alloc(size))
    t.match(await connection.response(), { status: 504 }, `${size} bytes`)
    connection.close()
  }
  paused = false
  for (const socket of bare.sockets) socket.resume()
  await empty(bare)
  await bare.close()
})

t.test('a Desk that answers before it reads: the answer arrives, and the upload is dropped within bounds', async t => {
  const desk = await startDesk()
  const proxy = await startProxy({ deskUrl: desk.url })
  t.teardown(async () => {
    await proxy.close()
    await desk.close()
  })
  const { cookie } = await proxy.logIn()
  desk.onRequest((_, response) => response.writeHead(413, { 'Content-Length': '3' }).end('big'))
  const all = Array.from({ length: 10 }, () => openRaw(proxy.port))
  for (const connection of all) {
    connection.send(`POST /up HTTP/1.1\r\nHost: x\r\nCookie: ${cookie}\r\nContent-Length: 1000000000\r\n\r\n`)
    const chunk = Buffer.alloc(64 * 1024)
    const push = () => {
      while (!connection.socket.destroyed && connection.socket.write(chunk));
    }
    connection.socket.on('drain', push)
    push()
  }
  for (const connection of all) {
    t.match(await connection.response(), { status: 413, whole: true })
    await connection.ended()
  }
  t.pass('and nobody goes on for ever')
})

t.test('an endless answer of two hundred heads of 8 kB, one after the other, is cut at the first', async t => {
  const bare = await startBareDesk(socket => {
    const head = `X: ${'y'.repeat(8000)}\r\n`
    const pump = (socket: Socket) => {
      while (!socket.destroyed && socket.write(head));
    }
    socket.on('drain', () => pump(socket))
    socket.write(`${ok}\r\n`)
    pump(socket)
  })
  const answers = await Promise.all(Array.from({ length: 10 }, () => bare.ask()))
  t.ok(answers.every(({ status }) => status === 502))
  await empty(bare)
  await bare.close()
})

t.test('503 with a large body to a hundred at once: each client gets all of it, also a slow one', async t => {
  const desk = await startDesk()
  const proxy = await startProxy({ deskUrl: desk.url })
  t.teardown(async () => {
    await proxy.close()
    await desk.close()
  })
  const { cookie } = await proxy.logIn()
  const body = Buffer.alloc(500_000, 'x')
  desk.onRequest((_, response) => response.writeHead(503, { 'Retry-After': '1' }).end(body))
  const request = rawRequest('GET /503 HTTP/1.1', [`Cookie: ${cookie}`])
  const slow = Array.from({ length: 10 }, () => openRaw(proxy.port))
  for (const connection of slow) {
    connection.socket.pause()
    connection.send(request)
  }
  const answers = await Promise.all(Array.from({ length: 90 }, () => sendRaw(proxy.port, request)))
  for (const connection of slow) {
    connection.socket.resume()
    answers.push(await connection.response())
    connection.close()
  }
  t.ok(answers.every(answer => answer.status === 503 && answer.body.equals(body)))
  t.equal(desk.seen.length, 100, 'each was asked for once')
})
