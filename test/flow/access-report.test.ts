// `deskgate access` against a running gateway: twenty planted cases, each explained as it is decided; and the report.

import t from 'tap'
import { type AccessArguments, type AccessOptions, access } from '../../src/cli/commands/access.js'
import type { AccessFacts } from '../../src/ops/api/access.js'
import { createTestClock } from '../parts/clock.js'
import { startDesk } from '../parts/desk.js'
import { startInProcessGateway } from '../parts/gateway.js'
import { createIdentityProvider, logIn } from '../parts/identity-provider.js'
import { createUserAgent } from '../parts/user-agent.js'

const publicUrl = 'https://desk.example.com'
const adminToken = 'an-admin-token-that-is-long-enough-for-it'
const agents = `
- { email: ada@example.com, roles: [agent, admin] }
- { email: bob@example.com, roles: [agent] }
- { email: cyd@example.com, roles: [] }
- { email: dee@partner.example, roles: [agent] }
- { email: off@example.com, active: false, roles: [admin] }
- { email: "=cmd@example.com", roles: [lead] }
`
const clock = createTestClock()
const idp = createIdentityProvider({ publicUrl, clock })
const desk = await startDesk()
const gateway = await startInProcessGateway(
  {
    publicUrl,
    desk: { url: desk.url, public: ['GET /assets/*'] },
    providers: [
      { ...idp.settings.corp, allow: { roles: ['agent', 'admin'] } },
      { ...idp.settings.portal, allow: { domains: ['example.com', 'other.example'] } },
    ],
    agents: [{ file: 'agents.yaml' }, { domains: ['other.example'] }],
    access: {
      paths: [
        { match: '/admin/*', roles: ['admin'] },
        { match: 'DELETE /tickets/*', roles: ['admin', 'lead'] },
        { match: '/payroll', emails: ['bob@example.com'] },
        { match: '/partners/*', domains: ['partner.example'] },
        { match: '/corp/*', providers: ['corp'] },
        { match: '/inside/*', from: ['10.0.0.0/8'] },
        { match: '/admin/keys', providers: ['corp'], emails: ['ada@example.com'] },
      ],
    },
    ops: { adminToken },
  },
  { clock, files: { 'idp.crt': idp.certificate, 'agents.yaml': agents } },
)
t.teardown(async () => {
  await gateway.close()
  await desk.close()
})

async function run(asked: AccessArguments, options: AccessOptions = {}) {
  const [out, err]: [string[], string[]] = [[], []]
  const io = {
    env: { DESKGATE_ADMIN_TOKEN: adminToken },
    out: (line: string) => void out.push(line),
    err: (line: string) => void err.push(line),
  }
  const code = await access(asked, { ops: gateway.opsUrl, ...options }, io)
  return { code, out, err: err.join('\n') }
}

/** Agent, request, from; exit code; outcome by corp and by portal; the rules that keep out, or why a login is refused. */
const cases: [string, string, string | undefined, 0 | 1, string, string, RegExp | undefined][] = [
  ['ada@example.com', 'GET /tickets/1', undefined, 0, 'allowed', 'allowed', undefined],
  ['ada@example.com', 'GET /admin/users', undefined, 0, 'allowed', 'allowed', undefined],
  ['Ada@Example.COM', 'GET /Admin%2Fusers', undefined, 0, 'allowed', 'allowed', undefined],
  ['ada@example.com', 'GET /admin/keys', undefined, 0, 'allowed', 'forbidden', undefined],
  ['ada@example.com', 'GET /payroll', undefined, 1, 'forbidden', 'forbidden', /\/payroll: not met \(emails\)/],
  ['bob@example.com', 'GET /admin/users', undefined, 1, 'forbidden', 'forbidden', /\/admin\/\*: not met \(roles\)/],
  ['bob@example.com', 'GET /admin', undefined, 1, 'forbidden', 'forbidden', /\/admin\/\*: not met \(roles\)/],
  ['bob@example.com', 'GET /payroll', undefined, 0, 'allowed', 'allowed', undefined],
  ['bob@example.com', 'DELETE /tickets/1', undefined, 1, 'forbidden', 'forbidden', /DELETE \/tickets\/\*/],
  ['bob@example.com', 'PATCH /tickets/1', undefined, 0, 'allowed', 'allowed', undefined],
  ['bob@example.com', 'GET /corp/news', undefined, 0, 'allowed', 'forbidden', undefined],
  ['bob@example.com', 'GET /inside/x', undefined, 1, 'forbidden', 'forbidden', /\/inside\/\*: not met \(from\)/],
  ['bob@example.com', 'GET /inside/x', '10.1.2.3', 0, 'allowed', 'allowed', undefined],
  ['bob@example.com', 'GET /inside/x', '192.0.2.7', 1, 'forbidden', 'forbidden', /not met \(from\)/],
  [
    'cyd@example.com',
    'GET /corp/news',
    undefined,
    1,
    'allowed',
    'forbidden',
    /corp: role may log in with this provider.*no role/,
  ],
  ['dee@partner.example', 'GET /partners/1', undefined, 0, 'allowed', 'allowed', undefined],
  ['off@example.com', 'GET /', undefined, 1, '', '', /inactive/],
  ['eve@example.com', 'GET /', undefined, 1, '', '', /unknown/],
  ['bob@example.com', 'GET /assets/desk.css', undefined, 0, 'public', 'public', undefined],
  ['ada@example.com', 'GET /auth/session', undefined, 1, 'gateway', 'gateway', /gateway/],
]

