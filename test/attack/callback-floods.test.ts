// Forms that never end and refused logins by the dozen, against real sockets: they hold little memory, and nobody else
// waits for them or loses a login.

import { connect, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { systemClock } from '../../src/runtime/clock.js'
import { startDesk } from '../parts/desk.js'
import { holdForms, memoryOf } from '../parts/flood.js'
import { startGateway, startInProcessGateway } from '../parts/gateway.js'
import { createIdentityProvider, logIn } from '../parts/identity-provider.js'
import { openRaw } from '../parts/raw-http.js'
import { createUserAgent, type UserAgent } from '../parts/user-agent.js'
import { until } from '../parts/wait-until.js'

const publicUrl = 'https://desk.example.com'
const idp = createIdentityProvider({ publicUrl, clock: systemClock })
const navigation = 'Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n'

const head = (path: string, length: number, more = navigation) =>
  `POST ${path} HTTP/1.1\r\nHost: desk.example.com\r\n${more}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${length}\r\n\r\n`

async function settings(t: Test, changes: Record<string, unknown> = {}) {
  const desk = await startDesk()
  t.teardown(desk.close)
  return {
    publicUrl,
    desk: { url: desk.url },
    providers: [idp.settings.portal, idp.settings.corp],
    agents: [{ domains: ['example.com'] }],
    log: { access: false },
    ...changes,
  }
}

/**
 * MB that a gateway may hold more than when it was quiet. Not what the process holds in all: run from the sources it holds the
 * compiler too, once more in the thread that verifies signatures. bench/floods.ts holds the built gateway to 300 MB in all.
 */
const mostGrowth = 180
/** ms for an answer on a machine that does much else; how fast they are is measured in bench/floods.ts. */
const patience = 10_000

t.test('900 forms whose last byte does not come: little memory, and agents go on', { timeout: 240_000 }, async t => {
  const listeners = { listen: '127.0.0.1:0', ops: { listen: '127.0.0.1:0' } }
  const gateway = await startGateway(
    { ...listeners, ...(await settings(t)) },
    { files: { 'idp.crt': idp.certificate } },
  )
  t.teardown(gateway.stop)
  const agent = createUserAgent(publicUrl, { port: gateway.port })
  await logIn(agent, idp, { way: 'portal', email: 'ada@example.com' })
  // It starts the thread that verifies signatures.
  await logIn(createUserAgent(publicUrl, { port: gateway.port }), idp, { way: 'corp', email: 'cy@example.com' })
  const visit = async (who: UserAgent) => {
    const began = performance.now()
    const { status, body } = await who.visit('/tickets')
    return { status, body, late: performance.now() - began > patience }
  }
  const expected = { ...(await visit(agent)), status: 200, late: false }
  const quiet = await memoryOf(gateway)
  let most = quiet
  const look = async () => {
    most = Math.max(most, await memoryOf(gateway))
  }
  const sockets = new Set<Socket>()
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
  })
  for (let round = 0; round < 15; round++) {
    await holdForms(gateway.port, 60, sockets)
    await look()
  }
  t.equal(sockets.size, 900)
  for (let request = 0; request < 20; request++) {
    t.same(await visit(agent), expected, 'an agent’s requests go on')
    await look()
  }
  const late = createUserAgent(publicUrl, { port: gateway.port })
  await logIn(late, idp, { way: 'corp', email: 'bob@example.com' })
  t.same(await visit(late), expected, 'a login by SAML beside them')
  await look()
  t.ok(most - quiet < mostGrowth, `${Math.round(quiet)} MB grew by ${Math.round(most - quiet)} MB`)
})

t.test('a form in the smallest pieces costs what it contains', { timeout: 120_000 }, async t => {
  const listeners = { listen: '127.0.0.1:0', ops: { listen: '127.0.0.1:0' } }
  const gateway = await startGateway(
    { ...listeners, ...(await settings(t)) },
    { files: { 'idp.crt': idp.certificate } },
  )
  t.teardown(gateway.stop)
  const before = await memoryOf(gateway)
  const pieces = '1\r\na\r\n'.repeat(100_000)
  const sockets = Array.from({ length: 20 }, () => connect(gateway.port, '127.0.0.1'))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
  })
  await Promise.all(
    sockets.map(
      socket =>
        new Promise<void>(resolve => {
          const start = `POST /auth/jwt HTTP/1.1\r\nHost: desk.example.com\r\n${navigation}Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n`
          socket.on('error', () => {}).write(start + pieces, () => resolve())
        }),
    ),
  )
  const grown = (await memoryOf(gateway)) - before
  t.ok(grown < 150, `${Math.round(grown)} MB for two million bytes`)
})

