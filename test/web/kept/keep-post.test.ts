// Forms that arrive too slowly, too many of them at once, and strangers by the thousands: places and memory are bounded.

import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { createErrorResponses } from '../../../src/web/responses/errors.js'
import { startDesk } from '../../parts/desk.js'
import { startGateway } from '../../parts/gateway.js'
import { publicUrl, startProxy } from '../../parts/proxy-server.js'
import { openRaw } from '../../parts/raw-http.js'
import { exchange } from '../../parts/user-agent.js'
import { until } from '../../parts/wait-until.js'

const browser = [
  'Host: desk.example.com',
  `Origin: ${publicUrl}`,
  'Sec-Fetch-Site: same-origin',
  'Sec-Fetch-Mode: navigate',
  'Sec-Fetch-Dest: document',
  'Accept: text/html',
  'Content-Type: application/x-www-form-urlencoded',
]

async function start(t: Test, timeouts = {}) {
  const desk = await startDesk()
  const proxy = await startProxy({ deskUrl: desk.url, timeouts, renderError: createErrorResponses() })
  t.teardown(async () => {
    await proxy.close()
    await desk.close()
  })
  const ended = async (email: string) => {
    const { cookie, session } = await proxy.logIn({ email })
    await proxy.sessions.end({ handle: session.handle }, 'by the test', 'ops')
    return cookie
  }
  const send = (cookie: string, body: string, length = body.length) => {
    const connection = openRaw(proxy.port)
    t.teardown(() => connection.close())
    const head = ['POST /tickets/7 HTTP/1.1', ...browser, `Cookie: ${cookie}`, `Content-Length: ${length}`]
    connection.send(`${head.join('\r\n')}\r\n\r\n${body}`)
    return connection
  }
  const outcomes = async (outcome: string) =>
    Number(
      new RegExp(`deskgate_kept_forms_total\\{outcome="${outcome}"\\} (\\d+)`).exec(
        (await proxy.metrics.text()).body,
      )?.[1],
    )
  return { desk, proxy, ended, send, outcomes }
}

t.test('a form that stalls is answered with 408, and its place is free again', async t => {
  const { ended, send } = await start(t, { keptChunk: 100 })
  const cookie = await ended('alice@example.com')
  const stalled = send(cookie, 'text=never', 1000)
  const { status, body } = await stalled.response('POST')
  t.equal(status, 408)
  t.match(body.toString(), /did not arrive completely/)
  const next = await send(cookie, 'text=whole').response('POST')
  t.match(
    next.all('set-cookie')[0],
    /^__Host-deskgate-kept=[\w-]{43}; Max-Age=600; Path=\/; HttpOnly; Secure; SameSite=Lax/,
  )
})

t.test('one as short as the small form that comes too late is not kept without its beginning', async t => {
  const { ended, send, outcomes } = await start(t, { keptChunk: 200 })
  const body = `text=${'a'.repeat(52)}`
  const slow = send(await ended('alice@example.com'), body.slice(0, 10), body.length)
  let sent = 10
  const drip = setInterval(() => slow.send(body.slice(sent, ++sent)), 50)
  t.teardown(() => clearInterval(drip))
  t.equal((await slow.response('POST')).status, 408)
  t.not(await outcomes('kept'), 1)
})

t.test('one that drips in is cut in the end', async t => {
  const { ended, send } = await start(t, { keptForm: 300 })
  const slow = send(await ended('alice@example.com'), 'text=', 100_000)
  const drip = setInterval(() => slow.send('a'), 20)
  t.teardown(() => clearInterval(drip))
  t.equal((await slow.response('POST')).status, 408)
})

t.test('so many forms are read at once, and no more', async t => {
  const { ended, send, outcomes } = await start(t)
  const cookies: string[] = []
  for (let i = 0; i < 33; i++) cookies.push(await ended(`agent${i}@example.com`))
  const open = cookies.slice(0, 32).map(cookie => send(cookie, 'text=', 1000))
  await until(async () => {
    const probe = await send(cookies[32] ?? '', 'text=33').response('POST')
    return probe.all('set-cookie').length === 0
  })
  t.ok((await outcomes('busy')) > 0)
  for (const one of open) one.send('a'.repeat(995))
  for (const one of open) t.equal((await one.response('POST')).all('set-cookie').length, 1)
})

t.test('2,000 posts of strangers leave memory flat', async t => {
  const gateway = await startGateway({
    ...{ publicUrl: 'http://localhost', listen: '127.0.0.1:0', ops: { listen: '127.0.0.1:0' } },
    desk: { url: 'http://127.0.0.1:9' },
    providers: [{ id: 'a', type: 'jwt', name: 'A', loginUrl: 'https://idp.example.com/', secrets: ['x'.repeat(40)] }],
    agents: [{ any: true }],
    log: { access: false },
  })
  t.teardown(() => gateway.stop())
  const megabytes = () =>
    Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${gateway.child.pid}/status`, 'utf8'))?.[1]) / 1000)
  const headers = Object.fromEntries(browser.map(line => line.split(': ') as [string, string]))
  const body = `text=${'a'.repeat(200_000)}`
  const post = async (i: number) => {
    const cookie = `deskgate=${String(i).padStart(43, 'a')}`
    const asked = {
      method: 'POST',
      body,
      headers: { ...headers, origin: 'http://localhost', host: 'localhost', cookie },
    }
    return (await exchange({ port: gateway.port }, '/tickets/7', asked)).status
  }
  const flood = async (from: number, count: number) => {
    for (let i = from; i < from + count; i += 20) {
      const statuses = await Promise.all(Array.from({ length: 20 }, (_, at) => post(i + at)))
      if (statuses.some(status => status !== 401)) t.fail(`answers ${statuses}`)
    }
  }
  await flood(0, 400)
  const before = megabytes()
  await flood(400, 2000)
  const grown = megabytes() - before
  t.ok(grown < 40, `400 MB were posted, and the process grew by ${grown} MB`)
})
