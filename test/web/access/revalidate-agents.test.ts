// Sessions against the directory: whose word is newer, what a session becomes, and which one has to end.

import t, { type Test } from 'tap'
import type { AgentRecord, Directory, KnownState } from '../../../src/core/directory.js'
import type { Revalidate, Session } from '../../../src/core/sessions.js'
import { createMemoryStore } from '../../../src/store/memory/store.js'
import { createRevalidate } from '../../../src/web/access/revalidate-agents.js'
import { createTestClock } from '../../parts/clock.js'
import { startLoginServer } from '../../parts/login-server.js'
import { createTestSessions } from '../../parts/sessions.js'
import { until } from '../../parts/wait-until.js'

const at = 1_000_000
const session: Session = {
  handle: 'h'.repeat(43),
  agent: { email: 'ada@example.com', id: '7', name: 'Ada', roles: ['agent'] },
  provider: 'portal',
  createdAt: at,
  endsAt: at + 1_000_000,
  seenAt: at,
  idpClaims: { name: 'From the IdP', roles: ['staff'] },
  from: { address: '', browser: '' },
}

function revalidated(
  known: KnownState | undefined,
  allow = { roles: [] as string[], domains: [] as string[] },
  reviewed = session,
) {
  const identity = { headerBytes: (agent: { roles: string[] }) => agent.roles.join().length } as never
  const config = { providers: [{ id: 'portal', allow }] } as never
  const directory = { find: () => Promise.reject(new Error('not asked')), knownState: () => known }
  return createRevalidate(() => ({ directory, identity, config }))(reviewed)
}

t.test('an answer of the directory counts only when it is newer than the login', async t => {
  const found: AgentRecord = { email: 'ada@example.com', id: '8', roles: ['admin'] }
  t.match(revalidated({ found, at: at + 1 }), {
    agent: { id: '8', roles: ['admin'], name: 'From the IdP' },
    handle: session.handle,
  })
  t.equal(revalidated({ found, at }), session)
  t.equal(revalidated({ found: 'unknown', at: at - 1 }), session, 'another replica knew of a new agent first')
  t.match(revalidated({ found: 'unknown', at: at + 1 }), { over: /does not know/ })
  t.match(revalidated({ found: 'disabled', at: at + 1 }), { over: /inactive/ })
  t.equal(revalidated(undefined), session, 'a directory that cannot answer ends nothing')
})

t.test('what has not changed is the very same session', async t => {
  t.equal(revalidated({ found: { ...session.agent }, at: at + 1 }), session)
})

t.test('Attack: a value that the directory no longer states is dropped; the IdP claim applies again', async t => {
  const reviewed = revalidated({ found: { email: 'ada@example.com' }, at: at + 1 }) as Session
  t.same(reviewed.agent, { email: 'ada@example.com', name: 'From the IdP', roles: ['staff'] })
})

t.test('attributes and the ID of the login stay when the directory states something else', async t => {
  const attributes = { 'X-Agent-Department': ['Sales'] }
  const agent = { ...session.agent, attributes }
  const rich: Session = { ...session, agent, idpClaims: { id: '99', name: 'From the IdP', roles: ['staff'] } }
  const found: AgentRecord = { email: 'ada@example.com', roles: ['admin'] }
  const changed = revalidated({ found, at: at + 1 }, undefined, rich) as Session
  t.same(changed.agent, { email: 'ada@example.com', id: '99', name: 'From the IdP', roles: ['admin'], attributes })
  const same: AgentRecord = { email: 'ada@example.com', id: '7', name: 'Ada', roles: ['agent'] }
  t.equal(
    revalidated({ found: same, at: at + 1 }, undefined, rich),
    rich,
    'and what has not changed is the same session',
  )
})

t.test('providers[].allow and the size of the headers stay in force, also while the directory is away', async t => {
  t.match(revalidated(undefined, { roles: ['admin'], domains: [] }), { over: /providers\[\]\.allow\.roles/ })
  t.match(revalidated(undefined, { roles: [], domains: ['example.org'] }), { over: /providers\[\]\.allow\.domains/ })
  t.equal(revalidated(undefined, { roles: ['agent'], domains: ['example.com'] }), session)
  const heavy = { email: 'ada@example.com', roles: ['x'.repeat(9000)] }
  t.match(revalidated({ found: heavy, at: at + 1 }), { over: /fits the headers/ })
})

t.test('a session that is read is checked before it is used, and one that is over ends for everybody', async t => {
  const clock = createTestClock()
  const store = createMemoryStore({ clock })
  const settings = { idle: 3_600_000, lifetime: 3_600_000 }
  let revalidate: Revalidate = one => ({ ...one, agent: { ...one.agent, roles: ['admin'] } })
  const here = createTestSessions({ store, clock, settings })
  const there = createTestSessions({ store, clock, settings, revalidate: one => revalidate(one) })
  const identity = { provider: 'portal', email: 'ada@example.com', replayKey: { id: '1', until: 0 }, roles: ['staff'] }
  const from = { address: '', browser: '' }
  const { session } = await here.sessions.create(identity, { email: 'ada@example.com', roles: ['agent'] }, from)
  t.match(await there.sessions.read(session.handle), { agent: { roles: ['admin'] }, idpClaims: { roles: ['staff'] } })
  t.match(there.sessions.peek(session.handle), { agent: { roles: ['admin'] } })
  t.match(await here.sessions.read(session.handle), { agent: { roles: ['agent'] } }, 'the record is as it was')
  revalidate = async one => ({ ...one, agent: { ...one.agent, roles: ['lead'] } })
  await there.sessions.revalidateAll()
  t.match(there.sessions.peek(session.handle), { agent: { roles: ['lead'] } })
  clock.move(40_000)
  revalidate = () => ({ over: 'gone' })
  t.equal(await there.sessions.read(session.handle), undefined)
  await until(() => here.revocationReasons(session.handle).length > 0 && there.audits.length > 0)
  t.equal(here.sessions.peek(session.handle), undefined)
  t.same(here.revocationReasons(session.handle), ['gone'])
  t.match(there.audits.at(-1), { event: 'session_ended', agent: 'ada@example.com', why: 'gone' })
})

async function overtaken(t: Test, found: 'unknown' | 'disabled') {
  const directory: Directory = {
    find: async email => ({ email, roles: [] }),
    knownState: () => ({ found, at: 0 }),
  }
  const gate = await startLoginServer({ directory })
  t.teardown(gate.close)
  const browser = gate.browser()
  const answer = await browser.post('/auth/jwt', { jwt: await gate.token() })
  t.equal(answer.statusCode, 403)
  t.notOk([...browser.cookies.keys()].includes('__Host-deskgate'))
  t.same((await gate.sessions.list('all')).items, [])
  t.match(gate.events.at(-1), { event: 'login_refused', reason: `agent.${found}` })
}

t.test('Attack: a login that overtakes its own end leaves no session', async t => {
  await overtaken(t, 'unknown')
  await overtaken(t, 'disabled')
})
