// What a page in Chromium sees when its session ends: the close code that it can act on, and a stream that breaks off.

import { createHash } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import t from 'tap'
import { startChromium } from '../../parts/browser.js'
import { startDesk } from '../../parts/desk.js'
import { freePort } from '../../parts/ports.js'
import { startProxy } from '../../parts/proxy-server.js'
import { missingParts } from '../../parts/required-parts.js'
import { until } from '../../parts/wait-until.js'
import { frame } from '../../parts/websocket.js'

/** RFC 6455 4.2.2. */
const acceptOf = (key: string | undefined) =>
  createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')

t.test('in Chromium', { skip: missingParts('chromium') }, async t => {
  const [desk, browser, port] = [await startDesk(), await startChromium(), await freePort()]
  // Of a machine that is busy with other tests.
  const timeouts = { frame: 60_000, closing: 60_000 }
  const publicUrl = `http://localhost:${port}`
  const proxy = await startProxy({ deskUrl: desk.url, port, settings: { publicUrl }, timeouts })
  t.teardown(async () => {
    await browser.close()
    await proxy.close()
    await desk.close()
  })
  let side: Duplex | undefined
  let stream: ServerResponse | undefined
  desk.onUpgrade((request, socket) => {
    const accept = `Sec-WebSocket-Accept: ${acceptOf(request.headers['sec-websocket-key'])}`
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${accept}\r\n\r\n`)
    socket.write(frame('welcome', { opcode: 1 }))
    socket.once('data', () => {
      side = socket
    })
  })
  desk.onRequest((request, response) => {
    if (request.url !== '/events') return response.end('<title>Desk</title>')
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: 1\n\n')
    stream = response
  })
  const { cookie, session } = await proxy.logIn()
  const [name = '', value = ''] = cookie.split('=')
  const context = await browser.newProfile()
  t.teardown(context.close)
  await context.context.addCookies([{ name, value, url: publicUrl }])
  await context.page.goto(`${publicUrl}/open`)
  const told = context.page.evaluate(
    () =>
      new Promise(resolve => {
        const events = new EventSource('/events')
        const broken = new Promise(tell => {
          events.onerror = () => {
            events.close()
            tell(true)
          }
        })
        const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/ws`)
        const messages: string[] = []
        socket.onmessage = ({ data }) => {
          messages.push(data)
          socket.send('got it')
        }
        socket.onclose = async ({ code, reason, wasClean }) => {
          resolve({ code, reason, wasClean, messages, broken: await broken })
        }
      }),
  )
  await until(() => side !== undefined && stream !== undefined)
  await proxy.liveConnections.tick()
  await proxy.liveConnections.tick()
  await proxy.sessions.end({ handle: session.handle }, 'test')
  t.same(await told, { code: 4401, reason: 'session ended', wasClean: true, broken: true, messages: ['welcome'] })
})
