// What is generated is what the schema says, and everything that the repository shows of a configuration loads.

import { readdir, readFile } from 'node:fs/promises'
import t from 'tap'
import { parse, parseDocument } from 'yaml'
import { type Described, describeConfig, editorSchema, reference } from '../../scripts/config-reference.js'
import { parseAgents } from '../../src/config/agents.js'
import { curveKey, load, longSecret, problems, rsaPair } from '../parts/configuration.js'

const folder = new URL('../../config/', import.meta.url)
const text = (path: string) => readFile(new URL(path, folder), 'utf8')

const [gateway, desk, idp] = [rsaPair(), rsaPair(), rsaPair()]
const files = {
  'tls.crt': gateway.certificate,
  'tls.key': gateway.key,
  'ca.pem': desk.certificate,
  'c.pem': desk.certificate,
  'k.pem': desk.key,
  'idp.crt': idp.certificate,
  'texts/de.yaml': 'chooser: { title: Anmelden }',
  'sp.crt': idp.certificate,
  'sp.key': idp.key,
  'sp-old.crt': idp.certificate,
  'sp-old.key': idp.key,
  'identity.key': curveKey('P-256'),
  'federation.crt': idp.certificate,
  'desk-client.crt': desk.certificate,
  'desk-client.key': desk.key,
  token: longSecret('token'),
  'logo.svg': '<svg xmlns="http://www.w3.org/2000/svg"/>',
  'corp.svg': '<svg xmlns="http://www.w3.org/2000/svg"/>',
  'icon.svg': '<svg xmlns="http://www.w3.org/2000/svg"/>',
  'templates/style.css': 'main{}',
}
const env = {
  DESKGATE_SECRET: longSecret('ring'),
  PORTAL_SECRET: longSecret('portal'),
  DESKGATE_ADMIN_TOKEN: longSecret('admin'),
  REDIS_PASSWORD: longSecret('redis'),
  REDIS_URL: 'rediss://redis.internal:6379/0',
  DESK_API_AUTHORIZATION: longSecret('desk'),
}
const outside = async () => {
  const agents = await text('agents.example.yaml')
  return { env, files: { ...files, 'agents.yaml': agents, '../agents.example.yaml': agents } }
}

t.test('what npm run generate writes is what is there', async t => {
  t.equal(await text('reference.yaml'), reference(), 'config/reference.yaml: npm run generate')
  t.equal(await text('schema.json'), editorSchema(), 'config/schema.json: npm run generate')
})

t.test('the reference loads as it is', async t => {
  t.same(problems(await text('reference.yaml'), await outside()), [])
})

t.test('the reference shows the defaults', async t => {
  const { env, files } = await outside()
  const shown = load(await text('reference.yaml'), { env, files })
  const small = load(withoutDefaults(parse(await text('reference.yaml'))), { env, files })
  if (!('config' in shown && 'config' in small)) throw new Error('both load')
  t.same(JSON.parse(JSON.stringify(shown.config)), JSON.parse(JSON.stringify(small.config)))
})

/** Only what has no default. */
function withoutDefaults(shown: { desk: { url: string }; providers: object[] } & Record<string, unknown>): object {
  const { publicUrl, desk, providers, agents } = shown
  const needed = ['id', 'type', 'name', 'metadata', 'loginUrl', 'secrets']
  const short = providers.map(provider =>
    Object.fromEntries(Object.entries(provider).filter(([key]) => needed.includes(key))),
  )
  return { publicUrl, desk: { url: desk.url }, providers: short, agents }
}

