// Attack: one client, or many from one place, that ask for more than they take. Real sockets against a gateway as `serve` runs
// it. What is held to: its memory, the connections to Desk, and how long an agent waits who works beside it.

import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type Flooded, requestBytes, startFlooded } from '../parts/flood.js'
import { until } from '../parts/wait-until.js'

/** MB; a process that compiles its sources as it runs. bench/floods.ts holds the built program to 300 MB, and p99 to five times the quiet one. */
const mostMemory = 450
/** desk.connections */
const mostConnections = 256
/** ms of an agent's work that is measured, quiet and flooded. */
const span = 6_000

async function start(t: Test, settings?: Record<string, unknown>) {
  const flooded = await startFlooded(settings)
  t.teardown(flooded.close)
  return flooded
}

/** An agent works before and during the flood, and gets every answer in time; how much later is for the bench to judge. */
async function compare(t: Test, { work, cookie }: Flooded, flood: () => Promise<unknown>) {
  const agent = await cookie('agent@example.com')
  await work(agent, () => pause(1_000))
  const quiet = await work(agent, () => pause(span))
  const flooded = await work(agent, async () => {
    await Promise.all([flood(), pause(span)])
  })
  t.same(flooded.failures, [], 'every request of the agent is answered')
  t.ok(flooded.p99 < 5_000, `p99 ${quiet.p99.toFixed(1)} ms, flooded ${flooded.p99.toFixed(1)} ms`)
}

/** Reads until so many answers have begun. */
function answersOn(socket: Socket, many: number): Promise<string[]> {
  const statuses: string[] = []
  let rest = ''
  return new Promise((resolve, reject) => {
    socket.on('close', () => reject(new Error(`closed after ${statuses.length} answers`)))
    socket.on('data', chunk => {
      const lines = (rest + chunk.toString('latin1')).split('\r\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        // A body may end without a line break right before the next head.
        const status = /HTTP\/1\.1 (\d{3}) /.exec(line)?.[1]
        if (status) statuses.push(status)
      }
      if (statuses.length >= many) resolve(statuses)
    })
    socket.resume()
  })
}

const big = requestBytes('GET /open/big')

t.test('two clients that pipeline and never read', async t => {
  const flooded = await start(t)
  const { open, desk } = flooded
  for (const socket of [await open(), await open()]) socket.write(big.repeat(4_000))
  await until(() => desk.seen('/open/big') > 2)
  await pause(3_000)
  t.ok(desk.most() <= 32, `${desk.most()} connections to Desk at once`)
  t.ok(flooded.mostMemory() < mostMemory, `${flooded.mostMemory()} MB`)
  const other = await open()
  other.write(requestBytes('GET /open/page'))
  t.same(await answersOn(other, 1), ['200'], 'another client is served')
})

t.test('64 clients that never read, beside an agent at work', async t => {
  const flooded = await start(t)
  const { open, desk } = flooded
  await compare(t, flooded, async () => {
    for (let i = 0; i < 64; i++) (await open()).write(big.repeat(500))
  })
  t.ok(desk.most() <= mostConnections, `${desk.most()} connections to Desk at once`)
  t.ok(flooded.mostMemory() < mostMemory, `${flooded.mostMemory()} MB`)
})

t.test('64 agents who never read, at the limit of connections', async t => {
  const flooded = await start(t, { desk: { connections: 64 } })
  const { open, desk, cookie } = flooded
  const cookies = await Promise.all(Array.from({ length: 8 }, (_, i) => cookie(`mallory-${i}@example.com`)))
  await compare(t, flooded, async () => {
    for (let i = 0; i < 64; i++) {
      const target = requestBytes('GET /big', `Cookie: ${cookies[i % cookies.length]}`)
      ;(await open()).write(target.repeat(100))
    }
  })
  t.ok(desk.most() <= mostConnections, `${desk.most()} connections to Desk at once`)
  t.ok(flooded.mostMemory() < mostMemory, `${flooded.mostMemory()} MB`)
})

t.test("pages of the gateway's own that nobody reads", async t => {
  const flooded = await start(t)
  const login = requestBytes('GET /auth/login', 'Accept: text/html', 'Sec-Fetch-Mode: navigate')
  await compare(t, flooded, async () => {
    for (let i = 0; i < 64; i++) (await flooded.open()).write(login.repeat(500))
  })
  t.ok(flooded.mostMemory() < mostMemory, `${flooded.mostMemory()} MB`)
})

t.test('10,000 pipelined requests with random cookies on one connection', async t => {
  const flooded = await start(t)
  const socket = await flooded.open()
  const requests = Array.from({ length: 10_000 }, (_, i) => {
    const cookie = Buffer.alloc(32, `${i}-random`).toString('base64url')
    return requestBytes(`GET /page/${i}`, `Cookie: __Host-deskgate=${cookie}`)
  })
  await compare(t, flooded, async () => {
    const answers = answersOn(socket, requests.length)
    socket.write(requests.join(''))
    t.ok((await answers).every(status => status === '401'))
  })
  t.equal(flooded.desk.seen('/page/0'), 0)
})

t.test('requests that Desk never answers', async t => {
  const flooded = await start(t)
  const { open, desk, cookie } = flooded
  const mallory = await cookie('mallory@example.com')
  await compare(t, flooded, async () => {
    for (let i = 0; i < 300; i++) {
      ;(await open()).write(requestBytes(i % 2 ? 'GET /open/never' : 'GET /never', `Cookie: ${mallory}`))
    }
  })
  t.equal(desk.seen('/never'), mostConnections / 4, 'one session has a quarter')
  t.equal(desk.seen('/open/never'), mostConnections / 4, 'one address without a session has a quarter')
})

t.test('300 idle event streams beside an agent at work', async t => {
  const flooded = await start(t)
  const { open, desk, cookie } = flooded
  const tabs = await cookie('tabs@example.com')
  const sockets: Socket[] = []
  await compare(t, flooded, async () => {
    for (let i = 0; i < 300; i++) {
      const socket = await open()
      socket.write(requestBytes('GET /events', `Cookie: ${tabs}`))
      sockets.push(socket)
    }
    await until(() => desk.streams() === 300)
  })
  t.equal(desk.streams(), 300, 'none was cut')
  const heard = Promise.all(sockets.map(socket => hears(socket, 'the first event')))
  desk.say('the first event')
  await heard
  t.ok(flooded.mostMemory() < mostMemory, `${flooded.mostMemory()} MB`)
})

function hears(socket: Socket, text: string): Promise<void> {
  let seen = ''
  return new Promise(resolve => {
    socket.on('data', chunk => {
      seen += chunk.toString('latin1')
      if (seen.includes(text)) resolve()
    })
    socket.resume()
  })
}
