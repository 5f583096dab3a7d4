// Deskgate as operators run it, built, on a Redis of its own, with the session of a real login; and with so many sessions
// that are made by its own code.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { systemClock } from '../../src/runtime/clock.js'
import { openStore } from '../../src/store/open.js'
import { writeConfiguration } from '../../test/parts/gateway.js'
import { createIdentityProvider, logIn } from '../../test/parts/identity-provider.js'
import { freePort } from '../../test/parts/ports.js'
import { startRedis } from '../../test/parts/redis.js'
import { createTestSessions } from '../../test/parts/sessions.js'
import { silent, storeSettings } from '../../test/parts/store-backends.js'
import { createUserAgent } from '../../test/parts/user-agent.js'
import { email } from './desk.js'
import { gatewayCore } from './machine.js'
import { type Peer, type Running, startProgram } from './peer.js'
import { bodies, rates } from './run.js'

const publicUrl = 'https://desk.example.com'
const secret = 'a secret of the measurement, more than 32 bytes'
const built = join(import.meta.dirname, '../../dist/main.js')

/** Milliseconds after its start until a process keeps what it has read for ten minutes (docs/adr/0021). */
const careful = 62_000

export interface DeskgateOptions {
  deskPort: number
  /** The Node that runs it. */
  node: string
  /** Its program; by default that of this checkout. */
  main?: string
  workers?: number
  /** The file for its log, with a line for each request. */
  access?: string
  /** access.paths */
  rules?: readonly object[]
  /** Sessions beside that of the login: how many, in which order they ask, and the folder for the list of their cookies. */
  many?: { count: number; order: 'random' | 'next'; folder: string }
}

export async function startDeskgate(options: DeskgateOptions): Promise<Running> {
  const { deskPort, node, main = built, workers = 1, access, rules, many } = options
  const port = await freePort()
  const redis = await startRedis({ process: 'own' })
  // As where a session has ended before: counting begins with the first revocation, or after a while of requests.
  await redis.command('SET', 'deskgate:ended:seq', Date.now() * 1000)
  const idp = createIdentityProvider({ publicUrl, clock: systemClock })
  const { file } = await writeConfiguration({
    publicUrl,
    listen: `127.0.0.1:${port}`,
    workers,
    ops: { listen: '127.0.0.1:0' },
    secrets: [secret],
    log: { level: 'info', access: access !== undefined },
    audit: { to: '/dev/null' },
    desk: { url: `http://127.0.0.1:${deskPort}` },
    sessions: { store: redis.url },
    providers: [rules ? { ...idp.settings.portal, roles: { default: ['agent'] } } : idp.settings.portal],
    access: { paths: rules ?? [] },
    agents: [{ domains: ['example.com'] }],
  })
  const at = { port, cores: gatewayCore, out: access }
  const began = performance.now()
  const { pid, stop } = await startProgram(node, [main, 'serve', '--config', file], at)
  const agent = createUserAgent(publicUrl, { port })
  const claims = { acr: 'mfa', auth_time: Math.floor(Date.now() / 1000) }
  const { status } = await logIn(agent, idp, { way: 'portal', email, claims })
  if (status !== 303) throw new Error(`the login ended with ${status}`)
  const sessions = many && { order: many.order, count: many.count, file: await makeSessions(redis.url, many) }
  if (many?.order === 'random') await pause(Math.max(0, began + careful - performance.now()))
  return {
    port,
    headers: { Host: 'desk.example.com', cookie: agent.cookieHeader('/') },
    ...(sessions ? { sessions } : {}),
    pids: [pid],
    async stop() {
      await stop()
      await redis.stop()
    },
  }
}

/** Writes sessions to Redis as a login does; the file has a Cookie header for each. */
async function makeSessions(url: string, { count, order, folder }: NonNullable<DeskgateOptions['many']>) {
  const store = openStore(storeSettings(url), { clock: systemClock, log: silent })
  await store.probe()
  const settings = { idle: 8 * 3_600_000, lifetime: 24 * 3_600_000 }
  const { sessions } = createTestSessions({ store, clock: systemClock, settings, secrets: [secret], publicUrl })
  const lines: string[] = []
  const make = async () => {
    while (lines.length < count) {
      const at = lines.push('') - 1
      const email = `agent-${at}@example.com`
      const agent = { email, id: `${at}`, name: 'Ada Palmer', roles: ['agent', 'level-1'] }
      const login = { provider: 'portal', email, replayKey: { id: `many-${at}`, until: 0 } }
      const { cookie } = await sessions.create(login, agent, { address: '192.0.2.7', browser: 'Firefox on Linux' })
      lines[at] = `__Host-deskgate=${cookie}`
    }
  }
  await Promise.all(Array.from({ length: 64 }, make))
  await store.close()
  const file = join(folder, `sessions-${order}`)
  await writeFile(file, `${lines.join('\n')}\n`)
  return file
}

export const deskgate: Peer = {
  identity: 'X-Agent-Email',
  assertion: true,
  onNode: 'each',
  name: 'Deskgate',
  key: 'deskgate',
  takes: [...rates, ...bodies, 'websocket'],
  start: ({ desk, node }) => startDeskgate({ deskPort: desk.agentPort, node }),
}

/** Another build, for --before: `folder` is a checkout. */
export function deskgateOf(folder: string): Peer {
  const main = join(folder, 'dist/main.js')
  const start: Peer['start'] = ({ desk, node }) => startDeskgate({ deskPort: desk.agentPort, node, main })
  return { ...deskgate, name: 'Deskgate before', key: 'before', start }
}

const variant = { ...deskgate, onNode: 'newest' } as const

export const deskgateLog: Peer = {
  ...variant,
  name: 'Deskgate + access log',
  key: 'deskgate-log',
  takes: ['saturation', 'rate2000'],
  start: ({ folder, desk, node }) =>
    startDeskgate({ deskPort: desk.agentPort, node, access: join(folder, 'access.log') }),
}

/** On the same core as everybody: what a second process costs, not what it gains. */
export const deskgateTwo: Peer = {
  ...variant,
  name: 'Deskgate, two workers on the core',
  key: 'deskgate-two',
  takes: ['saturation', 'rate2000'],
  start: ({ desk, node }) => startDeskgate({ deskPort: desk.agentPort, node, workers: 2 }),
}

/** As many as the session cache of a process holds. */
const cached = 50_000

export const deskgateMany: Peer = {
  ...variant,
  name: 'Deskgate, 50,000 sessions at random',
  key: 'deskgate-many',
  takes: ['rate2000'],
  start: ({ folder, desk, node }) =>
    startDeskgate({ deskPort: desk.agentPort, node, many: { count: cached, order: 'random', folder } }),
}

/** Each request is the first of its session in this process; one for each request of the measurement. */
export const deskgateFirst: Peer = {
  ...variant,
  name: 'Deskgate, first reads',
  key: 'deskgate-first',
  takes: ['rate2000'],
  start: ({ folder, desk, node, requests }) =>
    startDeskgate({ deskPort: desk.agentPort, node, many: { count: requests, order: 'next', folder } }),
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

export const deskgateRules: Peer = {
  ...variant,
  name: 'Deskgate, 500 rules',
  key: 'deskgate-rules',
  takes: ['saturation'],
  start: ({ desk, node }) => startDeskgate({ deskPort: desk.agentPort, node, rules: manyRules }),
}