t.test('the oldest unfinished form of an address gives way, with 503 and a page', async t => {
  const limits = { bodies: '2mb', callback: '256kb' }
  const gateway = await startInProcessGateway(await settings(t, { limits }), { files: { 'idp.crt': idp.certificate } })
  t.teardown(gateway.close)
  const open = Array.from({ length: 3 }, () => openRaw(gateway.port))
  t.teardown(() => {
    for (const one of open) one.close()
  })
  for (const one of open) one.send(head('/auth/jwt', 250_000) + 'a'.repeat(249_000))
  const [first] = open
  const answer = await first?.response('POST')
  t.match(answer, { status: 503 })
  t.match(answer?.all('retry-after'), [/^\d+$/])
  t.match(answer?.body.toString(), 'login.busy_unavailable')
  const agent = createUserAgent(publicUrl, { port: gateway.port })
  await logIn(agent, idp, { way: 'portal', email: 'ada@example.com' })
  t.equal((await agent.visit('/tickets')).status, 200)
})

t.test('a page that posts in the background uses up nobody’s logins', async t => {
  const limits = { logins: '5/m' }
  const gateway = await startInProcessGateway(await settings(t, { limits }), { files: { 'idp.crt': idp.certificate } })
  t.teardown(gateway.close)
  const background = [
    'Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: empty\r\n',
    'Sec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n',
    'Sec-Fetch-Mode: same-origin\r\n',
    'Sec-Fetch-Mode: websocket\r\n',
    'Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n',
    'Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: object\r\n',
  ]
  for (const [index, headers] of [...background, ...background].entries()) {
    const path = index % 2 === 0 ? '/auth/saml/acs' : '/auth/jwt/callback'
    const connection = openRaw(gateway.port)
    connection.send(`${head(path, 5, headers)}jwt=x`)
    t.equal((await connection.response('POST')).status, 400, `${path} ${headers}`)
    connection.close()
  }
  const colleague = createUserAgent(publicUrl, { port: gateway.port })
  t.equal((await colleague.postCrossSite('/auth/jwt', { jwt: 'x' })).status, 400, 'not 429')
  const events = (await gateway.audit()).filter(({ event }) => event === 'login_refused')
  t.equal(events.length, 1, 'the colleague’s own')
})

t.test('over its limit an address still logs in anyone who has begun to', async t => {
  const limits = { logins: '5/m' }
  const gateway = await startInProcessGateway(await settings(t, { limits }), { files: { 'idp.crt': idp.certificate } })
  t.teardown(gateway.close)
  const guesser = createUserAgent(publicUrl, { port: gateway.port })
  for (let guess = 0; guess < 6; guess++) await guesser.postCrossSite('/auth/jwt', { jwt: 'x' })
  // Four are read at a time: these never end.
  const slow = Array.from({ length: 4 }, () => openRaw(gateway.port))
  t.teardown(() => {
    for (const one of slow) one.close()
  })
  for (const one of slow) one.send(`${head('/auth/jwt', 100)}jwt=`)
  const limited = async () => {
    const connection = openRaw(gateway.port)
    // Its body never comes: it is refused before that.
    connection.send(head('/auth/jwt', 100_000))
    const answer = await connection.response('POST')
    connection.close()
    return answer
  }
  await until(async () => (await limited()).status === 429, 10_000)
  t.match((await limited()).all('retry-after'), [/^\d+$/])
  for (const way of ['portal', 'corp'] as const) {
    const agent = createUserAgent(publicUrl, { port: gateway.port })
    await logIn(agent, idp, { way, email: 'ada@example.com' })
    t.equal((await agent.visit('/tickets')).status, 200, way)
  }
  const attempt = createUserAgent(publicUrl, { port: gateway.port })
  await attempt.visit('/auth/login/portal')
  const statuses: number[] = []
  for (let guess = 0; guess < 4; guess++) statuses.push((await attempt.postCrossSite('/auth/jwt', { jwt: 'x' })).status)
  t.strictSame(statuses, [400, 400, 400, 429], 'an attempt is good for three refusals')
})

t.test('230 forged attempt cookies are not opened', async t => {
  const gateway = await startInProcessGateway(await settings(t), { files: { 'idp.crt': idp.certificate } })
  t.teardown(gateway.close)
  const forged = Array.from({ length: 230 }, (_, index) => {
    const id = `forged${index}`.padEnd(22, 'x')
    return `__Host-deskgate-login.${id}=${'A'.repeat(60)}`
  }).join('; ')
  const time = async (cookie: string) => {
    const connection = openRaw(gateway.port)
    const began = process.cpuUsage()
    for (let round = 0; round < 20; round++) {
      const more = `${navigation}Cookie: ${cookie}\r\n`
      connection.send(`${head('/auth/jwt', 5, more)}jwt=x`)
      t.equal((await connection.response('POST')).status, 400)
    }
    connection.close()
    const { user, system } = process.cpuUsage(began)
    return (user + system) / 20_000
  }
  await time('a=b')
  const [plain, many] = [await time('a=b'), await time(forged)]
  t.ok(many - plain < 4, `${plain.toFixed(1)} ms without, ${many.toFixed(1)} ms with them`)
})
