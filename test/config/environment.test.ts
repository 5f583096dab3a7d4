// Settings from environment variables: they win over the file, are checked like it, and are named in every message.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { loadConfig } from '../../src/config/load.js'
import { formatProblem } from '../../src/config/problems.js'

const folder = await mkdtemp(join(tmpdir(), 'deskgate-environment-'))
t.teardown(() => rm(folder, { recursive: true }))

const file = join(folder, 'deskgate.yaml')
const base = `publicUrl: https://desk.example.com
secrets: ["${'0123456789abcdef'.repeat(4)}"]
desk: { url: "http://desk.internal:3000" }
providers:
  - id: portal
    type: jwt
    name: Portal
    loginUrl: https://portal.example.com/login
    secrets: ["${'fedcba9876543210'.repeat(4)}"]
agents: [{ domains: [example.com] }]
sessions: { idle: 2h }
`

async function load(env: NodeJS.ProcessEnv, text = base) {
  await writeFile(file, text)
  return loadConfig(file, env)
}

async function valid(env: NodeJS.ProcessEnv, text?: string) {
  const loaded = await load(env, text)
  if ('config' in loaded) return loaded.config
  throw new Error(loaded.problems.map(formatProblem).join('\n'))
}

async function problems(env: NodeJS.ProcessEnv, text?: string) {
  const loaded = await load(env, text)
  return 'config' in loaded ? [] : loaded.problems.map(formatProblem).map(line => line.replace(file, 'deskgate.yaml'))
}

t.test('a variable wins over the file, at every depth, with YAML as its value', async t => {
  const config = await valid({
    DESKGATE__PUBLIC_URL: 'https://help.example.com',
    DESKGATE__SESSIONS__IDLE: '4h',
    DESKGATE__SESSIONS__NEAR_CACHE: '10s',
    DESKGATE__DESK__PUBLIC: '["GET /assets/*", /health]',
    DESKGATE__IDENTITY__HEADERS: '{ email: X-Forwarded-Email }',
    DESKGATE__IDENTITY__HEADERS__ID: 'X-Forwarded-User',
    DESKGATE__PROVIDERS__0__MAX_AGE: '1m',
    DESKGATE__AGENTS__1__DOMAINS: '[example.org]',
  })
  t.match(config, {
    publicUrl: 'https://help.example.com',
    sessions: { idle: 4 * 3_600_000, nearCache: 10_000, lifetime: 24 * 3_600_000 },
    desk: { url: 'http://desk.internal:3000', public: ['GET /assets/*', '/health'] },
    identity: { headers: { email: 'X-Forwarded-Email', id: 'X-Forwarded-User' } },
    providers: [{ id: 'portal', maxAge: 60_000 }],
    agents: [{ domains: ['example.com'] }, { domains: ['example.org'] }],
  })
})

t.test('a block that the file does not have', async t => {
  const config = await valid({ DESKGATE__OPS__ADMIN_TOKEN__ENV: 'TOKEN', TOKEN: 'a1b2c3d4'.repeat(8) })
  t.equal(config.ops.adminToken?.reveal(), 'a1b2c3d4'.repeat(8))
})

t.test('a simple value gives way to a block', async t => {
  const config = await valid({ DESKGATE__SESSIONS__STORE__URL: 'redis://127.0.0.1:6379' })
  t.type(config.sessions.store, 'object')
})

t.test(
  'one underscore behind DESKGATE is not a setting: Kubernetes sets such variables for a service of that name',
  async t => {
    t.same(
      await problems({
        DESKGATE_PORT: 'tcp://10.0.0.1:80',
        DESKGATE_SERVICE_HOST: '10.0.0.1',
        DESKGATE_PORT_80_TCP_ADDR: '10.0.0.1',
        DESKGATE: 'x',
        deskgate__listen: 'nonsense',
        XDESKGATE__LISTEN: 'nonsense',
      }),
      [],
    )
  },
)

