// Attack: one client, or many from one place, that ask for more than they take. Real sockets against a gateway as `serve` runs
// it. What is held to: its memory, the connections to Desk, and that an agent who works beside it is answered. How much later
// is for bench/floods.ts to judge.

import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type Flooded, requestBytes, startFlooded } from '../parts/flood.js'
import { until } from '../parts/wait-until.js'

/**
 * MB that the process holds more than when it was quiet. It compiles its sources as it runs, and how much that takes says
 * nothing of floods; bench/floods.ts holds the built program to 300 MB in all.
 */
const mostGrowth = 180
/** desk.connections */
const mostConnections = 256
/** ms of an agent's work before the flood, and at least during it. */
const [warmUp, span] = [1_000, 3_000]
/** ms that an answer may take on a machine that does much else. */
const patience = 10_000

async function start(t: Test, settings?: Record<string, unknown>) {
  const flooded = await startFlooded(settings)
  t.teardown(flooded.close)
  return flooded
}

/** An agent works before and during the flood, and gets every page. Returns how many MB the gateway has grown by so far. */
async function workThrough(t: Test, { work, cookie, watchMemory }: Flooded, flood: () => Promise<unknown>) {
  const agent = await cookie('agent@example.com')
  await work(agent, () => pause(warmUp))
  const growth = await watchMemory()
  const { waits, failures } = await work(agent, async () => {
    await Promise.all([flood(), pause(span)])
  })
  t.same(failures, [], 'each request of the agent is answered with the page')
  t.ok(Math.max(...waits) < patience, `of ${waits.length} the longest wait: ${Math.max(...waits).toFixed(0)} ms`)
  return growth
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
  const growth = await flooded.watchMemory()
  for (const socket of [await open(), await open()]) socket.write(big.repeat(4_000))
  await until(() => desk.seen('/open/big') > 2)
  await pause(3_000)
  t.ok(desk.most() <= 32, `${desk.most()} connections to Desk at once`)
  t.ok(growth() < mostGrowth, `grew by ${growth()} MB`)
  const other = await open()
  other.write(requestBytes('GET /open/page'))
  t.same(await answersOn(other, 1), ['200'], 'another client is served')
})

t.test('64 clients that never read, beside an agent at work', async t => {
  const flooded = await start(t)
  const { open, desk } = flooded
  const growth = await workThrough(t, flooded, async () => {
    for (let i = 0; i < 64; i++) (await open()).write(big.repeat(500))
  })
  t.ok(desk.most() <= mostConnections, `${desk.most()} connections to Desk at once`)
  t.ok(growth() < mostGrowth, `grew by ${growth()} MB`)
})

t.test('64 agents who never read, at the limit of connections', async t => {
  const flooded = await start(t, { desk: { connections: 64 } })
  const { open, desk, cookie } = flooded
  const cookies = await Promise.all(Array.from({ length: 8 }, (_, i) => cookie(`mallory-${i}@example.com`)))
  const growth = await workThrough(t, flooded, async () => {
    for (let i = 0; i < 64; i++) {
      const target = requestBytes('GET /big', `Cookie: ${cookies[i % cookies.length]}`)
      ;(await open()).write(target.repeat(100))
    }
  })
  t.ok(desk.most() <= mostConnections, `${desk.most()} connections to Desk at once`)
  t.ok(growth() < mostGrowth, `grew by ${growth()} MB`)
})

t.test("pages of the gateway's own that nobody reads", async t => {
  const flooded = await start(t)
  const login = requestBytes('GET /auth/login', 'Accept: text/html', 'Sec-Fetch-Mode: navigate')
  const growth = await workThrough(t, flooded, async () => {
    for (let i = 0; i < 64; i++) (await flooded.open()).write(login.repeat(500))
  })
  t.ok(growth() < mostGrowth, `grew by ${growth()} MB`)
})

t.test('10,000 pipelined requests with random cookies on one connection', async t => {
  const flooded = await start(t)
  const socket = await flooded.open()
  const requests = Array.from({ length: 10_000 }, (_, i) => {
    const cookie = Buffer.alloc(32, `${i}-random`).toString('base64url')
    return requestBytes(`GET /page/${i}`, `Cookie: __Host-deskgate=${cookie}`)
  })
  await workThrough(t, flooded, async () => {
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
  await workThrough(t, flooded, async () => {
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
  const growth = await workThrough(t, flooded, async () => {
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
  t.ok(growth() < mostGrowth, `grew by ${growth()} MB`)
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
