// Groups of an identity provider become Desk's roles and attributes become headers, through the whole gateway: as Entra ID
// sends them, and for a Desk that was set up for oauth2-proxy.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { systemClock } from '../../src/runtime/clock.js'
import { startDesk } from '../parts/desk.js'
import { startInProcessGateway } from '../parts/gateway.js'
import { begin, createIdentityProvider } from '../parts/identity-provider.js'
import { freePort } from '../parts/ports.js'
import { createUserAgent } from '../parts/user-agent.js'

const port = await freePort()
const publicUrl = `http://localhost:${port}`
const idp = createIdentityProvider({ publicUrl, clock: systemClock, entityId: new URL(publicUrl).host })
const adminToken = 'the-admin-token-of-this-test-long-enough'
const groups = 'http://schemas.microsoft.com/ws/2008/06/identity/claims/groups'
const link = 'http://schemas.microsoft.com/claims/groups.link'
const guid = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`

const entra = {
  ...idp.settings.corp,
  attributes: {
    email: 'NameID',
    id: 'http://schemas.microsoft.com/identity/claims/objectidentifier',
    name: ['givenname', 'surname'],
    roles: groups,
    headers: { 'X-Agent-Department': 'department' },
  },
  roles: { map: { [guid(1)]: 'agent', [guid(2)]: 'admin' }, unmapped: 'drop' },
  allow: { roles: ['agent', 'admin'] },
}
const portal = {
  ...idp.settings.portal,
  attributes: {
    id: 'sub',
    name: ['given_name', 'family_name'],
    roles: 'groups',
    headers: { 'X-Agent-Department': 'dept' },
  },
  roles: { map: { staff: 'agent' }, unmapped: 'drop' },
  allow: { roles: ['agent'] },
}
const settings = {
  publicUrl,
  listen: `127.0.0.1:${port}`,
  providers: [entra, portal],
  agents: [{ any: true }],
  access: {
    paths: [
      { match: '/admin/*', roles: ['admin'] },
      { match: '/partners/*', domains: ['partner.example'] },
      { match: '/entra/*', providers: ['corp'] },
      { match: '/office/*', from: ['192.0.2.0/24'] },
    ],
  },
  ops: { adminToken },
}

const desk = await startDesk()
const gateway = await startInProcessGateway(
  { ...settings, desk: { url: desk.url } },
  { files: { 'idp.crt': idp.certificate } },
)
t.teardown(async () => {
  await gateway.close()
  await desk.close()
})

type Attributes = Record<string, string[]>
const entering = async (attributes: Attributes) => {
  const agent = createUserAgent(publicUrl, gateway)
  const stated = Object.entries(attributes).map(([name, values]) => ({ name, values }))
  const change = { plan: { attributes: stated } }
  const { path, fields } = await begin(agent, idp, { way: 'corp', email: 'ana@example.com', change })
  return { agent, page: await agent.send(path, fields) }
}
const enteringByToken = async (claims: Record<string, unknown>) => {
  const agent = createUserAgent(publicUrl, gateway)
  const start = await agent.visit('/auth/login/portal?return_to=/')
  const { path, fields } = await idp.jwt('ana@example.com', start.location, claims)
  return { agent, page: await agent.send(path, fields) }
}
const refusalOf = async (reference: string | undefined) => {
  const answer = await fetch(`${gateway.opsUrl}/api/logins/${reference}`, {
    headers: { authorization: `Bearer ${adminToken}` },
  })
  return (await answer.json()) as { checks: { name: string; seen?: string; hint?: string }[] }
}

t.test('a response as Entra ID sends it gives Desk its own role names', async t => {
  const { agent, page } = await entering({
    [groups]: [guid(1), guid(7), guid(8)],
    'http://schemas.microsoft.com/identity/claims/objectidentifier': [guid(99)],
    givenname: ['Ana'],
    surname: ['Müller'],
    department: ['Sales\r\n\tX-Agent-Roles: admin', 'EU, North'],
  })
  t.equal(page.status, 303)
  t.equal((await agent.visit('/')).status, 200)
  const seen = desk.last()
  t.strictSame(seen.all('x-agent-roles'), ['agent'])
  t.strictSame(seen.all('x-agent-id'), [guid(99)])
  t.strictSame(seen.all('x-agent-name'), ['Ana M%C3%BCller'])
  t.strictSame(seen.all('x-agent-department'), ['Sales X-Agent-Roles: admin,EU%2C North'])
  const [, claims = ''] = (seen.all('x-agent-assertion')[0] ?? '').split('.')
  t.match(JSON.parse(Buffer.from(claims, 'base64url').toString()), {
    roles: ['agent'],
    agent_id: guid(99),
    attributes: { 'X-Agent-Department': ['Sales X-Agent-Roles: admin', 'EU, North'] },
  })
  t.equal((await agent.visit('/admin/x')).status, 403)
  t.equal((await agent.visit('/partners/x')).status, 403)
  t.equal((await agent.visit('/entra/x')).status, 200)
})

t.test('120 groups of 90 characters log in with unmapped: drop, and are refused without', async t => {
  const many = Array.from({ length: 120 }, (_, i) => `CN=${'group '.repeat(14)}${String(i).padStart(3, '0')}`)
  t.equal(many[0]?.length, 90)
  const { agent, page } = await entering({ [groups]: [...many, guid(2)] })
  t.equal(page.status, 303)
  t.equal((await agent.visit('/admin/x')).status, 200)
  t.strictSame(desk.last().all('x-agent-roles'), ['admin'])
  const kept = { ...entra, roles: { ...entra.roles, unmapped: 'keep' } }
  t.match(await gateway.reload({ ...settings, desk: { url: desk.url }, providers: [kept, portal] }), { applied: true })
  const refused = await entering({ [groups]: [...many, guid(2)] })
  t.match(refused.page, { status: 403, reason: 'agent.forbidden' })
  t.match((await refusalOf(refused.page.reference)).checks.at(-1), { name: 'identity fits the headers' })
  t.match(await gateway.reload({ ...settings, desk: { url: desk.url } }), { applied: true })
  const long = many.slice(0, 20).map(name => `${name}, and more than 128 characters ${'x'.repeat(60)}`)
  const claims = { groups: ['staff', ...many.slice(0, 60), ...long] }
  const token = await enteringByToken({ ...claims, sub: 4711, given_name: 'Ana', family_name: 'M', dept: ['IT', 7] })
  t.equal(token.page.status, 303, 'the same for a token')
  await token.agent.visit('/')
  t.strictSame(desk.last().all('x-agent-roles'), ['agent'])
  t.strictSame(desk.last().all('x-agent-id'), ['4711'])
  t.strictSame(desk.last().all('x-agent-name'), ['Ana M'])
  t.strictSame(desk.last().all('x-agent-department'), ['IT,7'])
})

t.test('too many groups: a link in their place is explained', async t => {
  const graph = 'https://graph.windows.net/tenant/users/x/getMemberObjects'
  const saml = await entering({ [link]: [graph] })
  const sources = { _claim_sources: { src1: { endpoint: graph } } }
  const tokens = [
    await enteringByToken({ _claim_names: { groups: 'src1' }, ...sources }),
    await enteringByToken({ hasgroups: true }),
  ]
  for (const { page } of [saml, ...tokens]) {
    t.match(page, { status: 403, reason: 'agent.forbidden' })
    const { checks } = await refusalOf(page.reference)
    t.match(checks.find(({ name }) => name === 'groups that were left out')?.seen, /Entra ID sent a link/)
    t.match(checks.find(({ name }) => name === 'roles that arrived')?.seen, 'none stated')
    t.match(checks.at(-1), {
      name: 'role may log in with this provider',
      seen: 'no role',
      hint: /Entra ID sent a link/,
    })
  }
  const other = await enteringByToken({ _claim_names: { address: 'src1' }, groups: ['x'] })
  t.notMatch(JSON.stringify(await refusalOf(other.page.reference)), /sent a link/)
})

t.test('access.paths[].from: an address that a proxy hides is nobody, until the proxy is trusted', async t => {
  const { agent } = await entering({ [groups]: [guid(1)] })
  const forwarded = { 'x-forwarded-for': '192.0.2.7' }
  t.equal((await agent.visit('/office/x', { headers: forwarded })).status, 403, 'the header is not believed')
  const local = {
    ...settings,
    desk: { url: desk.url },
    access: { paths: [{ match: '/office/*', from: ['127.0.0.0/8'] }] },
  }
  t.match(await gateway.reload(local), { applied: true })
  t.equal((await agent.visit('/office/x')).status, 200)
  for (const header of ['X-Forwarded-For', 'x-forwarded-proto', 'Forwarded', 'X-Real-IP', 'Via']) {
    t.equal(
      (await agent.visit('/office/x', { headers: { [header]: '1' } })).status,
      403,
      `${header}: it is the proxy's address`,
    )
  }
  t.match(await gateway.reload({ ...settings, desk: { url: desk.url }, trustedProxies: ['127.0.0.0/8'] }), {
    applied: true,
  })
  t.equal((await agent.visit('/office/x', { headers: forwarded })).status, 200)
  t.equal((await agent.visit('/office/x', { headers: { 'x-forwarded-for': '192.0.2.7, 198.51.100.1' } })).status, 403)
  t.equal((await agent.visit('/office/x')).status, 403, 'the proxy itself is elsewhere')
  t.match(await gateway.reload({ ...settings, desk: { url: desk.url } }), { applied: true })
})