t.test('each commented example is a setting of the right form in its place', async t => {
  const lines = (await text('reference.yaml')).split('\n')
  let tried = 0
  for (const [index, line] of lines.entries()) {
    if (!/^ *# [a-zA-Z0-9]+:( [^A-Z]|$| "?[A-Z])/.test(line) || !isExample(line)) continue
    const block = [index, ...following(lines, index)]
    const text = lines.map((one, at) => (block.includes(at) ? one.replace('# ', '') : one)).join('\n')
    const kept = withoutRepeated(text, index)
    const found = problems(kept, await outside()).filter(
      problem => !/not supported yet|cannot be combined with|needs|required unless|sentinel/.test(problem),
    )
    t.same(found, [], line)
    tried++
  }
  t.ok(tried > 25, `${tried} examples`)
})

/** A sentence that looks like `word: …` is not an example: its word is not a key. */
function isExample(line: string): boolean {
  const key = /# ([a-zA-Z0-9]+):/.exec(line)?.[1] ?? ''
  const keys = new Set<string>()
  collect(describeConfig(), keys)
  return keys.has(key) && parseDocument(line.replace(/^ *# /, '')).errors.length === 0 && !/\. |\.$/.test(line)
}

function collect(setting: Described, keys: Set<string>): void {
  for (const [key, inner] of Object.entries(setting.properties ?? {})) {
    keys.add(key)
    collect(inner, keys)
  }
  for (const inner of [setting.items, ...(setting.anyOf ?? []), ...(setting.oneOf ?? [])]) {
    if (inner) collect(inner, keys)
  }
}

/** The lines of an example that continues below its key. */
function following(lines: string[], index: number): number[] {
  const more: number[] = []
  for (let at = index + 1; /^ *# {3,}/.test(lines[at] ?? ''); at++) more.push(at)
  return more
}

/** Takes out the default above an example: a key stands once. */
function withoutRepeated(text: string, index: number): string {
  const lines = text.split('\n')
  const key = /^( *[a-zA-Z0-9]+:)/.exec(lines[index] ?? '')?.[1] ?? '-'
  for (let at = index - 1; at >= 0 && (lines[at]?.trim() ?? '') !== ''; at--) {
    if (lines[at]?.startsWith(key)) lines[at] = ''
  }
  return lines.join('\n')
}

t.test('the reference says of every setting what it is', async t => {
  const bare: string[] = []
  lookForBare(describeConfig(), '', bare)
  t.same(bare, [])
})

function lookForBare(setting: Described, path: string, bare: string[]): void {
  for (const [key, inner] of Object.entries(setting.properties ?? {})) {
    const wordless = [
      'env',
      'file',
      'http',
      'match',
      'roles',
      'paths',
      'whoami',
      'email',
      'cookie',
      'id',
      'name',
      'next',
      'active',
    ]
    if (inner.description === undefined && !wordless.includes(key)) bare.push(`${path}${key}`)
    lookForBare(inner, `${path}${key}.`, bare)
  }
  for (const inner of [setting.items, ...(setting.anyOf ?? []), ...(setting.oneOf ?? [])]) {
    if (inner) lookForBare(inner, path, bare)
  }
}

t.test('the examples load', async t => {
  const names = await readdir(new URL('examples/', folder))
  t.same(names.sort(), ['full.yaml', 'jwt.yaml', 'redis.yaml', 'saml.yaml'])
  for (const name of names) {
    const example = await text(`examples/${name}`)
    t.same(problems(example, await outside()), [], name)
    t.same(load(example, await outside()).warnings, [], name)
  }
})

t.test('every key that is built loads with its documented example value', async t => {
  const settings = {
    publicUrl: 'https://desk.example.com',
    listen: '0.0.0.0:8080',
    tls: { cert: 'tls.crt', key: 'tls.key' },
    prefix: '/auth',
    workers: 1,
    trustedProxies: [],
    secrets: [{ env: 'DESKGATE_SECRET' }],
    desk: {
      url: 'http://desk.internal:3000',
      host: 'public',
      tls: { ca: 'ca.pem', cert: 'c.pem', key: 'k.pem', serverName: 'desk' },
      timeout: '60s',
      public: ['GET /assets/*'],
    },
    site: 'mysite',
    providers: [
      {
        id: 'corp',
        type: 'saml',
        name: 'Aloha Adventures',
        metadata: 'https://idp.example.com/metadata',
        issuer: 'https://idp.example.com',
        loginUrl: 'https://idp.example.com/sso',
        certificates: ['idp.crt'],
        logoutUrl: 'https://idp.example.com/bye',
        entityId: 'mysite',
        idpInitiated: false,
        signRequests: false,
        key: 'sp.key',
        certificate: 'sp.crt',
        wantAssertionsEncrypted: false,
        forceAuthn: false,
        authnContext: [],
        allowSha1: false,
        clockSkew: '60s',
        attributes: { email: 'NameID', name: 'displayName', roles: 'groups' },
        allow: { roles: [], domains: [] },
      },
      {
        id: 'portal',
        type: 'jwt',
        name: 'Aloha Portal',
        loginUrl: 'https://portal.example.com/login',
        logoutUrl: 'https://portal.example.com/logout',
        secrets: [{ env: 'PORTAL_SECRET' }],
        algorithms: ['HS256'],
        maxAge: '3m',
        clockSkew: '60s',
        issuer: null,
        audience: null,
        requireState: false,
        bearer: false,
      },
    ],
    login: { chooser: 'auto', alsoAllowDeskAuthentication: false },
    agents: [{ file: 'agents.yaml' }, { domains: ['example.com'] }],
    access: { paths: [] },
    sessions: {
      store: 'memory',
      idle: '8h',
      lifetime: '24h',
      idleIgnore: [],
      perAgent: 0,
      nearCache: '30s',
      outageGrace: '0s',
    },
    identity: {
      headers: {
        id: 'X-Agent-Id',
        email: 'X-Agent-Email',
        name: 'X-Agent-Name',
        roles: 'X-Agent-Roles',
        provider: 'X-Agent-Provider',
      },
      assertion: { header: 'X-Agent-Assertion', ttl: '60s', audience: null, keys: [] },
    },
    ops: { listen: '127.0.0.1:9090', probes: null, adminToken: { file: 'token' } },
    log: { level: 'info', access: true },
    audit: { to: 'stdout' },
    limits: { header: '32kb', headers: 200, logins: '60/m' },
    drain: '30s',
  }
  t.same(problems(JSON.stringify(settings), await outside()), [])
})

t.test('the agents example is an agents file', async t => {
  const parsed = parseAgents(await text('agents.example.yaml'), 'agents.example.yaml')
  t.match(parsed, {
    agents: [{ email: 'ada@example.com', id: '7', roles: ['admin', 'agent'], active: true }, {}, {}, {}],
  })
})

t.test('the schema for editors is JSON Schema with descriptions', async t => {
  const schema = JSON.parse(await text('schema.json'))
  t.match(schema, {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'urn:deskgate:config',
    title: 'Deskgate configuration',
    required: ['publicUrl', 'desk', 'agents'],
    additionalProperties: false,
  })
  t.equal(schema.properties.drain.default, '30s')
  t.match(schema.properties.secrets.examples, [[{ env: 'DESKGATE_SECRET' }]])
  t.notMatch(JSON.stringify(schema), /"kind":"/)
})
