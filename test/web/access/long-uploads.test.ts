// An upload that began with a live session may finish after the session's idle or absolute end: for 15 minutes at most, and
// as long as its body arrives at 1 kB/s or more. Everything else ends with the session, and an ended session cuts uploads too.

import type { IncomingMessage, ServerResponse } from 'node:http'
import t, { type Test } from 'tap'
import { startDesk } from '../../parts/desk.js'
import { startProxy } from '../../parts/proxy-server.js'
import { openRaw, rawRequest } from '../../parts/raw-http.js'
import { until } from '../../parts/wait-until.js'

const second = 1000
const ends = {
  'the idle end': { idle: '1h', lifetime: '24h' },
  'the absolute end': { idle: '24h', lifetime: '1h' },
}

const desk = await startDesk()
t.teardown(desk.close)

/** An upload under way, of a session that has a second left. `answers`: what Desk does with it at once. */
async function begin(
  t: Test,
  sessions: object,
  answers?: (request: IncomingMessage, response: ServerResponse) => void,
) {
  const proxy = await startProxy({ deskUrl: desk.url, settings: { sessions } })
  t.teardown(proxy.close)
  const seen = { bytes: 0, broken: false, responses: [] as ServerResponse[] }
  desk.onRequest((request, response) => {
    seen.responses.push(response)
    request.on('data', (chunk: Buffer) => {
      seen.bytes += chunk.length
    })
    request.on('aborted', () => {
      seen.broken = true
    })
    if (answers) answers(request, response)
    else request.on('end', () => response.end(`got ${seen.bytes}`))
  })
  const { cookie, session } = await proxy.logIn()
  const upload = openRaw(proxy.port)
  t.teardown(upload.close)
  const length = 2_000_000
  upload.send(rawRequest('POST /files HTTP/1.1', [`Cookie: ${cookie}`, `Content-Length: ${length}`]))
  let sent = 0
  /** So many bytes, and Desk has them. */
  const send = async (bytes: number) => {
    upload.send(Buffer.alloc(bytes, 0x61))
    sent += bytes
    await until(() => seen.bytes === sent)
  }
  await send(1000)
  const tick = () => proxy.liveConnections.tick()
  const pass = async (seconds: number) => {
    proxy.clock.move(seconds * second)
    await tick()
  }
  await tick()
  await tick()
  await pass(3599)
  return { proxy, upload, seen, send, pass, tick, cookie, session, rest: () => length - sent }
}

for (const [name, settings] of Object.entries(ends)) {
  t.test(`${name}: an upload that goes on is finished, and Desk's answer arrives`, async t => {
    const { upload, send, pass, rest, proxy, cookie } = await begin(t, settings)
    for (let i = 0; i < 20; i++) {
      await send(10_000)
      await pass(10)
    }
    const other = openRaw(proxy.port)
    other.send(rawRequest('GET /x HTTP/1.1', [`Cookie: ${cookie}`]))
    t.equal((await other.response()).status, 401, 'nothing else is let in')
    other.close()
    await send(rest())
    await pass(1)
    const answer = await upload.response('POST')
    t.same([answer.status, answer.whole, String(answer.body)], [200, true, 'got 2000000'])
  })

  t.test(`${name}: 15 minutes later an upload is cut, however fast it is`, async t => {
    const { upload, send, pass, seen } = await begin(t, settings)
    await pass(1)
    for (let i = 0; i < 89; i++) {
      await send(10_000)
      await pass(10)
    }
    t.equal(upload.socket.destroyed, false, 'after 14 minutes and 50 seconds')
    await send(10_000)
    await pass(10)
    await upload.ended()
    await until(() => seen.broken)
    t.pass('Desk sees that it is incomplete')
  })

  t.test(`${name}: an upload that is too slow is cut`, async t => {
    const { upload, send, pass } = await begin(t, settings)
    await pass(1)
    await send(10_000)
    await pass(10)
    t.equal(upload.socket.destroyed, false, '1 kB/s')
    await send(9_990)
    await pass(10)
    await upload.ended()
    t.pass('999 bytes a second')
  })

  t.test(`${name}: an upload that stalls is cut`, async t => {
    const { upload, pass } = await begin(t, settings)
    await pass(1)
    await pass(9)
    t.equal(upload.socket.destroyed, false)
    await pass(1)
    await upload.ended()
  })
}

for (const [end, settings] of Object.entries(ends)) {
  t.test(`an end by an operator, the agent, the directory or the provider cuts it at once: ${end}`, async t => {
    for (const name of ['handle', 'agent', 'provider', 'all'] as const) {
      for (const minutes of [0, 5]) {
        const { proxy, upload, send, pass, session } = await begin(t, settings)
        for (let i = 0; i < minutes * 6; i++) {
          await send(10_000)
          await pass(10)
        }
        t.equal(upload.socket.destroyed, false)
        const selectors = {
          handle: { handle: session.handle },
          agent: { email: session.agent.email },
          provider: { providers: [session.provider] },
          all: 'all' as const,
        }
        await proxy.sessions.end(selectors[name], 'test')
        await upload.ended()
        t.pass(`${name}, ${minutes} minutes after it has expired`)
      }
    }
  })
}

t.test('Attack: event streams and downloads do not last longer behind a body that trickles in', async t => {
  const { upload, send, pass } = await begin(t, ends['the idle end'], (_, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: x\n\n')
  })
  await upload.until(seen => seen.includes('data: x'))
  await send(100_000)
  await pass(1)
  await upload.ended()
})

t.test('a body that had arrived before the end is no upload: its download is cut', async t => {
  const { upload, send, pass, rest } = await begin(t, ends['the idle end'], () => {})
  await send(rest())
  await pass(1)
  await upload.ended()
})

t.test('Desk has a minute to answer an upload that has arrived', async t => {
  const { upload, send, pass, rest } = await begin(t, ends['the idle end'], () => {})
  await pass(1)
  await send(rest())
  await pass(1)
  await pass(59)
  t.equal(upload.socket.destroyed, false)
  await pass(1)
  await upload.ended()
})
