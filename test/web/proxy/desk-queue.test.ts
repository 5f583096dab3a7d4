// Who may use Desk and who waits, with time moved by hand: quarters, turns, ten seconds, and who is cut first.

import t from 'tap'
import { createLog } from '../../../src/ops/log.js'
import { createDeskQueue } from '../../../src/web/proxy/desk-queue.js'
import { type DeskUse, newUseState } from '../../../src/web/proxy/desk-use.js'
import { createTestTimers } from '../../parts/timers.js'

interface TestUse extends DeskUse {
  seen: string[]
}

type Who = { session: string } | { api: string } | { address: string }

function open({ connections = 8, longAnswers = 8 } = {}) {
  const { later: schedule, fire } = createTestTimers()
  const lines: { msg?: string }[] = []
  const log = createLog({ level: 'info' }, { write: line => void lines.push(JSON.parse(line)) })
  const queue = createDeskQueue({ log, schedule })
  const use = (who: Who, limits = { connections, longAnswers }): TestUse => {
    const seen: string[] = []
    const context = {
      address: 'address' in who ? who.address : '192.0.2.1',
      session: 'session' in who ? { handle: who.session } : undefined,
      ...('api' in who ? { api: { agent: { email: who.api } } } : {}),
      snapshot: { config: { desk: limits } },
    }
    return {
      context: context as unknown as DeskUse['context'],
      settle: how => void seen.push(how),
      queued: newUseState(),
      seen,
    }
  }
  return {
    queue,
    lines,
    use,
    /** Enters; whether it may be sent. */
    enter(who: Who) {
      const one = use(who)
      return { one, sent: queue.enter(one) }
    },
    /** Enters so many. */
    fill: (who: Who, count: number) =>
      Array.from({ length: count }, () => {
        const one = use(who)
        if (queue.enter(one)) one.seen.push('sent')
        return one
      }),
    /** Time passes, in milliseconds. */
    pass(ms: number) {
      for (let at = 0; at < ms; at += 250) fire()
    },
  }
}

const turn = () => new Promise(resolve => setImmediate(resolve))
const sent = (uses: TestUse[]) => uses.filter(({ seen }) => seen.includes('sent') || seen.includes('begin')).length

t.test('one session, one API client, one address has a quarter', async t => {
  for (const who of [{ session: 'a' }, { api: 'a@example.com' }, { address: '192.0.2.7' }]) {
    const { fill, queue } = open()
    t.equal(sent(fill(who, 5)), 2, JSON.stringify(who))
    t.equal(sent(fill({ session: 'other' }, 5)), 2, 'and another one has its own')
    queue.close()
  }
})

t.test('an IPv6 client is its /64', async t => {
  const { fill } = open()
  t.equal(sent(fill({ address: '2001:db8:1:2::1' }, 2)), 2)
  t.equal(sent(fill({ address: '2001:db8:1:2:ffff::9' }, 1)), 0, 'the same network')
  t.equal(sent(fill({ address: '2001:db8:1:3::1' }, 1)), 1, 'the next one')
  t.equal(sent(fill({ address: 'unknown' }, 1)), 1, 'a peer without an address')
})

t.test('a session and its address are not the same', async t => {
  const { fill } = open()
  t.equal(sent(fill({ address: '192.0.2.1' }, 3)), 2)
  t.equal(sent(fill({ session: 'a' }, 3)), 2)
})

t.test('the slot is free when the head has arrived', async t => {
  const { fill, queue } = open({ connections: 4 })
  const [first, second] = fill({ session: 'a' }, 2) as [TestUse, TestUse]
  queue.headReceived(first)
  t.same(second.seen, [], 'after what else arrives at this moment')
  await turn()
  t.same(second.seen, ['begin'])
})

t.test('a freed slot goes to the next session, not to the one with the longest queue', async t => {
  const { fill, queue } = open({ connections: 4 })
  const holders = ['a', 'b', 'c', 'd'].map(session => fill({ session }, 1)[0] as TestUse)
  const many = fill({ session: 'm' }, 10)
  const one = fill({ session: 'n' }, 1)
  queue.leave(holders[0] as TestUse)
  await turn()
  t.same([sent(many), sent(one)], [1, 0])
  queue.leave(holders[1] as TestUse)
  await turn()
  t.same([sent(many), sent(one)], [1, 1])
})

t.test('after ten seconds it is refused, and not before', async t => {
  const { fill, pass, lines } = open({ connections: 4 })
  const [, waits] = fill({ session: 'a' }, 2) as [TestUse, TestUse]
  pass(10_000)
  t.same(waits.seen, [])
  pass(250)
  t.same(waits.seen, ['busy'])
  pass(1000)
  t.same(waits.seen, ['busy'], 'once')
  t.match(lines, [{ msg: /desk\.connections/ }])
})

t.test('one that goes away while it waits is never begun', async t => {
  const { fill, queue, pass } = open({ connections: 4 })
  const [first, gone, next] = fill({ session: 'a' }, 3) as [TestUse, TestUse, TestUse]
  queue.leave(gone)
  queue.leave(first)
  await turn()
  t.same([gone.seen, next.seen], [[], ['begin']])
  pass(20_000)
  t.same(gone.seen, [])
})

