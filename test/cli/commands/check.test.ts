// `deskgate check`: what it says of a configuration, of certificates that expire, of the addresses that it tried, and as JSON.

import { rm } from 'node:fs/promises'
import t, { type Test } from 'tap'
import { type CheckOptions, check } from '../../../src/cli/commands/check.js'
import { opsCommands } from '../../../src/cli/ops-client.js'
import { createProgram } from '../../../src/cli/program.js'
import { startDesk } from '../../parts/desk.js'
import { writeConfiguration } from '../../parts/gateway.js'
import { startHttpServer } from '../../parts/http-server.js'
import { idpMetadata } from '../../parts/idp-metadata.js'
import { freePort } from '../../parts/ports.js'
import { newSigningKey } from '../../parts/saml-idp.js'

const day = 86_400_000
const longEnough = 'a-secret-of-this-test-which-is-long-enough'
const portal = {
  id: 'portal',
  type: 'jwt',
  name: 'Portal',
  loginUrl: 'https://portal.example.com/login',
  secrets: [longEnough],
  requireState: false,
}
const saml = { id: 'corp', type: 'saml', name: 'Corp', issuer: 'https://idp.example.com', certificates: ['idp.crt'] }
const settings = { publicUrl: 'https://desk.example.com', providers: [portal], agents: [{ any: true }] }

async function checked(t: Test, config: object, files: Record<string, string> = {}, options: CheckOptions = {}) {
  const { folder, file } = await writeConfiguration({ desk: { url: 'http://127.0.0.1:9' }, ...config }, files)
  t.teardown(() => rm(folder, { recursive: true }))
  const [out, err]: [string[], string[]] = [[], []]
  const io = { env: {}, out: (line: string) => void out.push(line), err: (line: string) => void err.push(line) }
  const code = await check({ config: file, ...options }, io)
  return { code, out, err }
}

/** A certificate that expires so many days from now; half a day more, so that no second counts. */
const expiring = (days: number) => newSigningKey('idp.example.com', Date.now() + (days + 0.5) * day).certificate