t.test('twenty planted cases', async t => {
  t.equal(cases.length, 20)
  for (const [email, request, from, code, corp, portal, why] of cases) {
    const [method, path] = request.split(' ')
    const options = { json: true, ...(from === undefined ? {} : { from }) }
    const result = await run({ email, method, path }, options)
    const name = `${email} ${request} ${from ?? ''}`
    const facts = JSON.parse(result.out[0] ?? '') as AccessFacts
    t.equal(result.code, code, name)
    t.equal(facts.allowed, code === 0, name)
    t.same(
      facts.ways.map(({ outcome }) => outcome),
      corp === '' ? [] : [corp, portal],
      name,
    )
    if (why) t.match(result.err, why, name)
    else t.equal(result.err, '', name)
  }
})

t.test('each answer is that of a request with a session', async t => {
  for (const [email, request, from, , corp] of cases.filter(one => one[4] === 'allowed' || one[4] === 'forbidden')) {
    const agent = createUserAgent(publicUrl, gateway)
    const page = await logIn(agent, idp, { way: 'corp', email })
    if (page.status !== 303 || from !== undefined) continue
    const [method = '', path = ''] = request.split(' ')
    t.equal((await agent.fetch(path, { method })).status === 403, corp === 'forbidden', `${email} ${request}`)
  }
})

t.test('without a request: source, roles and where they come from, the ways in, the closed paths', async t => {
  const { code, out } = await run({ email: 'bob@example.com' })
  t.equal(code, 0)
  const text = out.join('\n')
  t.match(text, /state +an active agent\nsource +file .*agents\.yaml/)
  t.match(text, /provider +corp\nlogin +accepted\nroles +agent \(from file .*agents\.yaml\)/)
  t.match(text, /rule +\/admin\/\*: not met \(roles\)/)
  t.match(text, /rule +DELETE \/tickets\/\*: not met \(roles\)/)
  t.notMatch(text, /rule +\/payroll/)
  const partner = (await run({ email: 'dee@partner.example' })).out.join('\n')
  t.match(
    partner,
    /provider +portal\nlogin +refused: domain may log in with this provider.*providers\[\]\.allow\.domains/,
  )
})

t.test('roles that only a provider states: those of the live session, else unknown until the login', async t => {
  const email = 'guest@other.example'
  const before = (await run({ email, method: 'GET', path: '/admin/x' })).out.join('\n')
  t.match(before, /source +domains/)
  t.match(before, /roles +none \(from the provider, at the login: domains states none\)/)
  const agent = createUserAgent(publicUrl, gateway)
  const { path, fields } = await idp.jwt(email, undefined, { roles: ['admin'] })
  t.equal((await agent.postCrossSite(path, fields)).status, 303)
  const { code, out } = await run({ email, method: 'get', path: '/admin/x' })
  t.equal(code, 0)
  t.match(out.join('\n'), /provider +portal\nlogin +accepted\nroles +admin \(from the provider, at the login of 2026-/)
  t.equal((await agent.fetch('/admin/x')).status, 200)
})

t.test('the report: everybody who is listed, as lines, JSON and CSV', async t => {
  const lines = await run({}, { report: true })
  t.equal(lines.code, 0)
  t.equal(lines.out.length, 11, 'five agents by two providers, and one who is inactive')
  const rows = (await run({}, { report: true, json: true })).out.map(line => JSON.parse(line) as AccessFacts)
  t.same(rows.map(({ state }) => state).sort(), ['active', 'active', 'active', 'active', 'active', 'disabled'])
  const csv = (await run({}, { report: true, csv: true })).out
  t.match(csv[0], '"agent","state","source","provider","login","roles"')
  t.equal(csv.length, 12)
  t.ok(
    csv.some(line => line.startsWith(`"'=cmd@example.com"`)),
    'Attack: no formula',
  )
})

t.test('wrong usage, and a request that the API refuses', async t => {
  const wrong: [AccessArguments, AccessOptions][] = [
    [{}, {}],
    [{ email: 'bob@example.com' }, { report: true }],
    [{ email: 'bob' }, {}],
    [{ email: 'bob@example.com', method: 'GET' }, {}],
    [{ email: 'bob@example.com', method: 'GET', path: 'admin' }, {}],
    [{ email: 'bob@example.com' }, { csv: true }],
    [{ email: 'bob@example.com' }, { from: '10.0.0.1' }],
    [{}, { report: true, csv: true, json: true }],
  ]
  for (const [asked, options] of wrong) t.equal((await run(asked, options)).code, 2)
  const headers = { authorization: `Bearer ${adminToken}` }
  for (const query of [
    'agent=bob',
    'request=GET%20/',
    'agent=a%40b.c&request=/x',
    'agent=a%40b.c&from=1.2.3.4',
    'x=1',
  ]) {
    t.equal((await fetch(`${gateway.opsUrl}/api/access?${query}`, { headers })).status, 400, query)
  }
  t.equal((await fetch(`${gateway.opsUrl}/api/access`)).status, 401)
})