t.test('Attack: from: a trusted proxy that does not say for whom it asks stands for nobody', async t => {
  const { agent } = await entering({ [groups]: [guid(1)] })
  const inside = {
    ...{ ...settings, desk: { url: desk.url }, trustedProxies: ['127.0.0.0/8', '10.0.0.0/8'] },
    access: { paths: [{ match: '/office/*', from: ['127.0.0.0/8', '10.0.0.0/8'] }] },
  }
  t.match(await gateway.reload(inside), { applied: true })
  const statusWith = async (headers: Record<string, string>) => (await agent.visit('/office/x', { headers })).status
  for (const headers of [{}, { 'x-forwarded-for': '10.1.2.3' }, { 'x-forwarded-for': 'unknown, 10.1.2.3, 10.0.0.1' }]) {
    const expected = headers['x-forwarded-for']?.includes('unknown') ? 403 : 200
    t.equal(await statusWith(headers), expected, JSON.stringify(headers))
  }
  for (const hop of [
    'unknown',
    '',
    'unix:',
    '_hidden',
    '10.1.2.3.4',
    '203.0.113.7, secret',
    '203.0.113.7,',
    'unknown, 10.0.0.1',
  ]) {
    t.equal(await statusWith({ 'x-forwarded-for': hop }), 403, `X-Forwarded-For: ${hop}`)
  }
  for (const [name, value] of [
    ['Forwarded', 'for=203.0.113.7'],
    ['X-Real-IP', '203.0.113.7'],
    ['X-Forwarded-Proto', 'https'],
    ['Via', '1.1 proxy'],
  ] as const)
    t.equal(await statusWith({ [name]: value }), 403, name)
  t.equal(await statusWith({ 'x-forwarded-for': '10.1.2.3', 'x-forwarded-proto': 'https', via: '1.1 p' }), 200)
  t.equal(await statusWith({ 'x-forwarded-for': 'unknown, 203.0.113.7' }), 403)
  t.match(await gateway.reload({ ...settings, desk: { url: desk.url } }), { applied: true })
})

