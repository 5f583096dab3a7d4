// Forms that are too long wait their turn in the kernel, not here, and each is read to its end. Real sockets.

import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import fastify from 'fastify'
import t, { type Test } from 'tap'
import { createBodyBudget } from '../../../src/web/request/body-budget.js'
import { acceptForms } from '../../../src/web/request/form.js'
import { settled, until } from '../../parts/wait-until.js'

const [keep, read] = [10_000, 4_000_000]
const size = 3_000_000
const atOnce = 8

async function start(t: Test) {
  const app = fastify()
  const context = { snapshot: { config: { limits: { bodies: 8_000_000 } } }, address: '192.0.2.1' }
  app.addHook('onRequest', async request => void Object.assign(request, { context }))
  acceptForms(app, createBodyBudget())
  const payloads: IncomingMessage[] = []
  app.addHook('preParsing', async (request, _reply, payload) => {
    payloads.push(request.raw)
    return payload
  })
  app.post('/form', { config: { form: () => ({ keep, read }) } }, async ({ body }) => {
    return `${(body as { bytes: number }).bytes} bytes`
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const sockets: Socket[] = []
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy()
    await app.close()
  })
  const open = async () => {
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    sockets.push(socket)
    await once(socket, 'connect')
    return { socket, seen: seen(socket) }
  }
  return { payloads, open }
}

function seen(socket: Socket): () => string {
  let text = ''
  socket.on('data', chunk => {
    text += chunk
  })
  return () => text
}

const head = `POST /form HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${size}\r\n\r\n`
const almost = head + 'a'.repeat(size - 1)

t.test('Attack: of the long forms whose turn has not come nothing is held', async t => {
  const { payloads, open } = await start(t)
  const clients: Awaited<ReturnType<typeof open>>[] = []
  for (let i = 0; i < 30; i++) clients.push(await open())
  for (const { socket } of clients) socket.write(almost)
  await until(() => payloads.length === 30)
  const taken = () => payloads.reduce((sum, { socket }) => sum + socket.bytesRead, 0)
  await settled(taken)
  const begun = payloads.filter(({ socket }) => socket.bytesRead > size / 2)
  t.equal(begun.length, atOnce, 'so many are read')
  const others = payloads.filter(payload => !begun.includes(payload))
  t.ok(
    others.every(({ socket }) => socket.bytesRead < 200_000),
    'nothing more is read of the others',
  )
  t.same([...new Set(payloads.map(({ readableLength }) => readableLength))], [0], 'and what was read is not kept')
  for (const { socket } of clients) socket.write('a')
  await until(() => clients.every(({ seen }) => seen().includes(`${size} bytes`)))
  t.pass('each is read to its end')
})

/** As many forms as are read at once, each without its last byte, and a connection for one more. */
async function startWithOneWaiting(t: Test) {
  const { payloads, open } = await start(t)
  const first = []
  for (let i = 0; i < atOnce; i++) first.push(await open())
  for (const { socket } of first) socket.write(almost)
  await until(() => payloads.length === atOnce)
  return { payloads, first, next: await open() }
}

t.test('a client that goes away gives its turn to the next one', async t => {
  const { payloads, first, next } = await startWithOneWaiting(t)
  next.socket.write(`${almost}a`)
  await until(() => payloads.length === atOnce + 1)
  await settled(() => payloads.at(-1)?.socket.bytesRead ?? 0)
  t.equal(next.seen(), '')
  first[0]?.socket.destroy()
  await until(() => next.seen().includes(`${size} bytes`))
  t.pass('it is answered')
})

t.test('the connection of a form that had to wait takes further requests', async t => {
  const { payloads, first, next } = await startWithOneWaiting(t)
  next.socket.write(`${almost}a${almost}a`)
  await until(() => payloads.length === atOnce + 1)
  for (const { socket } of first) socket.write('a')
  await until(() => next.seen().split(`${size} bytes`).length === 3)
  t.equal(next.seen().match(/HTTP\/1\.1 200/g)?.length, 2)
})
