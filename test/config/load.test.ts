// Loading a configuration: every mistake at once and in its place, and a frozen configuration when there is none.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { loadConfig } from '../../src/config/load.js'
import { formatProblem } from '../../src/config/problems.js'
import { createTestClock } from '../parts/clock.js'
import { load, loadValid, longSecret, problems, settings } from '../parts/configuration.js'

t.test('twelve different mistakes in one file are found in one run, each in its place', async t => {
  const text = `publicUrl: https://desk.example.com/desk
listen: 0.0.0.0:80800
trustedProxies: [10.0.0.0/8, 10.0.0.0/99]
secrets:
  - { env: DESKGATE_SECRET }
  - changeme
desk:
  url: http://desk.internal:3000
  timeout: 5 minutes
providers:
  - id: corp
    type: saml
    name: Corp
    issuer: https://idp.example.com
    certificates: [idp.crt]
  - id: corp
    type: jwt
    name: Portal
    loginUrl: https://portal.example.com/login
    secrets: [{ env: PORTAL_SECRET }]
    algorithms: [RS256]
agents:
  - domain: [example.com]
sessions:
  idel: 8h
  perAgent: -3
identity:
  headers: { email: Cookie }
`
  const found = problems(text, { env: { PORTAL_SECRET: longSecret('portal') } })
  t.same(found, [
    'deskgate.yaml:1:1 publicUrl: invalid origin (scheme, host and port only, such as https://desk.example.com)',
    'deskgate.yaml:2:1 listen: has a port above 65535',
    'deskgate.yaml:3:30 trustedProxies[1]: invalid CIDR (such as 10.0.0.0/8 or 192.0.2.7/32)',
    'deskgate.yaml:5:5 secrets[0]: the variable DESKGATE_SECRET is not set',
    'deskgate.yaml:6:5 secrets[1]: has 8 bytes: at least 32 are needed (openssl rand -base64 32)',
    'deskgate.yaml:9:3 desk.timeout: invalid duration (such as 500ms, 30s, 5m, 8h or 7d)',
    'deskgate.yaml:11:5 providers[0].loginUrl: is missing (required without metadata)',
    'deskgate.yaml:15:20 providers[0].certificates[0]: the file /etc/deskgate/idp.crt does not exist',
    'deskgate.yaml:16:5 providers[1].id: same id as providers[0]',
    'deskgate.yaml:21:18 providers[1].algorithms[0]: does not work with secrets (secrets need HS256)',
    'deskgate.yaml:23:5 agents[0]: invalid source (did you mean domains?)',
    'deskgate.yaml:25:3 sessions.idel: unknown setting (did you mean idle?)',
    'deskgate.yaml:26:3 sessions.perAgent: must be at least 0',
    'deskgate.yaml:28:14 identity.headers.email: reserved: this header already has a meaning in requests (choose another name, such as X-Agent-Email)',
  ])
})

