// What a client sees that waits in vain for a connection to Desk, with the ten seconds moved by hand.

import t from 'tap'
import { startDesk } from '../../parts/desk.js'
import { publicUrl, startProxy } from '../../parts/proxy-server.js'
import { openRaw } from '../../parts/raw-http.js'
import { createTestTimers } from '../../parts/timers.js'
import { until } from '../../parts/wait-until.js'

const upgrade = [
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Version: 13',
  `Sec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}`,
  `Origin: ${publicUrl}`,
]

t.test(
  'after ten seconds without a connection to Desk: 503, counted as desk_busy; another agent is served',
  async t => {
    const desk = await startDesk()
    const timers = createTestTimers()
    const settings = { desk: { connections: 4 } }
    const proxy = await startProxy({ deskUrl: desk.url, settings, queueTimers: timers.later })
    t.teardown(async () => {
      await proxy.close()
      await desk.close()
    })
    desk.onRequest((request, response) => {
      if (request.url !== '/slow') response.end('hello')
    })
    const [zoe, sam] = [
      await proxy.logIn({ email: 'zoe@example.com' }),
      await proxy.logIn({ email: 'sam@example.com' }),
    ]
    const ask = (path: string, { cookie }: { cookie: string }, more: string[] = []) => {
      const connection = openRaw(proxy.port)
      t.teardown(() => connection.close())
      connection.send([`GET ${path} HTTP/1.1`, 'Host: x', `Cookie: ${cookie}`, ...more, '', ''].join('\r\n'))
      return connection
    }
    ask('/slow', zoe)
    await until(() => desk.seen.length === 1)
    const [page, socket] = [ask('/next', zoe), ask('/socket', zoe, upgrade)]
    t.equal((await ask('/own', sam).response()).status, 200)
    let checks = 0
    await until(() => {
      timers.fire()
      checks++
      return page.seen().length > 0 && socket.seen().length > 0
    })
    t.ok(checks * 250 > 10_000, `refused after ${checks} checks, four a second`)
    t.equal((await page.response()).status, 503)
    t.equal((await socket.response()).status, 503)
    t.match((await proxy.metrics.text()).body, /^deskgate_requests_total\{outcome="desk_busy"\} 2$/m)
    t.equal(desk.seen.length, 2, 'neither has reached Desk')
  },
)
