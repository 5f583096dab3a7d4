// How long an exchange with Desk may stand still, and who is cut off when it does.

import t from 'tap'
import { boundExchanges, codeOf, type Exchange, tooSlow } from '../../../../src/web/proxy/http/exchange.js'
import { createTestTimers } from '../../../parts/timers.js'

const timeout = 2000
const [unread, body] = [5000, 3000]
const timeouts = { unread, body }
const look = 500

/** One that was sent, with what the test says of it; `told`: the error of the side that was late. */
function exchange(has: { [key: string]: unknown; request?: object } = {}) {
  const told: string[] = []
  const one = {
    idle: 0,
    headReceived: false,
    paused: false,
    unread: false,
    body: undefined,
    response: { destroy: () => void told.push('the client was cut off') },
    abort: (error: Error) => void told.push(codeOf(error) === tooSlow ? tooSlow : error.name),
    ...has,
    request: { complete: true, isPaused: () => false, ...has.request },
  } as unknown as Exchange
  return { one, told }
}

/** Milliseconds until somebody is told, or undefined within a minute. */
function lateAfter(has: Parameters<typeof exchange>[0], during: (one: Exchange, ms: number) => void = () => {}) {
  const { later, fire } = createTestTimers()
  const deadlines = boundExchanges({ timeout, timeouts, schedule: later })
  const { one, told } = exchange(has)
  deadlines.begin(one)
  for (let ms = look; ms <= 60_000; ms += look) {
    during(one, ms)
    fire()
    if (told.length > 0) return { ms, who: told[0] }
  }
  return undefined
}

t.test(
  'a Desk that says nothing is late after desk.timeout, in the middle of an answer after the longer time',
  async t => {
    t.same(lateAfter({}), { ms: timeout + look, who: 'HeadersTimeoutError' })
    t.same(lateAfter({ headReceived: true }), { ms: unread + look, who: 'BodyTimeoutError' })
    const begun = lateAfter({}, (one, ms) => {
      if (ms === 1000) one.idle = 0
    })
    t.same(begun, { ms: 1000 + timeout, who: 'HeadersTimeoutError' }, 'counted from what moved last')
  },
)

t.test('the side that keeps the other waiting is cut off', async t => {
  const sends = { body: {}, request: { complete: false } }
  t.same(lateAfter(sends), { ms: body + look, who: tooSlow }, 'half an upload')
  const unread = { body: {}, request: { complete: false, isPaused: () => true } }
  t.same(lateAfter(unread), { ms: timeout + look, who: 'HeadersTimeoutError' }, 'an upload that Desk does not read')
  t.same(lateAfter({ body: {} }), { ms: timeout + look, who: 'HeadersTimeoutError' }, 'a whole upload')
})

t.test('a client that leaves its answer unread is cut off', async t => {
  const unread = { headReceived: true, unread: true }
  t.same(lateAfter(unread), { ms: timeouts.unread + look, who: 'the client was cut off' })
  const slow = lateAfter(unread, (one, ms) => {
    if (ms === 3000) one.idle = 0
  })
  t.same(slow, { ms: 3000 + timeouts.unread, who: 'the client was cut off' }, 'counted from what it read last')
})

t.test('time spent waiting for the gateway or the client does not count against Desk', async t => {
  t.equal(lateAfter({ headReceived: true, paused: true }), undefined, 'the session is being ended')
  t.equal(lateAfter({ abort: undefined }), undefined, 'the connection does not stand yet')
  const slow = lateAfter({ headReceived: true }, (one, ms) => {
    if (ms % 4000 === 0) one.idle = 0
  })
  t.equal(slow, undefined, 'a piece now and then')
})

t.test('an exchange that is over is not looked at', async t => {
  const { later, fire } = createTestTimers()
  const deadlines = boundExchanges({ timeout, timeouts, schedule: later })
  const all = Array.from({ length: 5 }, () => exchange())
  for (const { one } of all) deadlines.begin(one)
  deadlines.end(all[1]?.one as Exchange)
  for (let looks = 0; looks < 5; looks++) fire()
  t.strictSame(
    all.map(({ told }) => told.length > 0),
    [true, false, true, true, true],
  )
  deadlines.close()
})