t.test("a Desk that was set up for oauth2-proxy's default headers: only its upstream changes", async t => {
  const old = createServer((request, response) => {
    const { 'x-forwarded-user': user, 'x-forwarded-email': email } = request.headers
    const { 'x-forwarded-groups': groups, 'x-forwarded-preferred-username': name } = request.headers
    if (!user || !email) return response.writeHead(401).end()
    return response.end(JSON.stringify({ user, email, groups: String(groups).split(','), name }))
  })
  await new Promise<void>(resolve => old.listen(0, '127.0.0.1', resolve))
  t.teardown(() => old.close())
  const url = `http://127.0.0.1:${(old.address() as AddressInfo).port}`
  const identity = {
    headers: {
      id: 'X-Forwarded-User',
      email: 'X-Forwarded-Email',
      name: 'X-Forwarded-Preferred-Username',
      roles: 'X-Forwarded-Groups',
    },
    format: { encoding: 'utf8' },
  }
  t.match(await gateway.reload({ ...settings, desk: { url }, identity }), { applied: true })
  const { agent, page } = await enteringByToken({ sub: 'u-1', given_name: 'Zoë', groups: ['staff', 'x'] })
  t.equal(page.status, 303)
  const forged = { 'X-Forwarded-User': 'root', x_forwarded_groups: 'admin', 'X-Forwarded-Email': 'root@example.com' }
  for (const headers of [{}, forged]) {
    const answer = await agent.visit('/', { headers })
    const name = Buffer.from('Zoë').toString('latin1')
    t.strictSame(JSON.parse(answer.body), { user: 'u-1', email: 'ana@example.com', groups: ['agent'], name })
  }
  t.match(await gateway.reload({ ...settings, desk: { url: desk.url } }), { applied: true })
})