t.test('the form of a value is told apart from its lack', async t => {
  const text = `publicUrl:
desk: { url: [http://a], host: pubic, timeout: 60, public: GET /a }
providers:
  - { id: 7, type: jwtt, name: x }
  - { id: a, name: x }
  - { id: b, type: jwt, name: "", loginUrl: "javascript:alert(1)", requireState: yes, secrets: [{ fil: a }, 7] }
  - corp
agents: []
limits: { headers: 1.5, header: 1kb }
sessions: { store: { url: memory, pasword: x }, idle: 0s, lifetime: 9999d }
ops: { adminToken: {} }
timeout: 5s
constructor: 1
`
  t.same(problems(text), [
    'deskgate.yaml:1:1 publicUrl: has no value (scheme, host and port only, such as https://desk.example.com)',
    'deskgate.yaml:2:9 desk.url: invalid origin (scheme, host and port only, such as http://desk.internal:3000)',
    'deskgate.yaml:2:26 desk.host: must be public or upstream (did you mean public?)',
    'deskgate.yaml:2:39 desk.timeout: invalid duration (such as 500ms, 30s, 5m, 8h or 7d)',
    'deskgate.yaml:2:52 desk.public: must be a list (put it in [ ])',
    'deskgate.yaml:4:14 providers[0].type: unknown type of provider (saml or jwt)',
    'deskgate.yaml:5:5 providers[1].type: is missing (saml or jwt)',
    'deskgate.yaml:6:25 providers[2].name: must not be empty',
    'deskgate.yaml:6:35 providers[2].loginUrl: invalid http or https URL',
    'deskgate.yaml:6:68 providers[2].requireState: must be true or false',
    'deskgate.yaml:6:97 providers[2].secrets[0]: invalid secret (did you mean file?)',
    'deskgate.yaml:6:109 providers[2].secrets[1]: invalid secret ({ env: NAME }, { file: PATH } or a string)',
    'deskgate.yaml:7:5 providers[3]: must be a mapping',
    'deskgate.yaml:8:1 agents: must name at least one source (there is no default: name the source of your agents)',
    'deskgate.yaml:9:11 limits.headers: must be a whole number',
    'deskgate.yaml:9:25 limits.header: is less than 8kb',
    'deskgate.yaml:10:35 sessions.store.pasword: unknown setting (did you mean password?)',
    'deskgate.yaml:10:49 sessions.idle: is shorter than 1s',
    'deskgate.yaml:10:59 sessions.lifetime: is longer than 400d',
    'deskgate.yaml:11:8 ops.adminToken: invalid secret ({ env: NAME }, { file: PATH } or a string)',
    'deskgate.yaml:12:1 timeout: unknown setting here (there is desk.timeout: check the indentation)',
    'deskgate.yaml:13:1 constructor: unknown setting here',
  ])
})

t.test('a number, or a list, where a text is needed says what to do', async t => {
  const found = problems('publicUrl: 7\nsite: 8\ndesk: []\nlisten: true\n')
  t.match(found.join('\n'), 'site: must be a string (put it in quotes)')
  t.match(found.join('\n'), 'desk: must be a mapping')
  t.match(found.join('\n'), 'listen: invalid address (host:port or unix:/path)')
})

t.test('what is not a configuration at all is one clear problem with its place', async t => {
  const cases: [string, string][] = [
    ['', '1:1 (file): is empty'],
    ['# only a comment\n', '1:1 (file): is empty'],
    ['- a\n- b\n', '1:1 (file): not a mapping of settings'],
    ['just text', '1:1 (file): not a mapping of settings'],
    ['a: 1\n---\nb: 2\n', '2:1 (yaml): contains several documents; only one is allowed'],
    ['desk:\n\turl: x\n', '2:1 (yaml): is indented with a tab: use spaces'],
    [
      'desk: { url: x\nlisten: y\n',
      '2:1 (yaml): invalid YAML from here on; a [ or { above is not closed or lacks a comma, or this line is not indented enough',
    ],
  ]
  for (const [text, expected] of cases) t.same(problems(text), [`deskgate.yaml:${expected}`], JSON.stringify(text))
})

t.test('a syntax error does not show the secret beside it', async t => {
  const texts = [
    'secrets: |hunter2',
    '"x"\n"hunter2"',
    'secrets: ["a" hunter2]',
    'a: "b" "hunter2"',
    '}hunter2',
    '@hunter2',
    'a: !<hunter2> b',
  ]
  for (const text of texts) {
    const found = problems(`site: x\n${text}`)
    t.ok(found.length > 0, text)
    t.notMatch(found.join(), /hunter2/)
  }
})

t.test('a secret in the wrong place is not shown', async t => {
  const secret = 'hunter2-hunter2-hunter2'
  const wrong = { publicUrl: secret, listen: secret, drain: secret, log: { level: secret }, secrets: secret }
  const found = problems(
    settings({ ...wrong, ops: { adminToken: [secret], listen: secret }, sessions: { store: secret } }),
  )
  t.ok(found.length >= 7)
  t.notMatch(found.join(), /hunter2/)
})

