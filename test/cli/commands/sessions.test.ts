// `deskgate sessions` as an operator types it: what it prints, where, and how it ends.

import t, { type Test } from 'tap'
import {
  type ListOptions,
  listSessions,
  type RevokeOptions,
  revokeSessions,
} from '../../../src/cli/commands/sessions.js'
import { StoreUnavailable } from '../../../src/core/errors.js'
import type { Store } from '../../../src/core/store.js'
import { runDeskgate } from '../../parts/command.js'
import { adminToken, openOpsSessions } from '../../parts/ops-sessions.js'
import { freePort } from '../../parts/ports.js'

async function open(t: Test, change?: (store: Store) => Partial<Store>) {
  const gateway = openOpsSessions(t, change)
  const ops = await gateway.listen()
  const typed = async (what: (io: Parameters<typeof listSessions>[1]) => Promise<number>, token = adminToken) => {
    const [out, err]: [string[], string[]] = [[], []]
    const env = { DESKGATE_ADMIN_TOKEN: token }
    const code = await what({ env, out: line => void out.push(line), err: line => void err.push(line) })
    return { code, out, err }
  }
  return {
    ...gateway,
    ops,
    list: (options: ListOptions = {}, token?: string) => typed(io => listSessions({ ops, ...options }, io), token),
    revoke: (options: RevokeOptions, token?: string) => typed(io => revokeSessions({ ops, ...options }, io), token),
  }
}

