// Deskgate as operators run it, built, on a Redis of its own, with the session of a real login.

import { join } from 'node:path'
import { systemClock } from '../../src/runtime/clock.js'
import { writeConfiguration } from '../../test/parts/gateway.js'
import { createIdentityProvider, logIn } from '../../test/parts/identity-provider.js'
import { freePort } from '../../test/parts/ports.js'
import { startRedis } from '../../test/parts/redis.js'
import { createUserAgent } from '../../test/parts/user-agent.js'
import { email } from './desk.js'
import { gatewayCore } from './machine.js'
import type { Peer, Running } from './peer.js'
import { startProgram } from './program.js'

const publicUrl = 'https://desk.example.com'
const built = join(import.meta.dirname, '../../dist/main.js')

export interface DeskgateOptions {
  deskPort: number
  /** The Node that runs it. */
  node: string
  /** Its program; by default that of this checkout. */
  main?: string
  /** As the configuration writes them. */
  nearCache?: string
  /** The file for its log, with a line for each request. */
  access?: string
  /** access.paths */
  rules?: readonly object[]
}

export async function startDeskgate(options: DeskgateOptions): Promise<Running> {
  const { deskPort, node, main = built, nearCache = '30s', access, rules } = options
  const port = await freePort()
  const redis = await startRedis({ process: 'own' })
  const idp = createIdentityProvider({ publicUrl, clock: systemClock })
  const { file } = await writeConfiguration({
    publicUrl,
    listen: `127.0.0.1:${port}`,
    ops: { listen: '127.0.0.1:0' },
    secrets: ['a secret of the measurement, more than 32 bytes'],
    log: { level: 'info', access: access !== undefined },
    audit: { to: '/dev/null' },
    desk: { url: `http://127.0.0.1:${deskPort}` },
    sessions: { store: redis.url, nearCache },
    // Older builds, which are compared too, know no roles of providers.
    providers: [rules ? { ...idp.settings.portal, roles: { default: ['agent'] } } : idp.settings.portal],
    access: { paths: rules ?? [] },
    agents: [{ domains: ['example.com'] }],
  })
  const { pid, stop } = await startProgram(node, [main, 'serve', '--config', file], {
    port,
    cores: gatewayCore,
    out: access,
  })
  const agent = createUserAgent(publicUrl, { port })
  const { status } = await logIn(agent, idp, {
    way: 'portal',
    email,
    claims: { acr: 'mfa', auth_time: Math.floor(Date.now() / 1000) },
  })
  if (status !== 303) throw new Error(`the login ended with ${status}`)
  return {
    port,
    headers: { Host: 'desk.example.com', cookie: agent.cookieHeader('/') },
    pids: [pid],
    async stop() {
      await stop()
      await redis.stop()
    },
  }
}

const common = { identity: 'X-Agent-Email', assertion: true } as const

export const deskgate: Peer = {
  ...common,
  onNode: 'each',
  name: 'Deskgate',
  key: 'deskgate',
  start: ({ desk, node }) => startDeskgate({ deskPort: desk.agentPort, node }),
}

/** In front of the echo. */
export const deskgateEcho: Peer = {
  ...deskgate,
  start: ({ desk, node }) => startDeskgate({ deskPort: desk.echoPort, node }),
}

export const deskgateLog: Peer = {
  ...common,
  onNode: 'newest',
  name: 'Deskgate + access log',
  key: 'deskgate-log',
  start: ({ folder, desk, node }) =>
    startDeskgate({ deskPort: desk.agentPort, node, access: join(folder, 'access.log') }),
}

/** Every request asks Redis. */
export const deskgateFar: Peer = {
  ...common,
  onNode: 'newest',
  name: 'Deskgate, near cache off',
  key: 'deskgate-far',
  start: ({ desk, node }) => startDeskgate({ deskPort: desk.agentPort, node, nearCache: '0s' }),
}

/** Of each kind as many; one of each applies to every page, and lets it pass. */
const kinds = [
  { roles: ['agent', 'admin'] },
  { emails: [email] },
  { domains: ['example.com', 'example.org'] },
  { providers: ['portal'] },
  { from: ['127.0.0.0/8', '10.0.0.0/8', '2001:db8::/32'] },
  { context: ['mfa', 'https://refeds.org/profile/mfa'] },
  { maxAge: '8h' },
]
const matches = [(i: number) => `/team-${i}/*`, (i: number) => `DELETE /tickets/${i}`, (i: number) => `/reports/${i}*`]
const manyRules = Array.from({ length: 500 }, (_, i) => ({
  match: i < kinds.length ? '/*' : matches[i % matches.length]?.(i),
  ...kinds[i % kinds.length],
}))

/** With 500 rules for paths. */
export const deskgateRules: Peer = {
  ...common,
  onNode: 'newest',
  name: 'Deskgate, 500 rules',
  key: 'deskgate-rules',
  start: ({ desk, node }) => startDeskgate({ deskPort: desk.agentPort, node, rules: manyRules }),
}
