// The quick start: gateway, demo Desk and demo identity provider in one process, in memory, on one host name. It listens
// on this machine only, and its keys exist in memory only.

import { type AddressInfo, createServer, type Server } from 'node:net'
import { loadConfigText } from '../config/load.js'
import { formatProblem } from '../config/problems.js'
import type { Config } from '../config/schema/index.js'
import { type ConfigReader, Unreadable } from '../config/schema/values.js'
import { createSecret } from '../core/secret.js'
import { createLog } from '../ops/log.js'
import { systemClock, systemRandom } from '../runtime/clock.js'
import { startServer } from '../server/server.js'
import { newSigningKey } from './certificate.js'
import { createDemoDesk } from './desk.js'
import { createDemoIdp, demoIdpPaths } from './idp.js'
import { agentsFile, type Person, people } from './people.js'

export interface Demo {
  /** What browsers open: Desk through the gateway. */
  url: string
  idpUrl: string
  /** Desk itself, past the gateway. */
  deskUrl: string
  opsUrl: string
  close(): Promise<void>
}

interface DemoOptions {
  /** The gateway's; provider and Desk get the next free ones. 0: any free ones. */
  port: number
  io: { out(line: string): void }
}

const host = 'localhost'
const entityId = 'deskgate-demo'

/** Throws when the gateway's port is taken. */
export async function startDemo({ port, io }: DemoOptions): Promise<Demo> {
  const [clock, random] = [systemClock, systemRandom]
  const ports = await choosePorts(port, host)
  const [url, idpUrl, deskUrl] = ports.map(at => `http://${host}:${at}`) as [string, string, string]
  const signing = await newSigningKey(clock)
  const jwtSecret = random(48).toString('base64url')
  const gateway = { publicUrl: url, entityId, acsUrl: `${url}/auth/saml/acs`, jwtCallback: `${url}/auth/jwt/callback` }
  const idp = createDemoIdp({ origin: idpUrl, gateway, people, clock, random, signing, jwtSecret })
  const desk = createDemoDesk({ jwksUrl: `${url}/auth/jwks.json`, issuer: url, audience: deskUrl, clock })
  const listen = `${host}:${ports[0]}`
  const plan = { publicUrl: url, idpUrl, deskUrl, listen, entityId, idpCertificate: signing.certificate, jwtSecret }
  const config = demoSettings({ ...plan, agents: agentsFile(people) }, clock.now())

  const opened: Closing[] = [desk, idp]
  const close = async () => {
    for (const part of opened) await part.close()
  }
  try {
    await idp.listen({ host, port: ports[1] })
    await desk.listen({ host, port: ports[2] })
    const server = await startServer(config, { clock, random, log: createLog(config.log) })
    opened.push(server)
    for (const line of welcome({ url, idpUrl, deskUrl, people })) io.out(line)
    return { url, idpUrl, deskUrl, opsUrl: server.opsUrl, close }
  } catch (error) {
    await close()
    throw error
  }
}

type Closing = { close(): PromiseLike<unknown> }
/** How many ports after the wanted one are tried. */
const tries = 50

export function welcome(demo: { url: string; idpUrl: string; deskUrl: string; people: readonly Person[] }): string[] {
  const rows = demo.people.map(person => `  ${person.name.padEnd(14)}${person.email.padEnd(22)}${roleOf(person)}`)
  return [
    '',
    'The Deskgate demo is up.',
    '',
    `  Open this                  ${demo.url}`,
    `  Demo identity provider     ${demo.idpUrl}`,
    `  Desk, past the gateway     ${demo.deskUrl}  (it refuses you)`,
    '',
    'People to log in as, without a password:',
    '',
    ...rows,
    '',
    'What to try:',
    '',
    '  1. Log in by SAML, see who reached Desk, log out, and log in again by JWT as somebody else.',
    '  2. Log in as Sam: the provider knows him, but he is not an agent.',
    `  3. Pretend to be the team lead:  curl -i -H 'X-Agent-Email: joao@aloha.example' ${demo.url}/team`,
    `     and the same past the gateway: curl -i -H 'X-Agent-Email: joao@aloha.example' ${demo.deskUrl}/team`,
    `  4. The keys that Desk verifies with: ${demo.url}/auth/jwks.json`,
    '',
    'Everything is kept in memory and ends with Ctrl+C.',
    '',
  ]
}

