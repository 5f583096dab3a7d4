// Deskgate as operators run it, built, on a Redis of its own, with the session of a real login.

import { join } from 'node:path'
import { systemClock } from '../../src/core/clock.js'
import { writeConfiguration } from '../../test/parts/gateway.js'
import { createIdentityProvider, logIn } from '../../test/parts/identity-provider.js'
import { freePort } from '../../test/parts/ports.js'
import { startRedis } from '../../test/parts/redis.js'
import { createUserAgent } from '../../test/parts/user-agent.js'
import { gatewayCore } from './machine.js'
import type { Peer } from './peer.js'
import { startProgram } from './program.js'

const publicUrl = 'https://desk.example.com'
const main = join(import.meta.dirname, '../../dist/main.js')

interface Variant {
  name: string
  key: string
  /** Longest use of what was read, in milliseconds as the configuration writes them. */
  nearCache: string
  access: boolean
  /** Where Desk is: the echo is a server of its own. */
  echo?: true
}

function variant({ name, key, nearCache, access, echo }: Variant): Peer {
  return {
    name,
    key,
    async start({ desk, node }) {
      const port = await freePort()
      const redis = await startRedis({ process: 'own' })
      const idp = createIdentityProvider({ publicUrl, clock: systemClock })
      const { file } = await writeConfiguration({
        publicUrl,
        listen: `127.0.0.1:${port}`,
        ops: { listen: '127.0.0.1:0' },
        secrets: ['a secret of the measurement, more than 32 bytes'],
        log: { level: 'info', access },
        audit: { to: '/dev/null' },
        desk: { url: `http://127.0.0.1:${echo ? desk.echoPort : desk.port}` },
        sessions: { store: redis.url, nearCache },
        providers: [idp.settings.portal],
        agents: [{ domains: ['example.com'] }],
      })
      const { pid, stop } = await startProgram(node, [main, 'serve', '--config', file], { port, cores: gatewayCore })
      const agent = createUserAgent(publicUrl, { port })
      const { status } = await logIn(agent, idp, { way: 'portal', email: 'ada@example.com' })
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
    },
  }
}

export const deskgate = variant({ name: 'Deskgate', key: 'deskgate', nearCache: '30s', access: false })
export const deskgateLog = variant({
  name: 'Deskgate + access log',
  key: 'deskgate-log',
  nearCache: '30s',
  access: true,
})
export const deskgateEcho = variant({ name: 'Deskgate', key: 'deskgate', nearCache: '30s', access: false, echo: true })
/** Every request asks Redis. */
export const deskgateFar = variant({
  name: 'Deskgate, near cache off',
  key: 'deskgate-far',
  nearCache: '1ms',
  access: false,
})
