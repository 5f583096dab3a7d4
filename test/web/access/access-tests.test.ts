// `tests` of the configuration: a rule that became wider, or narrower, makes one fail, in `check` and at a reload.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { check } from '../../../src/cli/commands/check.js'
import { loadWithMetadata } from '../../../src/cli/commands/configuration.js'
import { formatProblem } from '../../../src/config/problems.js'
import { accessTestFindings } from '../../../src/web/access/access-tests.js'
import { loadValid, settings } from '../../parts/configuration.js'
import { writeConfiguration } from '../../parts/gateway.js'

const agents = `
- { email: ada@example.com, roles: [admin] }
- { email: bob@example.com, roles: [agent] }
- { email: off@example.com, roles: [admin], active: false }
`
const base = {
  agents: [{ file: 'agents.yaml' }],
  access: {
    paths: [
      { match: '/admin/*', roles: ['admin'] },
      { match: '/payroll/*', emails: ['ada@example.com'], roles: ['admin'] },
    ],
  },
}
const tests = [
  { agent: 'ada@example.com', request: 'GET /admin/x', expect: 'allowed' },
  { agent: 'bob@example.com', request: 'GET /admin/x', expect: 'forbidden' },
  { agent: 'bob@example.com', request: 'GET /Admin%2Fx', expect: 'forbidden' },
  { agent: 'bob@example.com', roles: ['admin'], request: 'DELETE /payroll/1', expect: 'forbidden' },
  { agent: 'off@example.com', request: 'GET /', expect: 'forbidden' },
  { agent: 'eve@example.com', request: 'GET /', expect: 'forbidden' },
  { agent: 'bob@example.com', request: 'GET /tickets', expect: 'allowed' },
]
const failures = (changes: object = {}, files = { 'agents.yaml': agents }) =>
  accessTestFindings(loadValid(settings({ ...base, tests, ...changes }), { files, env: {} })).map(
    ({ path, message }) => `${path.join('.')}: ${message}`,
  )

t.test('tests that hold say nothing', async t => {
  t.same(failures(), [])
  t.same(failures({ tests: [] }), [])
})

t.test('planted widenings fail, each in its way', async t => {
  const paths = base.access.paths
  const widenings: [string, object, RegExp][] = [
    ['a rule is gone', { access: { paths: paths.slice(1) } }, /tests\.1: expects forbidden, but it is allowed/],
    ['one more role', { access: { paths: [{ match: '/admin/*', roles: ['admin', 'agent'] }, paths[1]] } }, /tests\.1/],
    ['a narrower match', { access: { paths: [{ match: '/admin/y*', roles: ['admin'] }, paths[1]] } }, /tests\.1/],
    ['a method', { access: { paths: [{ match: 'POST /admin/*', roles: ['admin'] }, paths[1]] } }, /tests\.1/],
    ['one kind less', { access: { paths: [paths[0], { match: '/payroll/*', roles: ['admin'] }] } }, /tests\.3/],
    ['a public path', { desk: { url: 'http://desk.internal:3000', public: ['/admin/*'] } }, /tests\.1: .*public/],
    ['everybody is an agent', { agents: [{ any: true }] }, /tests\.4.*\n.*tests\.5|tests\.4/],
  ]
  for (const [name, changes, expected] of widenings) t.match(failures(changes).join('\n'), expected, name)
  const promoted = agents.replace('[agent]', '[agent, admin]')
  t.match(failures({}, { 'agents.yaml': promoted }).join('\n'), /tests\.1: expects forbidden/, 'an agents file')
  const back = agents.replace(', active: false', '')
  t.match(failures({}, { 'agents.yaml': back }).join('\n'), /tests\.4: expects forbidden/, 'an agent who is back')
})

t.test('what became narrower fails too, and a source that is not asked needs roles', async t => {
  const closed = { access: { paths: [{ match: '/*', roles: ['admin'] }] } }
  t.match(failures(closed).join('\n'), /tests\.6: expects allowed, but it is forbidden/)
  const nobody = [{ agent: 'eve@example.com', request: 'GET /', expect: 'allowed' }]
  t.match(failures({ tests: nobody }).join('\n'), /no source knows the agent/)
  const http = [{ http: { url: 'https://desk.internal/users', map: { email: '/email' } } }]
  t.match(failures({ agents: http }).join('\n'), /tests\.0: roles is missing: a test does not query agents\.http/)
})

t.test('Attack: a test that would pass whatever the rules say is refused', t => {
  const forbidden = (agent: string, request: string, more: object = {}) => [
    { agent, request, expect: 'forbidden', ...more },
  ]
  const eve = forbidden('eve@example.com', 'GET /admin/x')
  for (const agents of [[{ any: true }], [{ domains: ['example.com'] }], [{ file: 'agents.yaml' }]]) {
    const files = { 'agents.yaml': '- { email: eve@example.com }' }
    t.match(failures({ agents, tests: eve }, files), [
      'tests.0: roles is missing: the directory states none for this agent',
    ])
    t.same(failures({ agents, tests: forbidden('eve@example.com', 'GET /admin/x', { roles: ['agent'] }) }, files), [])
  }
  const office = { match: '/office/*', from: ['10.0.0.0/8'] }
  const access = { paths: [...base.access.paths, office, { match: '/office/ada/*', emails: ['ada@example.com'] }] }
  const trustedProxies = ['192.0.2.1/32']
  const said = (request: string) => failures({ access, trustedProxies, tests: forbidden('bob@example.com', request) })
  t.match(said('GET /office/1'), [/^tests\.0: this test proves nothing: only `from` forbids the request/])
  t.same(said('GET /office/ada/1'), [], 'another kind forbids it as well')
  t.same(said('GET /auth/session'), [], 'a path of the gateway is no way to Desk')
  t.end()
})

t.test('`check` fails at the place of the test, and so does a reload', async t => {
  const written = settings({ ...base, tests, access: { paths: base.access.paths.slice(1) } })
  const { folder, file } = await writeConfiguration(written, { 'agents.yaml': agents })
  const [out, err]: [string[], string[]] = [[], []]
  const io = { env: {}, out: (line: string) => void out.push(line), err: (line: string) => void err.push(line) }
  t.equal(await check({ config: file }, io), 1)
  t.match(err.join('\n'), /deskgate\.yaml:\d+:\d+ tests\[1\]: expects forbidden, but it is allowed by providers\[0\]/)
  const running = loadValid(settings({ ...base, tests }), { files: { 'agents.yaml': agents } })
  const loaded = await loadWithMetadata(file, {}, { running })
  t.match('problems' in loaded ? loaded.problems.map(formatProblem).join('\n') : '', /tests\[1\]: expects forbidden/)
  await writeFile(join(folder, 'deskgate.yaml'), JSON.stringify(settings({ ...base, tests }), null, 1))
  t.ok('config' in (await loadWithMetadata(file, {}, { running })))
})
