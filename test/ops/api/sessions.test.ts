// What an operator asks the ops API of sessions: the list page by page, revocations by name, and what to send when it was wrong.

import t, { type Test } from 'tap'
import { StoreUnavailable } from '../../../src/core/errors.js'
import type { Store } from '../../../src/core/store.js'
import { adminToken, openOpsSessions } from '../../parts/ops-sessions.js'
import { until } from '../../parts/wait-until.js'

const hour = 3_600_000

function open(t: Test, change?: (store: Store) => Partial<Store>) {
  const ops = openOpsSessions(t, change)
  const ask = async (url: string, method: 'GET' | 'DELETE' = 'GET') => {
    const answer = await ops.app.inject({ url, method, headers: { authorization: `Bearer ${adminToken}` } })
    const { statusCode: status, headers } = answer
    return { status, type: headers['content-type'], retry: headers['retry-after'], text: answer.body, ...answer.json() }
  }
  return { ...ops, ask }
}

t.test('who has no token sees and ends nothing', async t => {
  const { app, sessions, logIn } = open(t)
  const { session } = await logIn('ada@example.com')
  for (const [method, url] of [
    ['GET', '/api/sessions'],
    ['DELETE', '/api/sessions?all=true'],
    ['DELETE', `/api/sessions/${session.handle}`],
  ] as const) {
    t.equal((await app.inject({ method, url })).statusCode, 401, `${method} ${url}`)
  }
  t.equal((await sessions.list('all')).items.length, 1)
})

t.test('the list says what an operator has to know, and no cookie', async t => {
  const { ask, logIn, clock, sessions } = open(t)
  const { cookie, session } = await logIn('ada@example.com', { name: 'Ada' })
  const at = clock.now()
  clock.move(hour)
  sessions.touch(session)
  const answer = await ask('/api/sessions')
  t.same(answer.sessions, [
    {
      handle: session.handle,
      agent: 'ada@example.com',
      name: 'Ada',
      provider: 'corp',
      created: new Date(at).toISOString(),
      lastSeen: new Date(at + hour).toISOString(),
      end: new Date(at + 9 * hour).toISOString(),
      address: '192.0.2.7',
      browser: 'Firefox on Linux',
    },
  ])
  t.equal(answer.cursor, null)
  t.notMatch(answer.text, cookie)
})

t.test('all of them page by page, or those of one agent', async t => {
  const { ask, logIn } = open(t)
  const handles = new Set<string>()
  for (let i = 0; i < 230; i++) handles.add((await logIn(`agent${i % 23}@example.com`)).session.handle)
  const seen: string[] = []
  let [pages, cursor]: [number, string | null] = [0, null]
  do {
    const page: { sessions: { handle: string }[]; cursor: string | null } = await ask(
      `/api/sessions${cursor === null ? '' : `?cursor=${encodeURIComponent(cursor)}`}`,
    )
    seen.push(...page.sessions.map(({ handle }) => handle))
    cursor = page.cursor
    pages++
  } while (cursor !== null)
  t.equal(pages, 3)
  t.equal(seen.length, 230)
  t.same(new Set(seen), handles)
  const one = await ask('/api/sessions?agent=Agent7%40EXAMPLE.com')
  t.same([...new Set(one.sessions.map(({ agent }: { agent: string }) => agent))], ['agent7@example.com'])
  t.equal(one.sessions.length, 10)
  t.same((await ask('/api/sessions?agent=nobody@example.com')).sessions, [])
  t.same(await ask('/api/sessions?agent=&cursor='), await ask('/api/sessions'), 'an empty value is none')
})

