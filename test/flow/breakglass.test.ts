// Break-glass from the command to Desk, over HTTP: once, for a while, on any replica, with every identity provider down.

import { hostname, userInfo } from 'node:os'
import t, { type Test } from 'tap'
import { breakglass } from '../../src/cli/commands/breakglass.js'
import { createTestClock } from '../parts/clock.js'
import { settings } from '../parts/configuration.js'
import { startDesk } from '../parts/desk.js'
import { type LogLine, startInProcessGateway } from '../parts/gateway.js'
import { startRedis } from '../parts/redis.js'
import { missingParts } from '../parts/required-parts.js'
import { createUserAgent } from '../parts/user-agent.js'
import { until } from '../parts/wait-until.js'

const publicUrl = 'https://desk.example.com'
const adminToken = 'the-admin-token-of-this-test-long-enough'
const agents = `
- { email: ada@example.com, id: "7", name: Ada }
- { email: bob@example.com, id: "8" }
`
/** Nothing answers there. */
const down = { id: 'corp', type: 'saml', name: 'Corp', metadata: 'http://127.0.0.1:1/metadata' }

async function open(t: Test, more: Record<string, unknown> = {}) {
  const clock = createTestClock()
  const desk = await startDesk()
  t.teardown(desk.close)
  const whole = {
    ...settings({ desk: { url: desk.url }, providers: [down], agents: [{ file: 'agents.yaml' }] }),
    ops: { adminToken },
    ...more,
  }
  const start = () => startInProcessGateway(whole, { clock, files: { 'agents.yaml': agents } })
  const gateway = await start()
  t.teardown(gateway.close)
  return { clock, desk, gateway, start, newAgent: () => createUserAgent(publicUrl, { port: gateway.port }) }
}

/** What the command prints. */
async function order(opsUrl: string, change: Record<string, string> = {}, env = { DESKGATE_ADMIN_TOKEN: adminToken }) {
  const [out, err]: string[][] = [[], []]
  const io = { env, out: (line: string) => void out?.push(line), err: (line: string) => void err?.push(line) }
  const options = { agent: 'ada@example.com', minutes: '30', reason: 'Okta is down', ops: opsUrl, ...change }
  const code = await breakglass(options, io)
  return { code, out: out ?? [], err: (err ?? []).join('\n'), path: (out?.[0] ?? '').replace(publicUrl, '') }
}

t.test('a link lets the agent in, once, and for no longer than it says', async t => {
  const { clock, desk, gateway, newAgent } = await open(t)
  const { code, out, err, path } = await order(gateway.opsUrl, { minutes: '30' })
  t.equal(code, 0)
  t.match(out, [/^https:\/\/desk\.example\.com\/auth\/breakglass\/[\w-]{43}$/])
  t.equal(out.length, 1, 'the link alone on stdout')
  t.match(err, /valid once, until 2026-11-22T00:15:00\.000Z; opens a session of at most 30 minutes as ada@example\.com/)
  const token = path.split('/').at(-1) ?? ''
  t.notMatch(err, token)

  const ada = newAgent()
  for (const asked of [{}, { headers: { 'sec-purpose': 'prefetch' } }, { method: 'HEAD' }]) {
    const page = await ada.visit(path, asked)
    t.equal(page.status, 200)
    t.same(page.setCookies, [])
    t.match(page.headers, { 'referrer-policy': 'strict-origin', 'cache-control': 'no-store' })
  }
  t.match((await ada.visit(path)).body, /<form method="post" action="\/auth\/breakglass\/[\w-]{43}">/)
  const entered = await ada.send(path)
  t.match(entered, { status: 303, location: '/', headers: { 'referrer-policy': 'strict-origin' } })
  t.equal((await ada.visit('/tickets')).status, 200)
  t.same(desk.last().folded('x-agent-email'), ['ada@example.com'])
  t.same(desk.last().folded('x-agent-provider'), ['breakglass'])
  const session = JSON.parse((await ada.fetch('/auth/session')).body)
  t.match(session, { provider: 'breakglass', absoluteEnd: '2026-11-22T00:30:00.000Z' })
  t.match((await ada.visit('/auth/session')).body, 'One-time link')

  t.match(await ada.send(path), { status: 400, reason: 'login.link_used' }, 'not even where it has let in')
  const again = await newAgent().send(path)
  t.match(again, { status: 400, reason: 'login.link_used', setCookies: [] })
  t.match(again.body, 'href="/auth/login"', 'and a button that leads on')

  clock.move(29 * 60_000)
  t.equal((await ada.visit('/tickets')).status, 200)
  clock.move(60_000)
  t.match(await ada.visit('/tickets'), { status: 302 }, 'the end')

  const audit = await gateway.audit()
  const facts = { agent: 'ada@example.com', why: 'Okta is down', minutes: 30 }
  t.match(
    audit.filter(({ event }) => String(event).startsWith('breakglass')),
    [
      { event: 'breakglass_created', ...facts, operator: `${userInfo().username}@${hostname()}` },
      { event: 'breakglass_used', ...facts, session: /^[\w-]{43}$/, address: '127.0.0.1' },
      { event: 'breakglass_refused', ...facts, reason: 'login.link_used' },
      { event: 'breakglass_refused', ...facts, reason: 'login.link_used' },
    ],
  )
  const isLoud = ({ level, msg }: LogLine) => level === 'warn' && /break-glass/.test(String(msg))
  await until(() => gateway.lines.filter(isLoud).length === 4)
  await until(() => gateway.lines.filter(({ path }) => path === '/auth/breakglass/…').length === 7)
  t.notMatch(JSON.stringify([audit, gateway.lines]), token, 'the token is in no log')
  const metrics = await (await fetch(`${gateway.opsUrl}/metrics`)).text()
  t.match(metrics, /deskgate_breakglass_total\{outcome="created"\} 1\n.*"used"\} 1\n.*"refused"\} 2/)
  t.match(metrics, 'deskgate_logins_total{provider="breakglass",outcome="refused",reason="login.link_used"} 2')
})

