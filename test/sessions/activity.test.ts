// The last activity of more sessions than a process remembers: what waits to be written grows with sessions, not with
// requests, and each session's is written.

import t from 'tap'
import type { Session } from '../../src/core/sessions.js'
import type { Store } from '../../src/core/store.js'
import { createActivity } from '../../src/sessions/activity.js'
import { createMemoryStore } from '../../src/store/memory/store.js'
import { createTestClock } from '../parts/clock.js'
import { silent } from '../parts/store-backends.js'
import { until } from '../parts/wait-until.js'

const count = 60_000
const idle = 4000

const sessionAt = (began: number, handle: string): Session => ({
  ...{ handle, provider: 'corp', createdAt: began, seenAt: began, endsAt: began + 86_400_000 },
  agent: { email: 'a@example.com', roles: [] },
  from: { address: '', browser: '' },
})

t.test('sixty thousand sessions with ten requests each', async t => {
  const clock = createTestClock()
  const inner = createMemoryStore({ clock })
  let gets = 0
  const store: Store = {
    ...inner,
    get(key) {
      gets++
      return inner.get(key)
    },
  }
  const activity = createActivity({ store, clock, idle, log: silent })
  const began = clock.now()
  const sessionOf = (handle: string) => sessionAt(began, handle)
  const handles = Array.from({ length: count }, (_, index) => `h${index}`)
  for (const handle of handles) await inner.set(`a:${handle}`, Buffer.from(String(began)), idle)
  clock.move(500)
  for (let request = 0; request < 10; request++) for (const handle of handles) activity.touch(sessionOf(handle))
  t.equal(gets, 0, 'no request writes or reads anything')
  t.equal(activity.seenHere('h0'), clock.now(), 'the activity of a session that is not remembered counts here')
  activity.forget('h1')
  clock.move(500)
  await until(() => gets >= count - 1)
  await until(async () => (await inner.get(`a:${handles.at(-1)}`))?.toString() === String(began + 500))
  t.equal(gets, count - 1, 'each session is written once, and one that has ended is not')
  t.equal((await inner.get('a:h0'))?.toString(), String(began + 500))
  t.equal((await inner.get('a:h1'))?.toString(), String(began))
})

t.test(
  'the activity of one moment is written at once for the first session, and soon for all that have not ended',
  async t => {
    const clock = createTestClock()
    const store = createMemoryStore({ clock })
    const activity = createActivity({ store, clock, idle, log: silent })
    const began = clock.now()
    const written = async (handle: string) => (await store.get(`a:${handle}`))?.toString()
    clock.move(2000)
    for (const handle of ['first', 'second', 'ended', 'last']) activity.touch(sessionAt(began, handle))
    activity.forget('ended')
    t.equal(await written('first'), String(clock.now()))
    t.equal(await written('second'), undefined)
    await until(async () => (await written('last')) === String(clock.now()))
    t.equal(await written('second'), String(clock.now()))
    t.equal(await written('ended'), undefined)
  },
)
