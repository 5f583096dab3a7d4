// What uses a break-glass link up and what does not, and what somebody who can read or write the store can do with one.

import t, { type Test } from 'tap'
import type { AgentRecord, Directory } from '../../../src/core/directory.js'
import { DirectoryUnavailable, StoreUnavailable } from '../../../src/core/errors.js'
import type { Store } from '../../../src/core/store.js'
import { startLoginServer } from '../../parts/login-server.js'

const order = { agent: 'ada@example.com', minutes: 30, reason: 'the IdP is down', operator: 'root@host' }

async function open(t: Test) {
  const state: { found: AgentRecord | 'unknown' | 'disabled' | 'down'; broken: string } = {
    found: 'unknown',
    broken: '',
  }
  const directory: Directory = {
    async find() {
      if (state.found === 'down') throw new DirectoryUnavailable('down')
      return state.found
    },
  }
  const written = new Map<string, Buffer>()
  const fail = (key: string) => {
    if (state.broken !== '' && key.startsWith(state.broken)) throw new StoreUnavailable('no answer')
  }
  const store = (real: Store): Store => ({
    ...real,
    async get(key) {
      fail(key)
      return real.get(key)
    },
    async claim(key, ttl) {
      fail(key)
      return real.claim(key, ttl)
    },
    async set(key, value, ttl) {
      fail(key)
      written.set(key, value)
      return real.set(key, value, ttl)
    },
  })
  const gate = await startLoginServer({ directory, store })
  t.teardown(gate.close)
  const link = async () => {
    const { token } = await gate.breakglass.issue(order)
    return { token, path: `/auth/breakglass/${token}` }
  }
  return { gate, state, written, link }
}

t.test('a refusal by the directory uses nothing up: once it is fixed the link works', async t => {
  const { gate, state, link } = await open(t)
  const { path } = await link()
  for (const [found, status, reason] of [
    ['unknown', 403, 'agent.unknown'],
    ['disabled', 403, 'agent.disabled'],
    ['down', 503, 'agent.directory_unavailable'],
  ] as const) {
    state.found = found
    const browser = gate.browser()
    const response = await browser.send(path)
    t.equal(response.statusCode, status)
    t.match(response.body, reason)
    t.notMatch(response.body, '/auth/login/breakglass', 'no provider to start again with')
    t.same([...browser.cookies.keys()], [])
  }
  state.found = { email: 'ada@example.com', roles: ['agent'] }
  t.equal((await gate.browser().send(path)).statusCode, 303)
  t.equal(gate.events.filter(({ event }) => event === 'breakglass_refused').length, 3)
})

t.test('a store that is down is 503, and nobody is let in', async t => {
  const { gate, state, link } = await open(t)
  state.found = { email: 'ada@example.com' }
  const { path } = await link()
  for (const broken of ['b:', 'c:breakglass', 's:']) {
    state.broken = broken
    const browser = gate.browser()
    const response = await browser.send(path)
    t.equal(response.statusCode, 503, broken)
    t.match(response.headers, { 'retry-after': '5' })
    t.match(response.body, 'session.store_unavailable')
    t.same([...browser.cookies.keys()], [])
    t.equal((await gate.browser().visit(path)).statusCode, 200, 'the page itself asks nobody')
  }
})

t.test('Attack: anyone who reads the store can use no link, and anyone who writes it can make none', async t => {
  const { gate, state, written, link } = await open(t)
  state.found = { email: 'ada@example.com' }
  const { token, path } = await link()
  const [[key = '', value = Buffer.alloc(0)] = []] = [...written].filter(([name]) => name.startsWith('b:'))
  const stored = JSON.stringify([...written].map(([name, bytes]) => [name, bytes.toString('latin1')]))
  t.notMatch(stored, token)
  t.notMatch(stored, /ada@example|root@host|IdP/)
  t.notMatch(stored, Buffer.from('ada@example.com').toString('base64url').slice(0, 16))

  const other = await link()
  const [, [otherKey = ''] = []] = [...written].filter(([name]) => name.startsWith('b:'))
  t.not(otherKey, key)
  await gate.store.set(otherKey, value, 60_000)
  t.match((await gate.browser().send(other.path)).body, 'login.link_expired', 'copied to another link')
  const plain = Buffer.from(JSON.stringify({ ...order, createdAt: 0, until: 9e15 }))
  for (const bytes of [plain, Buffer.alloc(0), Buffer.from('x'), Buffer.concat([value, Buffer.from('A')])]) {
    await gate.store.set(key, bytes, 60_000)
    const response = await gate.browser().send(path)
    t.equal(response.statusCode, 400)
    t.match(response.body, 'login.link_expired')
  }
  await gate.store.set(key, value, 60_000)
  t.equal((await gate.browser().send(path)).statusCode, 303, 'as it was')
})

t.test('a link that is not whole says what to do', async t => {
  const { gate, link } = await open(t)
  const { path } = await link()
  for (const response of [await gate.browser().visit(path.slice(0, -1)), await gate.browser().send(`${path}x`)]) {
    t.equal(response.statusCode, 404)
    t.match(response.body, 'This link does not work')
    t.match(response.body, 'ask your administrator for a new one')
  }
})

t.test('the form takes no more than a button sends, and no other method', async t => {
  const { gate, state, link } = await open(t)
  state.found = { email: 'ada@example.com' }
  const { path } = await link()
  for (const method of ['PUT', 'DELETE', 'PATCH'] as const) {
    const response = await gate.app.inject({ method, url: path, headers: { 'sec-fetch-site': 'same-origin' } })
    t.equal(response.statusCode, 404)
  }
  t.equal((await gate.browser().send(path, {}, { origin: 'https://evil.example' })).statusCode, 403)
  t.equal((await gate.browser().send(path, {}, { 'content-type': 'text/plain' })).statusCode, 415)
  t.equal((await gate.browser().send(path, { x: 'x'.repeat(20_000) })).statusCode, 413)
  t.equal((await gate.browser().send(path)).statusCode, 303)
})

t.test(
  'breakglass.from: elsewhere a link is refused and not used up, and nobody learns whether it is good',
  async t => {
    const gate = await startLoginServer({ settings: { breakglass: { from: ['192.0.2.0/24', '127.0.0.1/32'] } } })
    t.teardown(gate.close)
    const { token } = await gate.breakglass.issue(order)
    const path = `/auth/breakglass/${token}`
    for (const headers of [{ 'x-forwarded-for': '127.0.0.1' }, { forwarded: 'for=192.0.2.7' }, { via: '1.1 proxy' }]) {
      const response = await gate.browser().send(path, {}, headers)
      t.equal(response.statusCode, 403, 'a proxy that nobody trusts')
      t.match(response.body, 'agent.forbidden')
    }
    t.equal((await gate.browser().send(path)).statusCode, 303, 'and from here it works still')

    const strict = await startLoginServer({ settings: { breakglass: { from: ['192.0.2.0/24', '2001:db8::/32'] } } })
    t.teardown(strict.close)
    const good = await strict.breakglass.issue(order)
    const wrong = `${good.token.slice(1)}A`
    for (const one of [good.token, wrong]) {
      const response = await strict.browser().send(`/auth/breakglass/${one}`)
      t.equal(response.statusCode, 403)
      t.match(response.body, 'agent.forbidden')
    }
    t.match(
      strict.events.filter(({ event }) => event === 'breakglass_refused'),
      [{ reason: 'agent.forbidden' }, { reason: 'agent.forbidden' }],
    )
  },
)