t.test("the operator is the system's user, whatever variables say", async t => {
  const { gateway } = await open(t)
  const user = userInfo().username
  const behindSudo = (name: string) => (user === 'root' ? `${name} as root` : user)
  const cases: [Record<string, string>, string][] = [
    [{ USER: 'eve', LOGNAME: 'eve', USERNAME: 'eve' }, user],
    [{ SUDO_USER: '' }, user],
    [{ SUDO_USER: 'maya' }, behindSudo('maya')],
    [{ SUDO_USER: 'ma\u001b[2Jya' }, behindSudo('ma?[2Jya')],
    [{ SUDO_USER: 'x'.repeat(200) }, behindSudo('x'.repeat(200))],
  ]
  for (const [env] of cases) {
    t.equal((await order(gateway.opsUrl, {}, { DESKGATE_ADMIN_TOKEN: adminToken, ...env })).code, 0)
  }
  t.same(
    (await gateway.audit()).map(({ operator }) => operator),
    cases.map(([, name]) => `${name}@${hostname()}`.slice(0, 100)),
  )
})

t.test('after its end, and a link that nobody made', async t => {
  const { clock, gateway, newAgent } = await open(t)
  const { path } = await order(gateway.opsUrl)
  clock.move(15 * 60_000)
  t.match(await newAgent().send(path), { status: 400, reason: 'login.link_expired', setCookies: [] })
  t.match(await newAgent().send(`/auth/breakglass/${'A'.repeat(43)}`), { status: 400, reason: 'login.link_expired' })
  for (const strange of ['x', 'A'.repeat(44), `${path.slice(19)}%20`, '%00', `${'A'.repeat(42)}.`, '']) {
    const agent = newAgent()
    t.match(
      [await agent.visit(`/auth/breakglass/${strange}`), await agent.send(`/auth/breakglass/${strange}`)],
      [{ status: /404|400/ }, { status: /404|400/ }],
    )
  }
})

t.test('Attack: another site sends the form, with a link of its own', async t => {
  const { gateway, newAgent } = await open(t)
  const { path } = await order(gateway.opsUrl)
  t.match(await newAgent().postCrossSite(path, {}), { status: 403, setCookies: [] })
  t.match(await newAgent().send(path, {}, { headers: { origin: 'null', 'sec-fetch-site': 'cross-site' } }), {
    status: 403,
  })
  t.equal((await newAgent().send(path)).status, 303, 'and nothing was used up')
})

t.test('the session that was here before is replaced, and the session of a link takes no other login in', async t => {
  const { gateway, newAgent } = await open(t)
  const first = await order(gateway.opsUrl, { minutes: '10' })
  const second = await order(gateway.opsUrl, { minutes: '20' })
  const agent = newAgent()
  await agent.send(first.path)
  t.equal((await agent.send(second.path)).status, 303)
  const session = JSON.parse((await agent.fetch('/auth/session')).body)
  t.match(session, { absoluteEnd: '2026-11-22T00:20:00.000Z' }, 'within the minute too')
})

t.test('the directory has the last word, and its refusal uses nothing up', async t => {
  const { gateway } = await open(t)
  t.match(await order(gateway.opsUrl, { agent: 'eve@example.com' }), { code: 1, out: [], err: /does not know eve@/ })
})

t.test('wrong usage is 2; what cannot be done is 1 and says why', async t => {
  const { gateway } = await open(t)
  for (const minutes of ['0', '481', '-1', '1.5', 'soon', '', '1e2', '99999']) {
    t.match(await order(gateway.opsUrl, { minutes }), { code: 2, out: [], err: /--minutes takes/ }, minutes)
  }
  t.match(await order(gateway.opsUrl, { reason: ' ' }), { code: 2, err: /--reason must not be empty/ })
  const wrong = { DESKGATE_ADMIN_TOKEN: 'another' }
  t.match(await order(gateway.opsUrl, {}, wrong), { code: 1, err: /refuses the admin token/ })
  await t.rejects(order('http://127.0.0.1:1'), /no gateway answers at http:\/\/127\.0\.0\.1:1 \(ECONNREFUSED\)/)
})

t.test('any replica, and only one of two at the same instant', { skip: missingParts('redis') }, async t => {
  const redis = await startRedis()
  t.teardown(redis.stop)
  const store = { url: redis.url, keyPrefix: redis.keyPrefix }
  const { gateway, start } = await open(t, {
    sessions: { store },
    secrets: ['a secret of both replicas, more than 32 bytes'],
  })
  const other = await start()
  t.teardown(other.close)
  const { path } = await order(gateway.opsUrl)
  const ports = [gateway.port, other.port, gateway.port, other.port]
  const answers = await Promise.all(ports.map(port => createUserAgent(publicUrl, { port }).send(path)))
  t.equal(answers.filter(({ status }) => status === 303).length, 1)
  t.equal(answers.filter(({ reason }) => reason === 'login.link_used').length, 3)

  const late = await order(other.opsUrl)
  await redis.kill()
  const refused = await createUserAgent(publicUrl, { port: gateway.port }).send(late.path)
  t.match(refused, { status: 503, reason: 'session.store_unavailable' })
  t.match(await order(gateway.opsUrl), { code: 1, err: /The store does not answer/ })
})
