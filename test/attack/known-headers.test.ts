// Header names that Desks know from other proxies, as identity headers: what a client sends under them, in any spelling, by
// HTTP or WebSocket, never arrives.

import t from 'tap'
import { startDesk } from '../parts/desk.js'
import { startProxy } from '../parts/proxy-server.js'
import { openRaw, rawRequest, sendRaw } from '../parts/raw-http.js'

const sets = {
  'oauth2-proxy': {
    id: 'X-Forwarded-User',
    email: 'X-Forwarded-Email',
    name: 'X-Forwarded-Preferred-Username',
    roles: 'X-Forwarded-Groups',
  },
  REMOTE_USER: { id: 'Remote-User', email: 'Remote-Email', name: 'Remote-Name', roles: 'Remote-Groups' },
  'underscores of its own': { id: 'X_Auth_User', email: 'X.Auth.Email', roles: 'x-auth-roles' },
}
const attribute = 'X-Agent-Department'
const provider = {
  ...{ id: 'corp', type: 'jwt', name: 'Corp', loginUrl: 'https://idp.example.com/', secrets: ['x'.repeat(40)] },
  attributes: { headers: { [attribute]: 'dept', 'X-Cost-Center': 'cost' } },
}
const values = { id: '7', email: 'alice@example.com', name: 'Alice', roles: 'agent' }
const handshake = [
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
]

/** Every way to write a name that some server reads as the same. */
function spellings(name: string): string[] {
  const joint = (by: string) => name.replace(/[^A-Za-z0-9]/g, by)
  const mixed = name.replace(/[^A-Za-z0-9]/, '_')
  const cases = [name, name.toLowerCase(), name.toUpperCase(), name.replace(/[a-z]/i, letter => letter.toLowerCase())]
  return [
    ...new Set([
      ...cases,
      ...['-', '_', '.', '~', '!', '*', "'", '|', '^', '`', '+', '#'].map(joint),
      mixed,
      joint('_').toUpperCase(),
    ]),
  ]
}

for (const [what, headers] of Object.entries(sets)) {
  t.test(what, async t => {
    const desk = await startDesk()
    const proxy = await startProxy({ deskUrl: desk.url, settings: { identity: { headers }, providers: [provider] } })
    t.teardown(async () => {
      await proxy.close()
      await desk.close()
    })
    const attributes = { [attribute]: ['Sales'] }
    const { cookie } = await proxy.logIn({ attributes })
    const clean = (how: string, public_ = false) => {
      const got = desk.last()
      const whole = JSON.stringify(got.headers)
      t.notMatch(whole, /evil/, how)
      for (const [key, name] of Object.entries(headers)) {
        const folded = name.toLowerCase().replace(/[^a-z0-9]/g, '-')
        t.strictSame(got.folded(folded), public_ ? [] : [values[key as keyof typeof values]], `${how}: ${name}`)
      }
      t.strictSame(got.folded(attribute.toLowerCase()), public_ ? [] : ['Sales'], `${how}: attribute`)
      t.strictSame(got.folded('x-cost-center'), public_ ? [] : [''], `${how}: an attribute without a value`)
    }
    for (const name of [...Object.values(headers), attribute, 'X-Cost-Center']) {
      const forged = spellings(name)
      const lines = [...forged.map(one => `${one}: evil`), `Connection: ${name}, keep-alive`]
      for (const one of forged) {
        t.equal(
          (await sendRaw(proxy.port, rawRequest('GET /x HTTP/1.1', [`Cookie: ${cookie}`, `${one}: evil`]))).status,
          200,
        )
        clean(`GET ${one}`)
      }
      t.equal(
        (
          await sendRaw(
            proxy.port,
            rawRequest('POST /x HTTP/1.1', [`Cookie: ${cookie}`, 'Content-Length: 0', ...lines]),
          )
        ).status,
        200,
      )
      clean(`all of ${name}`)
      t.equal((await sendRaw(proxy.port, rawRequest('GET /open HTTP/1.1', lines))).status, 200)
      clean(`public, ${name}`, true)
      const socket = openRaw(proxy.port)
      socket.send(
        [
          'GET /ws HTTP/1.1',
          'Host: x',
          `Cookie: ${cookie}`,
          ...handshake,
          ...forged.map(one => `${one}: evil`),
          '',
          '',
        ].join('\r\n'),
      )
      t.equal((await socket.response()).status, 101)
      clean(`WebSocket, ${name}`)
      socket.close()
    }
  })
}
