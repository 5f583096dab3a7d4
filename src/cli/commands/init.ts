// `deskgate init`: writes a first configuration that passes `check`, with the files that it names, and prints what to enter
// at the identity provider.

import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { stringify } from 'yaml'
import { printable } from '../../config/problems.js'
import { siteOf } from '../../server/config-snapshot.js'
import { createPaths } from '../../web/request/paths.js'
import type { ExitCode, Io } from '../io.js'
import { createFiles, type NewFile, removeFiles } from '../new-files.js'
import { check } from './check.js'
import { readConfiguration } from './configuration.js'
import { answersOf, type InitAnswers } from './init-questions.js'

/** `file`: the configuration; the other files are written beside it. */
export async function init(file: string, given: Partial<InitAnswers>, io: Io): Promise<ExitCode> {
  if (existsSync(file)) {
    io.err(`${printable(file)} exists, and is never overwritten: name another file`)
    return 1
  }
  const answers = await answersOf(given, io)
  if (answers === 'stopped') {
    io.err('stopped: nothing was written')
    return 1
  }
  if ('wrong' in answers) {
    for (const problem of answers.wrong) io.err(problem)
    io.err(
      'nothing was written; give the missing flags (see --help), or run init in a terminal, where it asks for them',
    )
    return 2
  }
  const files = filesOf(file, answers)
  const refused = createFiles(files)
  if (refused.length > 0) {
    for (const problem of refused) io.err(problem)
    io.err('nothing was written')
    return 1
  }
  const config = (await check({ config: file }, io)) === 0 ? await readConfiguration(file, io, 'problems') : undefined
  if (!config) {
    removeFiles(files.map(({ path }) => path))
    io.err('the files were removed again: the configuration is not valid with these answers')
    return 1
  }
  const { prefix, publicUrl } = config
  const paths = createPaths(prefix)
  for (const line of [
    ...['', 'Written, readable by this user alone:', ...files.map(({ path }) => `  ${path}`)],
    ...['', 'Enter at the identity provider:'],
    ...(answers.provider === 'saml'
      ? [
          `  ACS URL        ${publicUrl}${paths.acs} (HTTP-POST)`,
          `  Entity ID      ${siteOf(config)}`,
          `  Single logout  ${publicUrl}${paths.slo}`,
          "  NameID         the agent's e-mail address, format emailAddress",
          `  or import      ${publicUrl}${paths.samlMetadata}, or what this prints: deskgate metadata --config ${file}`,
        ]
      : [
          `  Callback URL   ${publicUrl}${paths.jwt}/callback (POST, field jwt; return state and return_to too)`,
          `  Logged out     ${publicUrl}${paths.loggedOut}`,
          answers.jwks
            ? `  Audience       ${answers.audience}`
            : `  Shared secret  the text in ${secretOf(file)}, HS256`,
        ]),
    ...fetchedOf(answers).map(url => `  Not tried      ${url}: deskgate check --online tries it`),
    '  No provider?   docs/identity-providers, "No provider at hand?"',
    ...['', 'Then:', ...nextSteps(file, answers)],
  ]) {
    io.out(line)
  }
  return 0
}

function nextSteps(file: string, { proxy }: InitAnswers): string[] {
  return [
    `  deskgate check --config ${file} --online (publicUrl answers once the gateway and its front run)`,
    `  deskgate serve --config ${file}`,
    `  deskgate doctor --config ${file} (once it runs: a whole login)`,
    '  Let Desk read who the agent is: docs/desks',
    ...(proxy ? ['  The proxy in front: docs/fronts'] : []),
  ]
}

const secretOf = (file: string) => join(dirname(file), 'provider.secret')
/** 48 bytes, of characters that every program can take. */
const newSecret = () => `${randomBytes(48).toString('base64url')}\n`
const yaml = (value: unknown) => stringify(value, { lineWidth: 0 }).trimEnd()
const list = (text: string) => text.split(/[\s,]+/).filter(one => one !== '')

/** What the gateway reads from the provider by itself. */
const fetchedOf = ({ metadata = '', jwks = '' }: InitAnswers) => [metadata, jwks].filter(one => one.includes('://'))

