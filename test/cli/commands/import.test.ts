// `deskgate import`: every documented option of each peer is mapped or named, real configurations become ones that `check`
// accepts, and what cannot be said in ours lets nobody in.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { importFrom, peers } from '../../../src/cli/commands/import.js'
import { loadConfig } from '../../../src/config/load.js'
import { openGuide } from '../../parts/guide.js'
import { openShell } from '../../parts/guide-shell.js'
import { idpMetadata } from '../../parts/idp-metadata.js'
import { newSigningKey } from '../../parts/saml-idp.js'

const root = join(import.meta.dirname, '../../..')
const text = (path: string) => readFileSync(join(root, path), 'utf8')

function imported(t: Test, kind: string, source: string, output?: string) {
  const folder = mkdtempSync(join(tmpdir(), 'deskgate-import-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'theirs')
  writeFileSync(file, source)
  const [out, err]: [string[], string[]] = [[], []]
  const io = { env: {}, out: (line: string) => void out.push(line), err: (line: string) => void err.push(line) }
  const code = importFrom(kind, file, output === undefined ? {} : { output: join(folder, output) }, io)
  return { code, config: parse(out.join('\n')), yaml: out.join('\n'), err, folder }
}

const documents = { 'oauth2-proxy': 'oauth2-proxy', 'saml-auth-proxy': 'saml-auth-proxy', mellon: 'mod_auth_mellon' }
const optionsOf = (document: string) => text(`test/docs/peers/${document}.txt`).trim().split('\n').slice(1)
const all: Record<string, (options: string[]) => string[]> = {
  'oauth2-proxy': options => [
    options.map(option => `${option.replaceAll('-', '_')} = "true"`).join('\n'),
    options.map(option => `--${option}=true`).join(' \\\n  '),
    options.map(option => `OAUTH2_PROXY_${option.toUpperCase().replaceAll('-', '_')}=true`).join('\n'),
  ],
  'saml-auth-proxy': options => [
    options.map(option => `--${option} value`).join(' '),
    options.map(option => `- SAML_PROXY_${option.toUpperCase().replaceAll('-', '_')}=value`).join('\n'),
  ],
  mellon: options => [options.map(option => `  ${option.toLowerCase()} value`).join('\n')],
}

for (const [kind, document] of Object.entries(documents)) {
  t.test(`${kind}: every documented option is carried over or named, as the page says`, async t => {
    const { rows, converters } = peers[kind] ?? {}
    const page = [...text(`docs/from/${document}.md`).matchAll(/^\| `(?:--)?([^`]+)` \| ([^|]+) \| ([^|]*) \|$/gm)]
    for (const [, option = '', ours = '', note = ''] of page) {
      t.same(rows?.get(option), { ours: ours.replaceAll('`', ''), note: note.trim() }, option)
    }
    const options = optionsOf(document)
    for (const source of all[kind]?.(options) ?? []) {
      const { code, err } = imported(t, kind, source)
      t.equal(code, 0)
      for (const option of options) {
        const named = err.some(line => line.startsWith(`${option}: `))
        t.ok(named || converters?.[option], `${option} is named, or mapped to ${rows?.get(option)?.ours}`)
      }
      t.notOk(err.find(line => line.includes('unknown option')))
    }
  })
}

/** Whether ours loads, with the files that it names. */
async function loads(t: Test, { folder, yaml }: { folder: string; yaml: string }, files: string[] = []) {
  const { key, certificate } = newSigningKey('desk.example.com')
  for (const name of files) writeFileSync(join(folder, name), name.endsWith('.key') ? key : certificate)
  writeFileSync(join(folder, 'idp-metadata.xml'), '<md/>')
  writeFileSync(join(folder, 'agents.yaml'), '- { email: ana@example.com }')
  writeFileSync(join(folder, 'deskgate.yaml'), yaml)
  const env = { DESKGATE_SECRET: 'a-key-ring-of-the-test-0123456789-abcdef', REDIS_PASSWORD: 'pw' }
  const loaded = await loadConfig(join(folder, 'deskgate.yaml'), env)
  t.same('problems' in loaded ? loaded.problems : [], [])
}

t.test('oauth2-proxy: a configuration file', async t => {
  const result = imported(
    t,
    'oauth2-proxy',
    `# the proxy of the help desk
http_address = "0.0.0.0:4180"
upstreams = [ "http://127.0.0.1:3000/", "file:///var/www/#/static" ]
redirect_url = "https://desk.example.com/oauth2/callback"
email_domains = [ "example.com", ".example.org" ]
cookie_secret = "a-secret-of-theirs"
cookie_expire = "12h30m0s"
client_secret = 'another "secret"'
skip_auth_routes = [ "GET=^/assets/", '^/health$', "^/api/v[0-9]+/" ]
redis_connection_url = "redis://redis.internal:6379/1"
redis_password = "a-password"
pass_host_header = false
`,
  )
  t.match(result.config, {
    publicUrl: 'https://desk.example.com',
    listen: '0.0.0.0:4180',
    desk: { url: 'http://127.0.0.1:3000', public: ['GET /assets/*', '/health'], host: 'upstream' },
    agents: [{ domains: ['example.com'] }],
    sessions: {
      lifetime: '750m',
      store: { url: 'redis://redis.internal:6379/1', password: { env: 'REDIS_PASSWORD' } },
    },
    identity: { headers: { email: 'X-Forwarded-Email' }, format: { encoding: 'utf8' } },
  })
  const err = result.err.join('\n')
  t.match(err, /^cookie-secret: not carried over; the Deskgate setting is secrets/m)
  t.match(err, /^skip-auth-route: not carried over: \^\/api/m)
  t.match(err, /^upstream: there is one Desk: 1 further/m)
  t.match(err, /^email-domain: subdomains/m)
  t.notMatch(err + result.yaml, /a-secret-of-theirs|another|a-password/)
  await loads(t, result)
})

t.test('the commands of docs/from/README.md', async t => {
  const { commandBlock, everyBlockRan } = openGuide('docs/from/README.md')
  const { certificate } = newSigningKey('idp.example.com')
  const shell = await openShell(t, {
    'oauth2-proxy.cfg': `redirect_url = "https://desk.example.com/oauth2/callback"
upstreams = ["http://127.0.0.1:3000"]
authenticated_emails_file = "emails"
cookie_secret = "a-secret-of-theirs"
`,
    'idp-metadata.xml': idpMetadata([certificate]),
    'agents.yaml': '- { email: ana@example.com }',
  })
  const { code, stdout, stderr } = await shell.run(commandBlock('deskgate import'))
  t.equal(code, 0, stdout)
  t.match(stderr, /^cookie-secret: not carried over; the Deskgate setting is secrets: /m)
  t.notMatch(readFileSync(join(shell.folder, 'deskgate.yaml'), 'utf8'), 'a-secret-of-theirs')
  everyBlockRan(t)
})

t.test('oauth2-proxy: a limit that is lost lets in only those whom an agents file names', async t => {
  const lines = ['upstreams = ["http://127.0.0.1:3000"]', 'email_domains = ["example.com"]', 'github_org = "desk"']
  const { config, err } = imported(t, 'oauth2-proxy', lines.join('\n'))
  t.same(config.agents, [{ file: 'agents.yaml' }])
  t.match(err.join('\n'), /^agents: a domain alone would let in more people/m)
  for (const lost of ['made_up = 1', 'alpha_config = "alpha.yaml"']) {
    t.same(imported(t, 'oauth2-proxy', [...lines.slice(0, 2), lost].join('\n')).config.agents, [
      { file: 'agents.yaml' },
    ])
  }
  t.match(imported(t, 'oauth2-proxy', 'made_up = 1').err, [/^made-up: unknown option$/])
  t.same(imported(t, 'oauth2-proxy', 'email_domains = ["*"]').config.agents, [{ file: 'agents.yaml' }])
})

t.test('oauth2-proxy: words of its own, a logo and a footer', async t => {
  const { config, err } = imported(
    t,
    'oauth2-proxy',
    'footer = "Aloha"\ncustom_sign_in_logo = "logo.svg"\nbanner = "Hi"',
  )
  t.same(config.pages, { footer: 'Aloha', logo: 'logo.svg' })
  t.match(err.join('\n'), /^banner: not carried over; the Deskgate setting is pages\.texts: /m)
  for (const not of ['footer = "<b>Aloha</b>"', 'footer = "-"', 'custom_sign_in_logo = "https://example.com/logo"']) {
    t.equal(imported(t, 'oauth2-proxy', not).config.pages, undefined, not)
  }
})

t.test('oauth2-proxy: where its options stand', async t => {
  const upstream = 'http://127.0.0.1:3000'
  for (const source of [
    `# or OAUTH2_PROXY_UPSTREAMS, or --upstream\nupstreams = ["${upstream}"]`,
    `ExecStart=/usr/bin/oauth2-proxy --upstream=${upstream}/ --email-domain example.com`,
    `Environment="OAUTH2_PROXY_UPSTREAMS=${upstream}"`,
    `    env:\n    - name: OAUTH2_PROXY_UPSTREAMS\n      value: "${upstream}"\n    args:\n    - --email-domain=example.com`,
    `command: [oauth2-proxy, "--upstream=${upstream}", '--email-domain=example.com']`,
  ]) {
    t.equal(imported(t, 'oauth2-proxy', source).config.desk?.url, upstream, source)
  }
  const run = imported(
    t,
    'oauth2-proxy',
    'docker run -e OAUTH2_PROXY_ALLOWED_GROUPS=desk image --email-domain=example.com',
  )
  t.match(run, {
    code: 1,
    err: [/OAUTH2_PROXY_ALLOWED_GROUPS is not read in this place: write .* nothing was written$/],
  })
  const reference = imported(
    t,
    'oauth2-proxy',
    '--upstream=http://desk:3000 --client-secret=$OAUTH2_PROXY_CLIENT_SECRET',
  )
  t.equal(reference.code, 0)
})

t.test('saml-auth-proxy: flags in a shell, and variables', async t => {
  const flags = `exec saml-auth-proxy --base-url https://desk.example.com --backend-url "http://desk.internal:3000" \\
  --idp-metadata-url=file://idp-metadata.xml --attribute-header-mappings 'department=X-Department,phone=X-Phone' \\
  --allow-idp-initiated --sp-key-path saml.key --sp-cert-path saml.crt --sign-requests --cookie-max-age 4h stray
`
  const result = imported(t, 'saml-auth-proxy', flags)
  const [provider] = result.config.providers
  t.match(provider, { metadata: 'idp-metadata.xml', idpInitiated: true, signRequests: true, key: 'saml.key' })
  t.same(provider.attributes, { headers: { 'X-Department': 'department', 'X-Phone': 'phone' } })
  t.match(result.config, { publicUrl: 'https://desk.example.com', sessions: { lifetime: '4h' } })
  t.match(result.err, [/^a word that belongs to no option/])
  await loads(t, result, ['saml.key', 'saml.crt'])
  const variables = '# env\nexport SAML_PROXY_BASE_URL="https://desk.example.com"\nSAML_PROXY_ENTITY_ID=our desk\n'
  t.match(imported(t, 'saml-auth-proxy', variables).config, {
    publicUrl: 'https://desk.example.com',
    providers: [{ entityId: 'our desk' }],
  })
})

t.test('mellon: quotes, continued lines, includes and sections', async t => {
  const result = imported(
    t,
    'mellon',
    `<VirtualHost *:443>
  ServerName desk.example.com
  ProxyPass "/" "http://127.0.0.1:3000/"
  IncludeOptional conf.d/*.conf
  <Location />
    AuthType Mellon
    MellonEnable "auth"
    mellonendpointpath /mellon/
    MellonIdPMetadataFile idp-metadata.xml
    MellonSPentityId "https://desk.example.com/the \\"desk\\""
    MellonSessionLength \\
      28800
    MellonSetEnv "department" "urn:oid:2.5.4.11"
    MellonUnheardOf on
  </Location>
  <Location /assets>
    MellonEnable off
  </Location>
  <LocationMatch "^/x">
    MellonEnable off
  </LocationMatch>
  <Location /admin>
    MellonRequire groups admin owner
    MellonCond groups "^x" [REG]
  </Location>
</VirtualHost>`,
  )
  t.match(result.config, {
    publicUrl: 'https://desk.example.com',
    prefix: '/mellon',
    desk: { url: 'http://127.0.0.1:3000', public: ['/assets', '/assets/*'] },
    sessions: { lifetime: '8h' },
    access: { paths: [{ match: '/admin', roles: ['admin', 'owner'] }, { match: '/admin/*' }] },
  })
  t.match(result.config.providers, [
    {
      entityId: 'https://desk.example.com/the "desk"',
      attributes: { roles: 'groups', headers: { 'X-Mellon-department': 'urn:oid:2.5.4.11' } },
    },
  ])
  t.equal(result.config.desk.public.length, 2)
  const err = result.err.join('\n')
  t.match(err, /^IncludeOptional conf\.d\/\*\.conf: not read; import that file too$/m)
  t.match(err, /^AuthType: a directive of Apache/m)
  t.match(err, /^MellonUnheardOf: unknown option$/m)
  t.match(err, /^MellonEnable: off in a section other than <Location>/m)
  t.match(err, /^MellonCond: not carried over: groups in \/admin/m)
  await loads(t, result)
})

t.test('mellon: two sites are not mixed, and forms are kept as by default', async t => {
  const site = (path: string) =>
    `<VirtualHost *:443>\n<Location ${path}>\nMellonEnable off\n</Location>\n</VirtualHost>\n`
  t.match(imported(t, 'mellon', site('/a') + site('/b')), { code: 1, err: [/several virtual hosts .* one at a time/] })
  const plain = '<VirtualHost *:80>\nServerName desk.example.com\n</VirtualHost>\n'
  t.equal(imported(t, 'mellon', plain + site('/a')).code, 0)
  t.match(
    imported(t, 'mellon', 'MellonPostReplay On').err[0],
    /^MellonPostReplay: .*; the Deskgate setting is login\.keepPost: /,
  )
  t.same(imported(t, 'mellon', 'MellonPostReplay Off').config.login, { keepPost: null })
})

t.test('mellon: a path stays closed where a login is required beneath it', async t => {
  const source = '<Location /a>\nMellonEnable off\n</Location>\n<Location /a/private>\nMellonEnable auth\n</Location>'
  const { config, err } = imported(t, 'mellon', `${source}\n<Location />\nMellonEnable off\n</Location>`)
  t.same(config.desk.public, [])
  t.equal(err.filter(line => line.startsWith('MellonEnable: off in')).length, 2)
})

t.test('what cannot be read, and an output that exists', async t => {
  const secret = 'client_secret = "a-secret'
  const broken = imported(t, 'oauth2-proxy', `provider = "oidc"\n${secret}`)
  t.match(broken, { code: 1, err: [/invalid TOML at line 2, column \d+; nothing was written/] })
  t.notMatch(broken.err.join(), 'a-secret')
  t.match(imported(t, 'mellon', '# nothing'), { code: 1, err: [/no option of mellon found/] })
  const taken = imported(t, 'mellon', 'MellonUser mail', 'theirs')
  t.match(taken, { code: 1, err: [/theirs exists, and is never overwritten; nothing was written/] })
  t.equal(readFileSync(join(taken.folder, 'theirs'), 'utf8'), 'MellonUser mail')
  const io = { env: {}, out: () => {}, err: () => {} }
  t.equal(importFrom('mellon', '/nowhere/at/all', {}, io), 1)
})
