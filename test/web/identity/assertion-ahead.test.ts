// Assertions that are signed before they are needed: for sessions in use, a few in each turn of the loop.

import t from 'tap'
import type { Session } from '../../../src/core/sessions.js'
import { deriveSigningKeys } from '../../../src/keys/assertion-keys.js'
import { createAssertionSigner } from '../../../src/web/identity/assertion.js'
import { createTestClock } from '../../parts/clock.js'
import { createTestTimers } from '../../parts/timers.js'

const ttl = 60_000

function start() {
  const [clock, timers] = [createTestClock(), createTestTimers()]
  const keys = deriveSigningKeys([Buffer.alloc(48, 1)])
  const signer = createAssertionSigner({
    ...{ issuer: 'https://desk.example.com', audience: 'http://desk.internal', ttl, keys, clock },
    schedule: timers.later,
  })
  return { clock, timers, sign: (session: Session) => signer(session).token }
}

const sessionOf = (handle: string, roles = ['agent']): Session => ({
  ...{ handle, provider: 'corp', createdAt: 0, seenAt: 0, endsAt: 1e15 },
  agent: { email: 'a@example.com', roles },
  from: { address: '', browser: '' },
})
const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())

t.test('the next assertion of an active agent is there before the last one has to go', async t => {
  const { clock, timers, sign } = start()
  const session = sessionOf('a')
  const first = sign(session)
  clock.move(27_000)
  timers.fire()
  t.equal(sign(session), first, 'not yet')
  clock.move(2000)
  timers.fire()
  const signedAt = Math.floor(clock.now() / 1000)
  clock.move(5000)
  const second = sign(session)
  t.not(second, first)
  t.equal(claimsOf(second).iat, signedAt, 'signed between the requests')
  t.same({ ...claimsOf(second), iat: 0, exp: 0 }, { ...claimsOf(first), iat: 0, exp: 0 })
})

t.test('nothing is signed for a session that was used once, or is quiet, and nothing is kept', async t => {
  const { clock, timers, sign } = start()
  const [once, quiet] = [sessionOf('a'), sessionOf('b')]
  sign(once)
  sign(quiet)
  clock.move(20_000)
  sign(quiet)
  let time = 20_000
  for (; time < ttl && timers.pauses().length > 0; time += 1000) {
    clock.move(1000)
    timers.fire()
  }
  t.same(timers.pauses(), [], 'nothing is left to look for')
  t.ok(time <= ttl / 2 + 1000, 'half of ttl after the last signature')
})

t.test('one that is not signed ahead is sent as long as it may be', async t => {
  const { clock, timers, sign } = start()
  const first = sign(sessionOf('a'))
  clock.move(29_500)
  timers.fire()
  t.equal(sign(sessionOf('a')), first)
  clock.move(500)
  t.not(sign(sessionOf('a')), first)
})

t.test('one turn signs a few only, and the requests do not wait for the others', async t => {
  const { clock, timers, sign } = start()
  const sessions = Array.from({ length: 100 }, (_, index) => sessionOf(`h${index}`))
  for (const session of sessions) sign(session)
  clock.move(28_000)
  for (const session of sessions) sign(session)
  clock.move(1000)
  let turns = 0
  for (timers.fire(); timers.pauses()[0] === 1; timers.fire()) turns++
  t.equal(turns, Math.floor(sessions.length / 8))
  const signedAt = Math.floor(clock.now() / 1000)
  clock.move(5000)
  t.ok(sessions.every(session => claimsOf(sign(session)).iat === signedAt))
})

t.test('Attack: what was signed ahead is not used once the agent has changed, or the clock was set back', async t => {
  const { clock, timers, sign } = start()
  sign(sessionOf('a', ['admin']))
  clock.move(28_000)
  sign(sessionOf('a', ['admin']))
  clock.move(1000)
  timers.fire()
  t.same(claimsOf(sign(sessionOf('a', ['agent']))).roles, ['agent'])
  clock.move(-10_000)
  t.equal(claimsOf(sign(sessionOf('a', ['agent']))).iat, Math.floor(clock.now() / 1000))
})

t.test('as many are kept as sessions are remembered', async t => {
  const { sign } = start()
  const first = sign(sessionOf('h0'))
  for (let index = 1; index < 12_000; index++) sign(sessionOf(`h${index}`))
  t.equal(sign(sessionOf('h0')), first)
})
