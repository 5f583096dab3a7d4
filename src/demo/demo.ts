// The quick start: gateway, demo Desk and demo identity provider in one process, in memory, on one host name. Its keys
// are made at start and end with it; it listens on this machine only.

import { generateKeyPair } from 'node:crypto'
import { type AddressInfo, createServer } from 'node:net'
import { promisify } from 'node:util'
import type { FastifyInstance } from 'fastify'
import { systemClock, systemRandom } from '../core/clock.js'
import type { Clock, Random } from '../core/contracts.js'
import { createLog } from '../ops/log.js'
import { startServer } from '../server.js'
import { selfSignedCertificate } from './certificate.js'
import { createDemoDesk } from './desk.js'
import { createDemoIdp } from './idp.js'
import { agentsFile, people } from './people.js'
import { demoSettings } from './settings.js'
import { welcome } from './welcome.js'

export interface Demo {
  /** What browsers open: Desk through the gateway. */
  url: string
  idpUrl: string
  /** Desk itself, past the gateway. */
  deskUrl: string
  opsUrl: string
  close(): Promise<void>
}

export interface DemoOptions {
  /** The gateway's; provider and Desk get the next free ones. 0: any free ones. */
  port: number
  io: { out(line: string): void }
  clock?: Clock
  random?: Random
}

const host = 'localhost'
/** How many ports after the wanted one are tried. */
const tries = 50

/** Throws when the gateway's port is taken. */
export async function startDemo(options: DemoOptions): Promise<Demo> {
  const { clock = systemClock, random = systemRandom } = options
  const port = await freePort(options.port, 1)
  const idpPort = await freePort(options.port === 0 ? 0 : port + 1, tries)
  const deskPort = await freePort(options.port === 0 ? 0 : idpPort + 1, tries)
  const [publicUrl, idpUrl, deskUrl] = [port, idpPort, deskPort].map(at => `http://${host}:${at}`) as [
    string,
    string,
    string,
  ]
  const signing = await newSigningKey(clock)
  const jwtSecret = random(48).toString('base64url')
  const plan = { publicUrl, idpUrl, deskUrl, listen: `${host}:${port}`, idpCertificate: signing.certificate, jwtSecret }
  const config = demoSettings({ ...plan, agents: agentsFile(people) }, clock.now())
  const gateway = {
    publicUrl,
    entityId: config.site ?? new URL(publicUrl).host,
    acsUrl: `${publicUrl}/auth/saml/acs`,
    jwtCallback: `${publicUrl}/auth/jwt/callback`,
  }
  const idp = createDemoIdp({ origin: idpUrl, gateway, people, clock, random, signing, jwtSecret })
  const desk = createDemoDesk({ jwksUrl: `${publicUrl}/auth/jwks.json`, issuer: publicUrl, audience: deskUrl, clock })
  await idp.listen({ host, port: idpPort })
  await desk.listen({ host, port: deskPort })
  const server = await startServer(config, { clock, random, log: createLog(config.log) })
  for (const line of welcome({ url: publicUrl, idpUrl, deskUrl, people })) options.io.out(line)
  return { url: publicUrl, idpUrl, deskUrl, opsUrl: server.opsUrl, close: () => closeAll([idp, desk], server) }
}

async function closeAll(apps: FastifyInstance[], server: { close(): Promise<void> }): Promise<void> {
  await Promise.all(apps.map(app => app.close()))
  await server.close()
}

/** An RSA key and its certificate, good from yesterday for a year. */
async function newSigningKey(clock: Clock): Promise<{ key: string; certificate: string }> {
  const { privateKey, publicKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 })
  const day = 86_400_000
  const certificate = selfSignedCertificate({
    commonName: 'Deskgate demo identity provider',
    serial: 1,
    notBefore: clock.now() - day,
    notAfter: clock.now() + 365 * day,
    privateKey,
    publicKey,
  })
  return { key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), certificate }
}

/** The first free port of `count` from `from` on; 0 lets the system choose. Throws when all are taken. */
async function freePort(from: number, count: number): Promise<number> {
  for (let port = from; port < from + count; port++) {
    const found = await tryPort(port)
    if (found !== undefined) return found
  }
  throw new Error(`port ${from} is taken: choose another with --port`)
}

function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    )
    probe.listen({ host, port }, () => {
      const found = (probe.address() as AddressInfo).port
      probe.close(() => resolve(found))
    })
  })
}
