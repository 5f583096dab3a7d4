// What may be shown of a configuration, and that nothing else is, however it comes to be printed.

import { format, inspect } from 'node:util'
import t from 'tap'
import { parse } from 'yaml'
import { printConfig } from '../../src/config/print.js'
import { createLog } from '../../src/ops/log.js'
import { curveKey, jwtProvider, loaded, longSecret, rsaPair, samlProvider, settings } from '../parts/configuration.js'

const pair = rsaPair()
const files = {
  'tls.crt': pair.certificate,
  'tls.key': pair.key,
  'sp.key': pair.key,
  'identity.key': curveKey('P-256'),
  'agents.yaml': '- email: somebody@example.com\n',
  secret: longSecret('hidden-file'),
}
const config = loaded(
  settings({
    tls: { cert: 'tls.crt', key: 'tls.key' },
    secrets: [{ file: 'secret' }, { env: 'RING' }],
    desk: { url: 'https://desk.internal', timeout: '90s', tls: { cert: 'tls.crt', key: 'tls.key' } },
    providers: [
      { ...jwtProvider, secrets: [longSecret('hidden-literal')] },
      { ...samlProvider, certificate: 'tls.crt', key: 'sp.key' },
    ],
    agents: [{ file: 'agents.yaml' }],
    sessions: { store: { url: 'rediss://user:hidden-in-url@redis', password: 'hidden-password' }, lifetime: '36h' },
    identity: { assertion: { keys: ['identity.key'] } },
    ops: { adminToken: longSecret('hidden-token') },
    drain: '0s',
    limits: { header: '1mb' },
  }),
  { files, env: { RING: longSecret('hidden-env') } },
)

/** Nothing of a secret, and nothing of a private key: not even a line of it. */
const hidden = new RegExp(
  ['hidden-', 'PRIVATE KEY', ...Object.values(files).flatMap(bodyOfKey)]
    .map(text => text.replace(/[+/]/g, '\\$&'))
    .join('|'),
)

function bodyOfKey(text: string): string[] {
  return text.includes('PRIVATE KEY') ? text.split('\n').slice(1, -2) : []
}

const ways: Record<string, () => string> = {
  'util.inspect': () => inspect(config, { depth: 20 }),
  'console.log with %o': () => format('%o %O %j %s', config, config, config, config),
  'JSON.stringify': () => JSON.stringify(config),
  'a template': () => `${config.secrets} ${config.sessions.store.url} ${Object.entries(config.tls ?? {})}`,
  'YAML by printConfig': () => printConfig(config, 'yaml'),
  'JSON by printConfig': () => printConfig(config, 'json'),
  'a spread copy': () => JSON.stringify({ ...config.tls?.key, ...config.secrets[0] }),
  'the log': () => {
    let line = ''
    createLog({ level: 'info' }, { write: text => (line += text) }).info({ config }, 'loaded')
    return line
  },
}

for (const [name, show] of Object.entries(ways)) {
  t.test(`${name} shows no secret and no private key`, async t => {
    t.notMatch(show(), hidden)
  })
}

t.test('the secrets are there all the same', async t => {
  t.equal(config.secrets[0]?.reveal(), longSecret('hidden-file'))
  t.equal(config.tls?.key.text, pair.key)
  t.equal(config.desk.tls?.key?.text, pair.key)
  t.equal(config.identity.assertion.keys[0]?.text, files['identity.key'])
  t.match(config.providers[1], { key: { text: pair.key } })
})

t.test('it prints what an operator would write, the same as YAML and as JSON', async t => {
  const yaml = parse(printConfig(config, 'yaml'))
  t.same(yaml, JSON.parse(printConfig(config, 'json')))
  t.match(yaml, {
    publicUrl: 'https://desk.example.com',
    tls: { cert: '/etc/deskgate/tls.crt', key: '[secret]' },
    secrets: ['[secret]', '[secret]'],
    desk: { timeout: '90s', tls: { key: '[secret]' } },
    providers: [
      { id: 'portal', secrets: ['[secret]'], maxAge: '3m', clockSkew: '1m' },
      { key: '[secret]', certificate: '/etc/deskgate/tls.crt', metadata: { url: 'https://idp.example.com/metadata' } },
    ],
    agents: [{ file: '/etc/deskgate/agents.yaml' }],
    sessions: { store: { url: '[secret]', password: '[secret]' }, idle: '8h', lifetime: '36h' },
    identity: { assertion: { header: 'X-Agent-Assertion', ttl: '1m', keys: ['[secret]'] } },
    ops: { adminToken: '[secret]' },
    limits: { header: '1024kb', headers: 200 },
    drain: '0s',
  })
  t.match(printConfig(loaded(settings()), 'yaml'), 'url: memory')
})