t.test('a revocation is of one, of an agent, or of all; the audit log says who asked', async t => {
  const { ask, logIn, sessions, audits } = open(t)
  const { session } = await logIn('ada@example.com')
  for (let i = 0; i < 3; i++) await logIn('ada@example.com')
  for (let i = 0; i < 2; i++) await logIn('bob@example.com')
  const end = async (which: string) => {
    const { status, ended, replication } = await ask(`/api/sessions${which}`, 'DELETE')
    return { status, ended, replication, left: (await sessions.list('all')).items.length }
  }
  t.same(await end(`/${session.handle}`), { status: 200, ended: 1, replication: 'single', left: 5 })
  t.same(await end(`/${session.handle}`), { status: 200, ended: 0, replication: 'single', left: 5 })
  t.same(await end('?agent=ada%40example.com'), { status: 200, ended: 3, replication: 'single', left: 2 })
  t.same(await end('?all=true'), { status: 200, ended: 2, replication: 'single', left: 0 })
  t.equal(audits.length, 6)
  for (const event of audits) t.match(event, { event: 'session_ended', why: 'ended by an operator', by: 'ops' })
})

t.test('a revocation without a clear choice ends nothing, and says what to send', async t => {
  const { ask, logIn, sessions } = open(t)
  const { session } = await logIn('ada@example.com')
  const { handle } = session
  const cases: [string, RegExp][] = [
    ['', /HANDLE.*agent=EMAIL.*all=true/],
    ['?', /HANDLE/],
    ['?all=true&agent=ada@example.com', /exactly one/],
    ['?agent=', /e-mail address/],
    ['?agent=ada', /e-mail address/],
    ['?agent=ada@example.com&agent=bob@example.com', /one e-mail address/],
    ['?all=1', /all is true/],
    ['?all=', /all is true/],
    ['?all=false', /all is true/],
    ['?all=true&all=true', /all is true/],
    ['?all=true&agnet=ada@example.com', /Unknown query parameter/],
    ['?ALL=true', /Unknown query parameter/],
    ['?__proto__=x', /HANDLE|Unknown query parameter/],
    [`?handle=${handle}`, /Unknown query parameter/],
    ['/', /43 characters/],
    [`/${handle.slice(1)}`, /43 characters/],
    [`/${handle}x`, /43 characters/],
    [`/${handle}?all=true`, /takes nothing/],
    [`/${'x'.repeat(42)}*`, /43 characters/],
  ]
  for (const [which, detail] of cases) {
    const answer = await ask(`/api/sessions${which}`, 'DELETE')
    t.match(answer, { status: 400, type: /problem\+json/, title: 'Bad request', detail }, which)
  }
  for (const query of ['agent=x', 'agent=a@example.com&agent=b@example.com', 'cursor=%00', 'agnet=a', 'all=true']) {
    t.match(await ask(`/api/sessions?${query}`), { status: 400, type: /problem\+json/, detail: /./ }, query)
  }
  t.equal((await sessions.list('all')).items.length, 1)
})

t.test('while the store is down it acts here at once, says so, and is written afterwards', async t => {
  let down = false
  const failing = (store: Store, name: 'get' | 'delete' | 'indexPage') => ({
    [name]: (...args: never[]) =>
      down
        ? Promise.reject(new StoreUnavailable('down'))
        : (store[name] as (...args: never[]) => Promise<unknown>)(...args),
  })
  const { ask, logIn, sessions, audits } = open(t, store => ({
    ...failing(store, 'get'),
    ...failing(store, 'delete'),
    ...failing(store, 'indexPage'),
  }))
  const { session } = await logIn('ada@example.com')
  down = true
  const answer = await ask('/api/sessions?agent=ada%40example.com', 'DELETE')
  t.match(answer, { status: 503, type: /problem\+json/, retry: '5', detail: /in force in this process.*queued/ })
  t.equal(sessions.peek(session.handle), undefined)
  t.match(await ask('/api/sessions'), { status: 503, type: /problem\+json/, title: 'The store does not answer' })
  down = false
  // The queued revocation is tried again after a pause; until then it blocks the one session that it means.
  await until(async () => (await sessions.read(session.handle).catch(() => 'blocked')) === undefined, 15_000)
  t.match(audits, [{ event: 'session_ended', by: 'ops' }])
  t.same((await ask('/api/sessions')).sessions, [])
})

t.test('it says when a failover could bring the session back', async t => {
  const { ask, logIn } = open(t, () => ({ replication: async () => 'not replicated' as const }))
  await logIn('ada@example.com')
  t.match(await ask('/api/sessions?all=true', 'DELETE'), { status: 200, ended: 1, replication: 'not replicated' })
})