t.test('list is a table of all pages, and shows what came from outside escaped', async t => {
  const { list, logIn } = await open(t)
  t.same(await list(), { code: 0, out: ['no live session'], err: [] })
  const { session } = await logIn('ada@example.com', { browser: 'evil\u001b[2J\u202e' })
  for (let i = 0; i < 120; i++) await logIn('bob@example.com')
  const { code, out, err } = await list({ wide: true })
  t.same({ code, err }, { code: 0, err: [] })
  t.equal(out.length, 1 + 121 + 1)
  t.match(out[0], /^HANDLE {39}AGENT {12}PROVIDER {2}CREATED {12}LAST SEEN {10}ENDS {15}ADDRESS {4}BROWSER$/)
  const mine = out.find(line => line.startsWith(session.handle)) ?? ''
  t.match(
    mine,
    / {2}ada@example\.com {2}corp {6}2026-11-22 00:00Z {2}2026-11-22 00:00Z {2}2026-11-22 08:00Z {2}192\.0\.2\.7 {2}/,
  )
  t.match(mine, /evil\\u\{1b\}\[2J\\u\{202e\}$/)
  t.equal(out.at(-1), '121 live sessions')
  t.match(await list({ agent: 'Ada@example.com' }), { code: 0, out: { length: 3, 2: '1 live session' } })
})

t.test('list fits 120 columns, whatever the values are', async t => {
  const { list, logIn } = await open(t)
  await logIn('ada@example.com')
  await logIn(`${'a-very-long-name'.repeat(4)}@${'department.'.repeat(8)}example.com`, { browser: 'x'.repeat(300) })
  await logIn('zoe@example.com', { browser: 'evil\u001b[2J\u202e' })
  const { out } = await list()
  t.match(out[0], /^HANDLE {39}AGENT +PROVIDER +LAST SEEN +ENDS$/)
  for (const line of out) t.ok(line.length <= 120, `${line.length}: ${line}`)
  t.match(
    out.find(line => line.includes(' ada@')),
    / ada@example\.com +corp +11-22 00:00Z +11-22 08:00Z$/,
  )
  t.match(
    out.find(line => line.includes('a-very')),
    / a-very-long-namea-very-lo… /,
  )
  t.ok(
    (await list({ wide: true })).out.some(line => line.length > 300),
    'and all of it with --wide',
  )
})

t.test('an agent that is not an address is told in the words of the command', async t => {
  const { list } = await open(t)
  for (const agent of ['ada', '', 'a b@example.com', '@example.com']) {
    t.match(await list({ agent }), { code: 2, out: [], err: [/^error: --agent takes one e-mail address/] }, agent)
  }
})

t.test('no live session: whose, and that nothing was ended', async t => {
  const { revoke } = await open(t)
  t.same((await revoke({ agent: 'zoe@example.com' })).out, ['no live session of zoe@example.com; nothing was ended'])
  t.same((await revoke({ all: true })).out, ['no live session; nothing was ended'])
})

t.test('list --json is one line of JSON for each session, and nothing else', async t => {
  const { list, logIn } = await open(t)
  for (let i = 0; i < 101; i++) await logIn('ada@example.com')
  const { out } = await list({ json: true })
  t.equal(out.length, 101)
  for (const line of out) t.match(JSON.parse(line), { handle: /^.{43}$/, agent: 'ada@example.com', end: /^2026-/ })
  t.same((await list({ json: true, agent: 'bob@example.com' })).out, [])
})

t.test('revoke ends one, those of an agent, or all, and says how many', async t => {
  const { revoke, logIn, sessions } = await open(t)
  const { session } = await logIn('ada@example.com')
  for (let i = 0; i < 2; i++) await logIn('ada@example.com')
  await logIn('bob@example.com')
  t.same(await revoke({ id: session.handle }), { code: 0, out: ['ended 1 session'], err: [] })
  t.same(await revoke({ id: session.handle }), {
    code: 0,
    out: [`no live session with the handle ${session.handle}; nothing was ended`],
    err: [],
  })
  t.same((await revoke({ agent: 'ada@example.com' })).out, ['ended 2 sessions'])
  t.equal((await sessions.list('all')).items.length, 1)
  t.same((await revoke({ all: true })).out, ['ended 1 session'])
})

t.test('revoke without exactly one choice is wrong usage, and ends nothing', async t => {
  const { revoke, logIn, sessions } = await open(t)
  const { session } = await logIn('ada@example.com')
  const { handle } = session
  const cases: RevokeOptions[] = [
    {},
    { agent: '' },
    { id: '' },
    { all: false },
    { agent: 'ada@example.com', all: true },
    { id: handle, agent: 'ada@example.com' },
    { id: handle, all: true },
  ]
  for (const options of cases) {
    const { code, out, err } = await revoke(options)
    t.same({ code, out }, { code: 2, out: [] }, JSON.stringify(options))
    t.same(err, ['error: give exactly one of --agent EMAIL, --id HANDLE and --all'])
  }
  const mistyped = [
    { agent: 'ada' },
    { agent: 'a@b@c' },
    { id: 'x' },
    { id: '../sessions?all=true' },
    { id: '.' },
    { id: 'ada@example.com' },
  ]
  for (const options of mistyped) {
    const { code, out, err } = await revoke(options)
    t.same({ code, out }, { code: 2, out: [] }, JSON.stringify(options))
    const takes =
      'agent' in options ? /^error: --agent takes one e-mail address/ : /^error: --id takes a handle: the 43/
    t.match(err, [takes])
    t.notMatch(err[0], /\/api|400|query|URL-encoded/, 'of the command, not of the API')
  }
  t.equal((await sessions.list('all')).items.length, 1)
})

t.test('it warns when a failover could bring the sessions back', async t => {
  const { revoke } = await open(t, () => ({ replication: async () => 'not replicated' as const }))
  const { code, err } = await revoke({ all: true })
  t.equal(code, 0)
  t.match(err, { length: 1, 0: /^warning: no replica of the session store has the revocation yet/ })
})

t.test('what stands in the way is said with what to do', async t => {
  const { list, revoke } = await open(t, () => ({
    indexPage: () => Promise.reject(new StoreUnavailable('down')),
  }))
  await t.rejects(list(), { message: 'the gateway answers 503: The store does not answer' })
  await t.rejects(revoke({ all: true }), { message: /^the gateway answers 503: .* in force in this process/ })
  await t.rejects(list({}, 'another token'), { message: /refuses the admin token: compare it with ops\.adminToken/ })
  await t.rejects(list({ ops: '127.0.0.1:9090' }), { message: /--ops takes the URL/ })
  const nobody = `http://127.0.0.1:${await freePort()}`
  await t.rejects(list({ ops: nobody }), { message: /no gateway answers at .*ECONNREFUSED/ })
})

t.test('as a process: exit codes and help', async t => {
  const nobody = `http://127.0.0.1:${await freePort()}`
  const env = { DESKGATE_ADMIN_TOKEN: adminToken }
  const [usage, unreachable, bare] = await Promise.all([
    runDeskgate(['sessions', 'revoke', '--ops', nobody], { env }),
    runDeskgate(['sessions', 'list', '--ops', nobody], { env }),
    runDeskgate(['sessions']),
  ])
  t.match(usage, { code: 2, stdout: '', stderr: /exactly one/ })
  t.match(unreachable, { code: 1, stdout: '', stderr: /^deskgate: no gateway answers/ })
  t.match(bare, { code: 2, stderr: /list .*[\s\S]*revoke / })
})
