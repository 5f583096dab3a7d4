// The quick start: gateway, demo Desk and demo identity provider in one process, in memory, on one host name. Its keys
// are made at start and end with it; it listens on this machine only.

import type { Clock, Random } from '../core/contracts.js'
import { createLog } from '../ops/log.js'
import { systemClock, systemRandom } from '../runtime/clock.js'
import { startServer } from '../server/server.js'
import { newSigningKey } from './certificate.js'
import { createDemoDesk } from './desk.js'
import { createDemoIdp } from './idp.js'
import { agentsFile, people } from './people.js'
import { choosePorts } from './ports.js'
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
const entityId = 'deskgate-demo'

/** Throws when the gateway's port is taken. */
export async function startDemo({ port, io, clock = systemClock, random = systemRandom }: DemoOptions): Promise<Demo> {
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