function roleOf(person: Person): string {
  if (person.agentId === undefined) return 'not an agent: the gateway refuses him'
  return person.roles.includes('admin') ? 'agent with the role admin: sees the Team page' : 'agent'
}

/**
 * The wanted port and the two next free ones; 0: any three free ones.
 * Throws when the wanted port is taken or not allowed.
 */
export async function choosePorts(wanted: number, host: string): Promise<[number, number, number]> {
  const probes: Server[] = []
  // Each stays open until all are chosen, so that no two are the same.
  const next = async (from: number, count: number) => {
    for (let port = from; port < from + count; port++) {
      const probe = await listenOnce(port, host)
      if (!probe) continue
      probes.push(probe)
      return (probe.address() as AddressInfo).port
    }
    throw new Error(`port ${from} is taken: choose another with --port`)
  }
  try {
    const first = await next(wanted, 1)
    const second = await next(wanted === 0 ? 0 : first + 1, tries)
    const third = await next(wanted === 0 ? 0 : second + 1, tries)
    return [first, second, third]
  } finally {
    await Promise.all(probes.map(probe => new Promise(resolve => probe.close(resolve))))
  }
}

/** Undefined when the port is taken. */
function listenOnce(port: number, host: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    )
    probe.listen({ host, port }, () => resolve(probe))
  })
}

interface DemoPlan {
  /** Origins, all on one host name: cookies and providers then behave as on one site. */
  publicUrl: string
  idpUrl: string
  deskUrl: string
  /** host:port. */
  listen: string
  /** The gateway's SAML SP entity ID. */
  entityId: string
  /** PEM. */
  idpCertificate: string
  jwtSecret: string
  agents: string
}

/**
 * Like a small production configuration, but with its files and secrets in memory. `now` in milliseconds since the
 * epoch. Throws when the settings are invalid, which is a bug.
 */
function demoSettings(plan: DemoPlan, now: number): Config {
  const reader = readerOf({ 'idp.crt': plan.idpCertificate, 'agents.yaml': plan.agents })
  // JSON is YAML.
  const loaded = loadConfigText(JSON.stringify(settingsOf(plan)), { file: 'demo', reader, now })
  if ('config' in loaded) return loaded.config
  throw new Error(loaded.problems.map(formatProblem).join('\n'))
}

function settingsOf(plan: DemoPlan): object {
  const idp = (path: string) => `${plan.idpUrl}${path}`
  return {
    publicUrl: plan.publicUrl,
    listen: plan.listen,
    site: plan.entityId,
    desk: { url: plan.deskUrl, public: ['GET /assets/*'] },
    providers: [
      {
        id: 'saml',
        type: 'saml',
        name: 'Aloha (SAML)',
        issuer: plan.idpUrl,
        loginUrl: idp(demoIdpPaths.samlLogin),
        logoutUrl: idp(demoIdpPaths.logout),
        certificates: ['idp.crt'],
        attributes: { email: 'NameID', name: 'displayName', roles: 'groups' },
      },
      {
        id: 'jwt',
        type: 'jwt',
        name: 'Aloha (JWT)',
        loginUrl: idp(demoIdpPaths.jwtLogin),
        logoutUrl: idp(demoIdpPaths.logout),
        secrets: [plan.jwtSecret],
        issuer: plan.idpUrl,
        audience: plan.publicUrl,
      },
    ],
    agents: [{ file: 'agents.yaml' }],
    ops: { listen: '127.0.0.1:0' },
    log: { level: 'warn' },
    audit: { to: '/dev/null' },
    drain: '2s',
  }
}

function readerOf(files: Record<string, string>): ConfigReader {
  return {
    env: name => {
      throw new Unreadable(`the demo reads no variable ${name}`)
    },
    file: path => {
      const text = files[path]
      if (text === undefined) throw new Unreadable(`the demo has no file ${path}`)
      return { path, text, madeUp: true }
    },
    bytes: path => {
      throw new Unreadable(`the demo has no file ${path}`)
    },
    names: path => {
      throw new Unreadable(`the demo has no folder ${path}`)
    },
    path: path => path,
    secret: createSecret,
  }
}
