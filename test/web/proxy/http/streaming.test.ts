// Nothing is held back, nothing runs ahead of a slow reader, and who goes away is gone on the other side too.

import type { ServerResponse } from 'node:http'
import t from 'tap'
import { startBareDesk as bareDesk } from '../../../parts/bare-desk.js'
import { startDesk } from '../../../parts/desk.js'
import { startProxy } from '../../../parts/proxy-server.js'
import { openRaw, rawRequest } from '../../../parts/raw-http.js'
import { settled } from '../../../parts/wait-until.js'

const desk = await startDesk()
const proxy = await startProxy({ deskUrl: desk.url })
t.teardown(async () => {
  await proxy.close()
  await desk.close()
})
const { cookie } = await proxy.logIn()
const mine = `Cookie: ${cookie}`

const until = async (test: () => boolean) => {
  while (!test()) await new Promise(resolve => setImmediate(resolve))
}

t.test('server-sent events arrive one by one, and the head before the first', async t => {
  let stream: ServerResponse | undefined
  desk.onRequest((_, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders()
    stream = response
  })
  const connection = openRaw(proxy.port)
  connection.send(rawRequest('GET /events HTTP/1.1', [mine]))
  await connection.until(seen => seen.includes('text/event-stream'), 'head')
  for (const event of ['data: 1\n\n', 'data: 2\n\n']) {
    stream?.write(event)
    await connection.until(seen => seen.includes(event), event)
  }
  t.pass('each before the next was sent')
  connection.close()
})

t.test('a client that goes away cancels the work at Desk', async t => {
  for (const begun of ['before the head', 'in the middle']) {
    const before = desk.seen.length
    desk.onRequest((_, response) => {
      if (begun === 'in the middle') response.write('some')
    })
    const connection = openRaw(proxy.port)
    connection.send(rawRequest('GET /slow HTTP/1.1', [mine]))
    await until(() => desk.seen.length > before)
    if (begun === 'in the middle') await connection.until(seen => seen.includes('some'))
    connection.close()
    await until(() => desk.seen[before]?.aborted === true)
    t.pass(begun)
  }
  const before = desk.seen.length
  desk.onRequest(() => {})
  const upload = openRaw(proxy.port)
  upload.send(`POST /up HTTP/1.1\r\nHost: x\r\n${mine}\r\nContent-Length: 1000\r\n\r\nhalf`)
  await until(() => desk.seen.length > before)
  upload.close()
  await until(() => desk.seen[before]?.aborted === true)
  t.equal(desk.seen[before]?.complete, false, 'half an upload is no upload')
})

t.test('backpressure holds both ways', async t => {
  const chunk = Buffer.alloc(64 * 1024)
  let sent = 0
  desk.onRequest((_, response) => {
    const pump = () => {
      do sent += chunk.length
      while (sent < 1e9 && response.write(chunk))
    }
    response.on('drain', pump)
    pump()
  })
  const lazy = openRaw(proxy.port)
  lazy.socket.pause()
  lazy.send(rawRequest('GET /down HTTP/1.1', [mine]))
  await settled(() => sent)
  t.ok(sent > 0 && sent < 60e6, `Desk could send ${sent} bytes to a client that does not read`)
  lazy.close()

  const deaf = await bareDesk(socket => socket.pause())
  const eager = openRaw(deaf.proxy.port)
  let written = 0
  eager.send(`POST /up HTTP/1.1\r\nHost: x\r\nCookie: ${deaf.cookie}\r\nContent-Length: 1000000000\r\n\r\n`)
  const push = () => {
    do written += chunk.length
    while (written < 1e9 && eager.socket.write(chunk))
  }
  eager.socket.on('drain', push)
  push()
  await settled(() => written)
  t.ok(written < 60e6, `a client could send ${written} bytes to a Desk that does not read`)
  eager.close()
  await deaf.close()
})

t.test('a response before the end of the upload arrives complete', async t => {
  desk.onRequest((_, response) => response.writeHead(413, { 'Content-Length': '3' }).end('big'))
  const connection = openRaw(proxy.port)
  connection.send(`POST /up HTTP/1.1\r\nHost: x\r\n${mine}\r\nContent-Length: 300000\r\n\r\n${'x'.repeat(1000)}`)
  t.match(await connection.response(), { status: 413, whole: true })
  connection.send('x'.repeat(299_000))
  desk.onRequest((_, response) => response.end('next'))
  connection.send(`GET /next HTTP/1.1\r\nHost: x\r\n${mine}\r\n\r\n`)
  t.equal(
    (await connection.response()).body.toString(),
    'next',
    'what was left over was dropped, the connection goes on',
  )
  connection.close()
})

t.test('a client that sends on and on after an answer is cut off', async t => {
  const connection = openRaw(proxy.port)
  connection.send('POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n')
  t.equal((await connection.response()).status, 401)
  const chunk = Buffer.alloc(64 * 1024)
  const push = () => {
    while (!connection.socket.destroyed && connection.socket.write(chunk));
  }
  connection.socket.on('drain', push)
  push()
  await connection.ended()
  t.pass('closed')
})