t.test('too many waiting requests are refused at once', async t => {
  const { fill } = open({ connections: 4 })
  const uses = fill({ session: 'a' }, 66)
  t.same([sent(uses), uses.at(-2)?.seen, uses.at(-1)?.seen], [1, [], ['busy']])
})

t.test('idle streams do not use up the connections', async t => {
  const { fill, queue } = open({ connections: 4, longAnswers: 100 })
  for (let i = 0; i < 25; i++) {
    const [stream] = fill({ session: 'tabs' }, 1) as [TestUse]
    t.same(stream.seen, ['sent'])
    queue.headReceived(stream)
    queue.goesOn(stream)
  }
  t.equal(sent(fill({ session: 'tabs' }, 1)), 1)
  const [one] = fill({ session: 'other' }, 1) as [TestUse]
  queue.headReceived(one)
  t.equal(queue.hasPlace(one), true)
})

t.test('one session has a quarter of the long responses', async t => {
  const { fill, queue } = open({ connections: 100, longAnswers: 8 })
  const stream = (session: string) => {
    const [one] = fill({ session }, 1) as [TestUse]
    queue.headReceived(one)
    const has = queue.hasPlace(one)
    queue.goesOn(one)
    return has
  }
  t.same([stream('a'), stream('a'), stream('a')], [true, true, false])
  t.same([stream('b'), stream('b'), stream('c'), stream('c'), stream('d')], [true, true, true, true, true])
  t.same([stream('d'), stream('e')], [true, false], 'and eight are all')
})

t.test('a long response that nobody reads makes place for another', async t => {
  const { fill, queue, pass } = open({ connections: 100, longAnswers: 8 })
  const stream = (session: string) => {
    const [one] = fill({ session }, 1) as [TestUse]
    queue.headReceived(one)
    queue.goesOn(one)
    return one
  }
  const [first, second] = [stream('a'), stream('a')]
  pass(2000)
  queue.stalled(second)
  const third = stream('a')
  t.equal(queue.makePlace(third), false, 'not what has only just stopped reading')
  pass(1000)
  t.equal(queue.makePlace(third), true)
  t.same([first.seen.at(-1), second.seen.at(-1)], ['sent', 'cut'])
  t.equal(queue.makePlace(third), false, 'once')
})

t.test('a response that nobody reads keeps its slot, and is cut for the next one', async t => {
  const { fill, queue, pass } = open({ connections: 8 })
  const uses = fill({ address: '192.0.2.1' }, 2) as [TestUse, TestUse]
  for (const use of uses) {
    queue.headReceived(use)
    queue.goesOn(use)
    queue.stalled(use)
  }
  pass(5000)
  const [next] = fill({ address: '192.0.2.1' }, 1) as [TestUse]
  t.same(next.seen, [], 'it has no slot yet')
  t.same(
    uses.map(({ seen }) => seen.at(-1)),
    ['cut', 'sent'],
    'the longest unread goes',
  )
  queue.leave(uses[0])
  await turn()
  t.same(next.seen, ['begin'])
})

t.test('one that reads slowly becomes a long response', async t => {
  const { fill, queue, pass } = open({ connections: 4 })
  const [slow] = fill({ session: 'a' }, 1) as [TestUse]
  queue.headReceived(slow)
  queue.goesOn(slow)
  for (let i = 0; i < 4; i++) {
    queue.stalled(slow)
    t.equal(sent(fill({ session: 'a' }, 1)), 0)
    pass(250)
    queue.reads(slow)
    await turn()
  }
  queue.stalled(slow)
  pass(250)
  t.ok(slow.queued.settled || slow.queued.stage === 'long')
  t.not(slow.seen.at(-1), 'cut')
})

t.test('the long polls of sessions leave the connections to others, a quarter for each', async t => {
  const { fill, queue, pass } = open({ connections: 8, longAnswers: 100 })
  const polls = ['a', 'b', 'c', 'd'].flatMap(session => fill({ session }, 2))
  t.equal(sent(polls), 8)
  const [work, later] = fill({ session: 'worker' }, 2) as [TestUse, TestUse]
  pass(3000)
  t.same(work.seen, [], 'a Desk that answers nobody gets no more')
  // One poll is answered; what is sent then is answered too.
  queue.leave(polls[0] as TestUse)
  await turn()
  t.same(work.seen, ['begin'])
  queue.headReceived(work)
  queue.leave(work)
  await turn()
  t.same(later.seen, ['begin'])
  pass(250)
  t.equal(sent(fill({ session: 'more' }, 2)), 2, 'seven polls wait for Desk and take no slot')
  t.equal(sent(fill({ session: 'b' }, 1)), 0, 'a session has its quarter all the same')
})

t.test('without a session nothing is a long poll', async t => {
  const { fill, queue, pass } = open({ connections: 4 })
  const [poll] = fill({ address: '192.0.2.1' }, 1) as [TestUse]
  pass(2000)
  const [work] = fill({ session: 'a' }, 1) as [TestUse]
  queue.headReceived(work)
  pass(2000)
  t.equal(poll.queued.stage, 'sent')
})
