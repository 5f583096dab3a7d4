// Bearer tokens at a WebSocket handshake, and what cannot be told: keys or a directory that are away. An open WebSocket
// lives no longer than its token would be let in.

import { generateKeyPairSync } from 'node:crypto'
import t, { type Test } from 'tap'
import type { AgentRecord } from '../../src/core/directory.js'
import { DirectoryUnavailable } from '../../src/core/errors.js'
import { createJwtProvider } from '../../src/providers/jwt/provider.js'
import { startDesk } from '../parts/desk.js'
import { jwtSettings } from '../parts/jwt-provider.js'
import { publicUrl, startProxy } from '../parts/proxy-server.js'
import { openRaw, sendRaw } from '../parts/raw-http.js'
import { type Claims, ecdsa, forged } from '../parts/tokens.js'
import { frame } from '../parts/websocket.js'

type Answer = AgentRecord | 'unknown' | 'disabled' | 'away'

async function open(t: Test, changes: Parameters<typeof jwtSettings>[0] = {}) {
  const desk = await startDesk()
  t.teardown(desk.close)
  const known: { answer: Answer } = { answer: { email: 'ada@example.com', roles: [] } }
  const directory = {
    async find() {
      if (known.answer === 'away') throw new DirectoryUnavailable('away')
      return known.answer
    },
  }
  const fetchText = () => Promise.reject(new Error('away'))
  const settings = jwtSettings({ bearer: true, bearerAudience: 'api', ...changes })
  const proxy = await startProxy({
    deskUrl: desk.url,
    directory,
    providers: parts => [createJwtProvider(settings, { ...parts, publicUrl, fetchText })],
  })
  t.teardown(proxy.close)
  const claims = (changes: Claims = {}) => {
    const iat = proxy.clock.now() / 1000
    return { email: 'ada@example.com', iat, exp: iat + 600, aud: 'api', ...changes }
  }
  const head = (authorization: string, ...more: string[]) =>
    [
      'GET /ws HTTP/1.1',
      'Host: desk.example.com',
      'Upgrade: websocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      `Authorization: ${authorization}`,
      ...more,
      '',
      '',
    ].join('\r\n')
  const dial = async (claimsOf: Claims = {}) => {
    const connection = openRaw(proxy.port)
    connection.send(head(`Bearer ${forged({ alg: 'HS256' }, claims(claimsOf))}`))
    await connection.until(seen => seen.includes('\r\n\r\n'))
    return connection
  }
  return { desk, proxy, known, claims, head, dial }
}

t.test('a good token opens a WebSocket, and Desk knows who and not the token', async t => {
  const { desk, dial } = await open(t)
  const connection = await dial()
  t.match(connection.seen().toString(), /^HTTP\/1\.1 101 /)
  t.same(desk.last().all('x-agent-email'), ['ada@example.com'])
  t.same(desk.last().all('authorization'), [])
  connection.close()
})

t.test('a bad token opens none, with a session cookie beside it or not', async t => {
  const { desk, proxy, head } = await open(t)
  const { cookie } = await proxy.logIn()
  for (const more of [[], [`Cookie: ${cookie}`]]) {
    const answer = await sendRaw(proxy.port, head('Bearer x', ...more), 'GET')
    t.equal(answer.status, 401)
    t.match(answer.all('www-authenticate'), [/^Bearer error="invalid_token"/])
    t.match(answer.all('content-type'), ['application/problem+json'])
  }
  t.same(desk.seen, [])
})

t.test('an Origin of somebody else is refused with a good token too', async t => {
  const { claims, proxy, head } = await open(t)
  const token = forged({ alg: 'HS256' }, claims())
  const answer = await sendRaw(proxy.port, head(`Bearer ${token}`, 'Origin: https://evil.example'), 'GET')
  t.equal(answer.status, 403)
})

t.test('an open one is cut when its token has expired', async t => {
  const { proxy, dial } = await open(t)
  const connection = await dial()
  proxy.clock.move(659_999)
  await proxy.liveConnections.recheckAll()
  connection.send(frame('ping', { opcode: 1, masked: true }))
  await connection.until(seen => seen.includes('ping'))
  proxy.clock.move(1)
  await proxy.liveConnections.recheckAll()
  await connection.ended()
})

t.test(
  'an open one is cut when the directory no longer knows the agent; a directory that is away cuts none',
  async t => {
    const { proxy, known, dial } = await open(t)
    const connection = await dial()
    known.answer = 'away'
    await proxy.liveConnections.recheckAll()
    connection.send(frame('ping', { opcode: 1, masked: true }))
    await connection.until(seen => seen.includes('ping'))
    known.answer = 'disabled'
    await proxy.liveConnections.recheckAll()
    await connection.ended()
  },
)

t.test('keys or a directory that are away: 503, and nothing reaches Desk', async t => {
  const call = (port: number, token: string) =>
    sendRaw(port, `GET / HTTP/1.1\r\nHost: desk.example.com\r\nAuthorization: Bearer ${token}\r\n\r\n`)
  const place = await open(t)
  place.known.answer = 'away'
  const one = await call(place.proxy.port, forged({ alg: 'HS256' }, place.claims()))
  t.equal(one.status, 503)
  t.match(JSON.parse(one.body.toString()), { reason: 'agent.directory_unavailable' })
  t.match(one.all('retry-after'), [/^\d+$/])

  const keyless = await open(t, { jwks: { url: 'https://idp.example/jwks' } })
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const two = await call(keyless.proxy.port, forged({ alg: 'ES256' }, keyless.claims(), ecdsa(privateKey)))
  t.equal(two.status, 503)
  t.match(JSON.parse(two.body.toString()), { reason: 'jwt.keys_unavailable' })
  t.same(two.all('www-authenticate'), [])
  t.same([...place.desk.seen, ...keyless.desk.seen], [])
})