t.test('each mistake is named with its variable, all at once', async t => {
  t.same(
    await problems({
      DESKGATE__SESSIONS__IDLE: '4 hours',
      DESKGATE__SESSIONS__IDEL: '4h',
      DESKGATE__PUBLICURL: 'https://help.example.com',
      DESKGATE__COLOUR: 'red',
      DESKGATE__: 'x',
      DESKGATE__DRAIN: '',
      DESKGATE__DESK__PUBLIC: '["/a", "/b"',
      DESKGATE__LOG: '{ level: info, level: debug }',
      DESKGATE__AGENTS__7__DOMAINS: '[example.org]',
      DESKGATE__AGENTS__FIRST: '{ any: true }',
      DESKGATE__PROVIDERS__0__SECRETS__0: 'short',
      DESKGATE__PROVIDERS__0__ATTRIBUTES__HEADERS__X_TEAM: 'team',
      DESKGATE__SECRETS: '[{ env: MISSING }]',
    }),
    [
      'DESKGATE__:1:1 (environment): unknown setting',
      'DESKGATE__AGENTS__7__DOMAINS:1:1 agents[7].domains: leaves a gap in the list (entries are numbered from 0)',
      'DESKGATE__AGENTS__FIRST:1:1 agents: unknown setting (set agents as a whole, in YAML)',
      'DESKGATE__COLOUR:1:1 (environment): unknown setting',
      'DESKGATE__DESK__PUBLIC:1:12 desk.public: invalid YAML from here on; a [ or { above is not closed or lacks a comma, or this line is not indented enough',
      'DESKGATE__DRAIN:1:1 drain: is empty (unset the variable)',
      'DESKGATE__LOG:1:16 log: duplicate key',
      'DESKGATE__PROVIDERS__0__ATTRIBUTES__HEADERS__X_TEAM:1:1 providers[0].attributes.headers: unknown setting (set providers[0].attributes.headers as a whole, in YAML)',
      'DESKGATE__PROVIDERS__0__SECRETS__0:1:1 providers[0].secrets[0]: has 5 bytes: at least 32 are needed (openssl rand -base64 32)',
      'DESKGATE__PUBLICURL:1:1 (environment): unknown setting (did you mean DESKGATE__PUBLIC_URL?)',
      'DESKGATE__SECRETS:1:2 secrets[0]: the variable MISSING is not set',
      'DESKGATE__SESSIONS__IDEL:1:1 sessions: unknown setting (did you mean DESKGATE__SESSIONS__IDLE?)',
      'DESKGATE__SESSIONS__IDLE:1:1 sessions.idle: invalid duration (such as 500ms, 30s, 5m, 8h or 7d)',
    ],
  )
})

t.test('a rule across settings names the variable that breaks it', async t => {
  const [found] = await problems({ DESKGATE__PROVIDERS__0__ALGORITHMS: '[RS256]' })
  t.match(found, /^DESKGATE__PROVIDERS__0__ALGORITHMS:1:2 providers\[0\]\.algorithms\[0\]: does not work with secrets/)
})

t.test('attack: names that reach into what every object has, and values that expand', async t => {
  const bomb = `[&a [x,x,x,x,x,x,x,x,x], ${'bcdefgh'
    .split('')
    .map((name, index) => `&${name} [${Array(9).fill(`*${'abcdefgh'[index]}`).join(',')}]`)
    .join(', ')}]`
  const found = await problems({
    DESKGATE____PROTO__: '{ polluted: true }',
    DESKGATE__CONSTRUCTOR__PROTOTYPE: '{ polluted: true }',
    DESKGATE__DESK__PUBLIC: bomb,
    [`DESKGATE__${'X'.repeat(5000)}`]: 'x',
    'DESKGATE__A\nB': 'x',
  })
  t.ok(found.length >= 5)
  t.ok(found.every(line => line.length < 300 && !line.includes('\n')))
  t.notOk('polluted' in {})
})