t.test('a key that stands twice, or is not a name, is told', async t => {
  const found = problems('site: a\nsite: b\n__proto__: { x: 1 }\n? [a, b]\n: 1\n? { c: d }\n: 1\n')
  t.match(found, [
    /^deskgate.yaml:1:1 /,
    /^deskgate.yaml:1:1 /,
    /^deskgate.yaml:1:1 /,
    /^deskgate.yaml:1:1 /,
    'deskgate.yaml:2:1 site: duplicate key',
    'deskgate.yaml:3:1 (yaml): invalid key',
    'deskgate.yaml:4:3 (yaml): invalid key',
    'deskgate.yaml:6:3 (yaml): invalid key',
  ])
})

t.test('tags, directives and control characters are told', async t => {
  const base = JSON.stringify(settings()).slice(1, -1)
  t.same(
    problems(`{ ${base}, "site": !env SITE }`).map(line => line.replace(/^\S+ /, '')),
    ['(yaml): unsupported tag or directive'],
  )
  for (const value of ['"a\\x07"', '"\\ud800"', '"\\e[31m"', '"a\\u0085"']) {
    t.match(problems(`{ ${base}, "site": ${value} }`), [/site: contains a control character$/], value)
  }
  t.match(
    problems('"a\\x1b[31mb\\n": 1').join(),
    '["a [31mb "]: unknown setting here',
    'nor do they reach the terminal',
  )
})

t.test('an alias stands for what it names, and a mistake in it is told where it is used', async t => {
  const text = `publicUrl: https://desk.example.com
desk: { url: http://desk.internal:3000, timeout: &long 2m }
providers: [{ id: portal, type: jwt, name: P, loginUrl: https://p.example.com, secrets: [${longSecret('p')}] }]
agents: [{ any: true }]
drain: *long
`
  t.equal(loadValid(text).drain, 120_000)
  t.match(problems(text.replace('2m', '2 min')), [/^deskgate.yaml:2:41 desk.timeout: /, /^deskgate.yaml:5:1 drain: /])
  t.same(problems(text.replace('*long', '*short')), [
    'deskgate.yaml:5:1 drain: uses an alias that is not defined above',
  ])
})

t.test('a small configuration gets the defaults', async t => {
  const config = loadValid(settings())
  t.match(config, {
    publicUrl: 'https://desk.example.com',
    listen: '0.0.0.0:8080',
    prefix: '/auth',
    workers: 1,
    drain: 30_000,
    desk: { host: 'public', timeout: 60_000, public: [] },
    providers: [{ maxAge: 180_000, clockSkew: 60_000, issuer: null, requireState: false }],
    sessions: { idle: 28_800_000, lifetime: 86_400_000, nearCache: 30_000 },
    identity: { headers: { email: 'X-Agent-Email' }, assertion: { ttl: 60_000, keys: [] } },
    ops: { listen: '127.0.0.1:9090', probes: null },
    limits: { header: 32_768, headers: 200 },
    audit: { to: ['stdout'] },
  })
  t.equal(config.sessions.store.url.reveal(), 'memory')
  t.same(load(settings()).warnings, [])
})

t.test('origins are taken as browsers write them', async t => {
  const config = loadValid(settings({ publicUrl: 'https://DESK.example.com:443/', desk: { url: 'http://Desk:80' } }))
  t.equal(config.publicUrl, 'https://desk.example.com')
  t.equal(config.desk.url, 'http://desk')
  for (const url of [
    'https://u@a.example',
    'https://a.example/x',
    'https://a.example?',
    'https://a.example#',
    'ftp://a.example',
    'a.example',
  ]) {
    t.match(problems(settings({ publicUrl: url })), [/publicUrl: invalid origin/], url)
  }
})

t.test('the configuration is frozen to the bottom', async t => {
  const config = loadValid(settings({ secrets: [longSecret('ring')], desk: { url: 'http://d', public: ['/a'] } }))
  const frozen = (value: unknown): boolean =>
    typeof value !== 'object' || value === null || (Object.isFrozen(value) && Object.values(value).every(frozen))
  t.ok(frozen(config))
  t.throws(() => {
    ;(config.desk.public as string[]).push('/b')
  }, TypeError)
})