function filesOf(file: string, answers: InitAnswers): NewFile[] {
  const at = (name: string) => join(dirname(file), name)
  // A Redis URL can hold a password.
  const ofStore = answers.store === 'memory' ? [] : [{ path: at('redis.url'), text: `${answers.store}\n` }]
  const ofProvider = answers.provider === 'jwt' && !answers.jwks ? [{ path: secretOf(file), text: newSecret() }] : []
  return [
    { path: file, text: configurationOf(file, answers) },
    { path: at('agents.yaml'), text: agentsOf(answers) },
    { path: at('gateway.secret'), text: newSecret() },
    { path: at('admin.token'), text: newSecret() },
    ...ofProvider,
    ...ofStore,
  ]
}

function agentsOf({ agents }: InitAnswers): string {
  const entries = list(agents).map(email => `- { email: ${JSON.stringify(email)} }\n`)
  return `# Who is an agent; a change counts within seconds: docs/agents.md
# - { email: ana@example.com, id: "7", name: Ana Alvarez, roles: [admin], active: true }
${entries.join('')}`
}

function configurationOf(file: string, answers: InitAnswers): string {
  const { publicUrl, deskUrl, listen, proxy, store } = answers
  const tls = '\n# Without a proxy that ends TLS:\n# tls: { cert: tls.crt, key: tls.key }'
  return `# Every setting and its default: config/reference.yaml. After a change: deskgate check --config ${basename(file)}
# A running gateway reads a changed file by itself.

# The address that agents open. Every URL and cookie is built from it.
publicUrl: ${yaml(publicUrl)}
listen: ${yaml(listen)}${publicUrl.startsWith('https:') && !proxy ? tls : ''}
# The proxies in front whose X-Forwarded-* headers are accepted: docs/fronts
trustedProxies: [${list(proxy)
    .map(one => JSON.stringify(one))
    .join(', ')}]

# Seals cookies and sessions: docs/keys.md
secrets: [{ file: gateway.secret }]

# Agents must not reach Desk past Deskgate: docs/security.md
desk:
  url: ${yaml(deskUrl)}
  # Passed without a login:
  # public: ["GET /assets/*"]
  # Desk's own "Log out" ends the session too:
  # logout: ["GET /logout"]

# Desk reads who the agent is from headers, best from the signed one: docs/desks, docs/assertion.md
# identity: { assertion: { audience: desk } }

${providerOf(file, answers)}

# Who may log in, whatever the provider says: docs/agents.md
agents:
  - file: agents.yaml

# docs/redis.md, docs/sessions.md
sessions:
  store: ${store === 'memory' ? 'memory   # one process; sessions end with it' : '{ file: redis.url }'}
  idle: 8h
  lifetime: 24h

# /live, /ready, /metrics, and the API for deskgate sessions, explain and others: docs/operations.md
ops:
  listen: 127.0.0.1:9090
  # /ready for the health check of the proxy in front (Caddy and HAProxy need it), where that reaches it:
  ${proxy ? '' : '# '}probes: 127.0.0.1:9091
  adminToken: { file: admin.token }
`
}

/** A file is named from the working folder, and read from that of the configuration. */
function place(file: string, source: string): string {
  return source.includes('://') ? source : relative(resolve(dirname(file)), resolve(source))
}

function providerOf(file: string, { provider, name, metadata, loginUrl, jwks, audience }: InitAnswers): string {
  const head = (page: string) => `# Step by step, and what else can be set: ${page}
providers:
  - id: sso
    type: ${provider}
    name: ${yaml(name)}`
  if (provider === 'saml') {
    return `${head('docs/identity-providers')}
    metadata: ${yaml(place(file, metadata ?? ''))}
    # NameID, or the attribute with the e-mail address:
    attributes: { email: NameID }`
  }
  const keys = jwks ? `jwks: ${yaml(place(file, jwks))}` : 'secrets: [{ file: provider.secret }]'
  return `${head('docs/jwt.md')}
    loginUrl: ${yaml(loginUrl)}
    ${keys}${audience ? `\n    audience: ${yaml(audience)}` : ''}
    # false: logins may begin at the provider
    requireState: true`
}
