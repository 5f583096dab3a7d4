// The full example configuration, brought to life: its own text but for the addresses, with certificates, keys, secrets, a
// Redis and a Desk that wants a client certificate, all of this test alone.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { newSigningKey } from '../../src/keys/assertion-keys.js'
import { systemClock } from '../../src/runtime/clock.js'
import { createAuthority } from './certificates.js'
import { type Desk, startDesk } from './desk.js'
import { type RunningGateway, startGateway } from './gateway.js'
import { createIdentityProvider, type IdentityProvider } from './identity-provider.js'
import { startRedis } from './redis.js'
import { createUserAgent, type UserAgent } from './user-agent.js'

export const publicUrl = 'https://desk.example.com'
export const adminToken = 'the-admin-token-of-the-example-long-enough'

const agents = `- { email: ada@example.com, id: "7", name: Ada Palmer, roles: [admin, agent] }
- { email: carla@example.com, id: "9", active: false }
`

export interface Example {
  gateway: RunningGateway
  desk: Desk
  idp: IdentityProvider
  /** PEM of the authority of the gateway's certificate. */
  ca: string
  newAgent(): UserAgent
  close(): Promise<void>
}

/** Ask missing('openssl', 'redis') first. */
export async function startExample(): Promise<Example> {
  const authority = await createAuthority()
  const [front, back, client] = await Promise.all([
    authority.issue(['desk.example.com']),
    authority.issue(['desk']),
    authority.issue(['deskgate']),
  ])
  const [redis, desk] = await Promise.all([startRedis({ process: 'any' }), startDesk(back)])
  const secret = 'the secret of the example portal, long enough'
  const idp = createIdentityProvider({
    publicUrl,
    clock: systemClock,
    entityId: 'mysite',
    issuer: 'https://idp.example.com',
    secret,
  })
  const gateway = await startGateway(await settings(desk.url, redis.keyPrefix), {
    env: {
      DESKGATE_SECRET: 'the key ring of the example, which is long enough',
      PORTAL_SECRET: secret,
      REDIS_URL: redis.url,
    },
    files: {
      ...{ 'tls.crt': front.cert, 'tls.key': front.key, 'idp.crt': idp.certificate, 'agents.yaml': agents },
      ...{ 'ca.pem': authority.cert, 'c.pem': client.cert, 'k.pem': client.key },
      ...{ 'identity.key': newSigningKey(), token: `${adminToken}\n` },
    },
  })
  return {
    ...{ gateway, desk, idp, ca: authority.cert },
    newAgent: () => createUserAgent(publicUrl, { port: gateway.port, ca: authority.cert }),
    async close() {
      await gateway.stop()
      await desk.close()
      await redis.stop()
      await authority.remove()
    },
  }
}

/** Nothing is changed but where things are; the directory over HTTP, which is nowhere here, is left out. */
async function settings(deskUrl: string, keyPrefix: string): Promise<unknown> {
  const text = await readFile(join(import.meta.dirname, '../../config/examples/full.yaml'), 'utf8')
  const example = parse(text)
  example.listen = '127.0.0.1:0'
  example.ops.listen = '127.0.0.1:0'
  example.desk.url = deskUrl
  example.agents = example.agents.filter((source: object) => !('http' in source))
  example.sessions.store.keyPrefix = keyPrefix
  return example
}