t.test('loading twice gives the same, from defaults that nobody shares', async t => {
  t.same(JSON.stringify(loadValid(settings())), JSON.stringify(loadValid(settings())))
})

t.test('files', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-config-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await mkdir(join(folder, 'conf'))
  const file = join(folder, 'conf', 'deskgate.yaml')
  const write = (changes: Record<string, unknown>) => writeFile(file, JSON.stringify(settings(changes)))
  const clock = createTestClock()
  const say = async (env = {}) => {
    const result = await loadConfig(file, env, clock)
    return 'config' in result ? [] : result.problems.map(formatProblem)
  }

  t.test('relative paths are taken from the folder of the configuration', async t => {
    await writeFile(join(folder, 'secret'), `${longSecret('ring')}\n`)
    await writeFile(join(folder, 'conf', 'agents.yaml'), '- email: a@example.com\n')
    await write({ secrets: [{ file: '../secret' }], agents: [{ file: 'agents.yaml' }], audit: { to: 'audit.log' } })
    const result = await loadConfig(file, {}, clock)
    if (!('config' in result)) throw new Error(result.problems.map(formatProblem).join('\n'))
    t.equal(result.config.secrets[0]?.reveal(), longSecret('ring'), 'less the line break at its end')
    t.match(result.config.agents, [{ file: { path: join(folder, 'conf', 'agents.yaml') } }])
    t.same(result.config.audit.to, [join(folder, 'conf', 'audit.log')])
  })

  t.test('a variable that is not set, or empty, is named; so is a file that cannot be read', async t => {
    await writeFile(join(folder, 'empty'), '\n')
    await writeFile(join(folder, 'binary'), Buffer.from([0xff, 0xfe, 0x00]))
    await writeFile(join(folder, 'large'), Buffer.alloc(4 * 1024 * 1024 + 1))
    await write({
      secrets: [
        { env: 'NONE' },
        { env: 'BLANK' },
        ...['none', '', '../empty', '../binary', '../large', 'a\0b'].map(path => ({ file: path })),
      ],
    })
    const found = (await say({ BLANK: '' })).map(line => line.replace(/^\S+ secrets/, ''))
    t.same(found.slice(0, 7), [
      '[0]: the variable NONE is not set',
      '[1]: the variable BLANK is empty',
      `[2]: the file ${join(folder, 'conf', 'none')} does not exist`,
      '[3].file: must not be empty',
      `[4]: the file ${join(folder, 'empty')} is empty`,
      `[5]: the file ${join(folder, 'binary')} is not UTF-8 text`,
      `[6]: the file ${join(folder, 'large')} is larger than 4 MB`,
    ])
    t.match(found[7], /\[7\].*control character/)
    await write({ secrets: [{ file: '.' }, { file: '/dev/null' }] })
    t.match(await say(), [/conf is not a file/, /\/dev\/null is not a file/])
  })

  t.test('a configuration that cannot be read is one problem', async t => {
    const at = async (path: string) => {
      const result = await loadConfig(path, {}, clock)
      return 'config' in result ? [] : result.problems.map(formatProblem)
    }
    t.same(await at(join(folder, 'none.yaml')), [`${join(folder, 'none.yaml')}:1:1 (file): does not exist`])
    t.same(await at(folder), [`${folder}:1:1 (file): is a folder`])
    t.match(await at(join(folder, 'binary')), [/is not UTF-8 text/])
    t.match(await at(join(folder, 'large')), [/is larger than 1 MB/])
    t.match(await at('/dev/zero'), [/is larger than 1 MB/])
  })

  t.test('mistakes in an agents file stand under its own name and lines', async t => {
    await writeFile(join(folder, 'conf', 'agents.yaml'), '- email: a@example.com\n- email: A@example.com\n  nmae: B\n')
    await write({ agents: [{ file: 'agents.yaml' }] })
    const agents = join(folder, 'conf', 'agents.yaml')
    t.same(await say(), [
      `${agents}:2:3 [1].email: same address as [0]`,
      `${agents}:3:3 [1].nmae: unknown setting (did you mean name?)`,
    ])
  })
})