t.test('certificates of providers: expired, soon, and later', async t => {
  const cases: [number, RegExp | undefined][] = [
    [-2, /^warning: .*providers\[0\]\.certificates\[0\]: expired on \d{4}-\d\d-\d\d/],
    [0, /certificates\[0\]: expires on \d{4}-\d\d-\d\d, in 0 days/],
    [1, /certificates\[0\]: expires on \d{4}-\d\d-\d\d, in 1 day \(/],
    [29, /certificates\[0\]: expires on \d{4}-\d\d-\d\d, in 29 days \(add the next one beside it/],
    [31, undefined],
  ]
  const provider = { ...saml, loginUrl: 'https://idp.example.com/sso' }
  for (const [days, warning] of cases) {
    const { code, err } = await checked(t, { ...settings, providers: [provider] }, { 'idp.crt': expiring(days) })
    t.equal(code, 0, 'a warning is no problem')
    if (warning) t.match(err, [warning], `${days} days`)
    else t.same(err, [], `${days} days`)
  }
})

t.test('with fallbacks it passes if one of them is valid, and says which', async t => {
  const good = await writeConfiguration({ desk: { url: 'http://127.0.0.1:9' }, ...settings })
  const bad = await writeConfiguration({ nonsense: 1 })
  t.teardown(() => Promise.all([good, bad].map(({ folder }) => rm(folder, { recursive: true }))))
  const broken = { ...settings, nonsense: 1 }
  const passed = await checked(t, broken, {}, { fallback: ['/nowhere.yaml', bad.file, good.file] })
  t.equal(passed.code, 0)
  t.match(passed.err.join('\n'), new RegExp(`nonsense[\\s\\S]*INVALID; using ${good.file}`))
  t.equal((await checked(t, broken, {}, { fallback: [bad.file, '/nowhere.yaml'] })).code, 1)
  t.same((await checked(t, settings, {}, { fallback: [bad.file] })).err, [], 'not read when they are not needed')
})

t.test('certificates inside metadata in a file', async t => {
  const { certificates: _, issuer: __, ...provider } = saml
  const metadata = (days: number) => idpMetadata([expiring(days)])
  for (const [days, warning] of [
    [-1, /providers\[0\]\.metadata: contains a signing certificate that expired on/],
    [12, /providers\[0\]\.metadata: contains a signing certificate that expires on .*, in 12 days/],
    [60, undefined],
  ] as const) {
    const config = { ...settings, providers: [{ ...provider, metadata: 'idp.xml' }] }
    const { code, err } = await checked(t, config, { 'idp.xml': metadata(days) })
    t.equal(code, 0)
    if (warning) t.match(err, [warning])
    else t.same(err, [])
  }
})

t.test('without ops.adminToken it says which commands do not work', async t => {
  const without = await checked(t, settings)
  t.match(without, {
    code: 0,
    out: [
      /^note: without ops\.adminToken .*: sessions, explain REFERENCE, breakglass, access, observed, doctor$/,
      /^note: hsts is recommended/,
      'The configuration is valid.',
    ],
    err: [],
  })
  const complete = { ...settings, hsts: {}, ops: { adminToken: longEnough.toUpperCase() } }
  t.same((await checked(t, complete)).out, ['The configuration is valid.'])
  // Every command that takes --ops is on the list.
  const program = createProgram({ io: { env: {}, out: () => {}, err: () => {} }, version: '0', done: () => {} })
  const asks = program.commands.filter(command =>
    [command, ...command.commands].some(({ options }) => options.some(({ long }) => long === '--ops')),
  )
  t.same(asks.map(command => command.name()).sort(), opsCommands.map(name => name.split(' ')[0]).sort())
})

t.test('--online lists what it tried: Desk, metadata, directory, and where only browsers go', async t => {
  const desk = await startDesk()
  const server = await startHttpServer((request, response) => {
    const { pathname } = new URL(request.url ?? '', 'http://x')
    if (pathname === '/metadata') return response.end(idpMetadata([expiring(3)], { loginUrl: `${server.url}/sso` }))
    if (pathname === '/users') return response.end('{"users":[{"email":"ada@example.com"}]}')
    return response.writeHead(404).end()
  })
  t.teardown(async () => {
    await server.close()
    await desk.close()
  })
  const { certificates: _, issuer: __, ...provider } = saml
  const publicUrl = `http://127.0.0.1:${await freePort()}`
  const loginUrl = `https://127.0.0.1:${await freePort()}/login`
  const config = {
    publicUrl,
    desk: { url: desk.url },
    providers: [
      { ...provider, metadata: `${server.url}/metadata` },
      { ...portal, loginUrl },
    ],
    agents: [{ http: { url: `${server.url}/users?key=hidden`, list: '/users', map: { email: '/email' } } }],
  }
  const { code, out, err } = await checked(t, config, {}, { online: true })
  t.equal(code, 0, err.join('\n'))
  const lines = out.join('\n')
  t.match(lines, new RegExp(`warn  publicUrl +${publicUrl}`))
  t.match(lines, new RegExp(`ok    desk\\.url +${desk.url}`))
  t.match(lines, new RegExp(`ok    providers\\[0\\]\\.metadata +${server.url}/metadata`))
  t.match(lines, new RegExp(`warn  providers\\[1\\]\\.loginUrl +${loginUrl}$`, 'm'))
  t.match(lines, new RegExp(`ok    agents\\[0\\]\\.http\\.url +${server.url}/users$`, 'm'))
  t.notMatch(lines + err.join(), 'hidden')
  t.match(
    err.join('\n'),
    /warning: .* publicUrl: .* does not answer: ECONNREFUSED \(before the gateway and its front are started, nothing answers there; only browsers/,
  )
  t.match(err.join('\n'), /providers\[1\]\.loginUrl: .* does not answer: ECONNREFUSED \(only browsers have to reach it/)
  t.match(err.join('\n'), /providers\[0\]\.metadata: contains a signing certificate that expires on .*, in 3 days/)
  t.match(out.at(-1), /everything that the gateway itself calls answers/)

  const json = await checked(t, config, {}, { online: true, json: true })
  t.equal(json.out.length, 1)
  t.match(JSON.parse(json.out[0] ?? ''), {
    valid: true,
    problems: [],
    notes: [/adminToken/],
    tried: [
      { key: 'publicUrl', address: publicUrl, answers: false, neededBy: 'browsers', problem: /ECONNREFUSED/ },
      { key: 'desk.url', answers: true, neededBy: 'gateway' },
    ],
  })
})

t.test('--online: what the gateway calls and does not answer is a problem, each at its key', async t => {
  const gone = `http://127.0.0.1:${await freePort()}`
  const { certificates: _, issuer: __, ...provider } = saml
  const config = {
    ...settings,
    publicUrl: gone.replace('127.0.0.1', 'localhost'),
    secrets: [`${longEnough}-for-the-ring`],
    desk: { url: gone },
    providers: [{ ...provider, metadata: `${gone}/metadata` }],
    agents: [{ http: { url: `${gone}/users`, map: { email: '/email' } } }],
    sessions: { store: `redis://user:hidden@${gone.slice('http://'.length)}/0` },
  }
  const { code, out, err } = await checked(t, config, {}, { online: true })
  t.equal(code, 1)
  const told = err.join('\n')
  for (const key of ['desk.url', 'providers[0].metadata', 'agents[0].http.url', 'sessions.store']) {
    t.ok(
      err.some(line => !line.startsWith('warning:') && line.includes(` ${key}: `)),
      `${key} in ${told}`,
    )
    t.ok(
      out.some(line => line.startsWith('  FAIL') && line.includes(key)),
      key,
    )
  }
  t.match(
    out.join('\n'),
    new RegExp(`sessions\\.store +${gone.slice('http://'.length)}$`, 'm'),
    'host and port, no password',
  )
  t.notMatch(told + out.join(), 'hidden')
})

t.test('--json of a configuration with mistakes: exit code and stderr as without', async t => {
  const { code, out, err } = await checked(t, { ...settings, providres: [], agents: [] }, {}, { json: true })
  t.equal(code, 1)
  t.ok(err.length >= 2)
  const result = JSON.parse(out[0] ?? '')
  t.match(result, {
    valid: false,
    problems: [{ file: /deskgate\.yaml$/, line: Number, column: Number, key: String, message: String }],
  })
  t.equal(result.problems.length, err.length)
})
