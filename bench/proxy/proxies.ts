// Programs that do a part of what Deskgate does: oauth2-proxy and saml-auth-proxy, set up as their pages say and without
// logs, each with the session of a real login; and @fastify/http-proxy as it comes.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { idpMetadata } from '../../test/parts/idp-metadata.js'
import { freePort } from '../../test/parts/ports.js'
import { startRedis } from '../../test/parts/redis.js'
import { newSigningKey } from '../../test/parts/saml-idp.js'
import { oidcLogin, samlLogin, startOidcProvider } from './logins.js'
import { gatewayCore } from './machine.js'
import { compiled, type Peer, startProgram } from './peer.js'
import { rates } from './run.js'

const flags = (settings: Record<string, unknown>) =>
  Object.entries(settings).map(([name, value]) => `--${name}=${value}`)

export const oauth2Proxy: Peer = {
  name: 'oauth2-proxy, sessions in Redis',
  key: 'oauth2-proxy',
  program: 'oauth2-proxy',
  identity: 'X-Forwarded-Email',
  takes: rates,
  async start({ desk }) {
    const port = await freePort()
    const origin = `http://127.0.0.1:${port}`
    const redis = await startRedis({ process: 'own' })
    const provider = await startOidcProvider()
    const args = flags({
      'http-address': `127.0.0.1:${port}`,
      upstream: `http://127.0.0.1:${desk.agentPort}/`,
      provider: 'oidc',
      'skip-oidc-discovery': true,
      'oidc-issuer-url': provider.issuer,
      'login-url': `${provider.issuer}/login`,
      'redeem-url': `${provider.issuer}/token`,
      'oidc-jwks-url': `${provider.issuer}/keys`,
      'redirect-url': `${origin}/oauth2/callback`,
      'client-id': 'desk',
      'client-secret': 'a secret of the measurement',
      'cookie-secret': '0123456789abcdef0123456789abcdef',
      'cookie-secure': false,
      'ssl-insecure-skip-verify': true,
      'email-domain': 'example.com',
      'skip-provider-button': true,
      'session-store-type': 'redis',
      'redis-connection-url': redis.url,
      'request-logging': false,
      'auth-logging': false,
    })
    const program = await startProgram('oauth2-proxy', args, { port, cores: gatewayCore })
    const cookie = await oidcLogin(`${origin}/oauth2/start?rd=%2Fsmall`, `${origin}/oauth2/callback`)
    const stop = async () => {
      await program.stop()
      provider.stop()
      await redis.stop()
    }
    return { port, headers: { cookie }, pids: [program.pid], stop }
  },
}

/** It keeps the session in a signed cookie. */
export const samlAuthProxy: Peer = {
  name: 'saml-auth-proxy',
  key: 'saml-auth-proxy',
  program: 'saml-auth-proxy',
  identity: 'X-Agent-Email',
  takes: rates,
  async start({ folder, desk }) {
    const port = await freePort()
    const origin = `http://127.0.0.1:${port}`
    const [signing, own] = [newSigningKey(), newSigningKey('desk.example.com')]
    const file = (name: string) => join(folder, `saml-auth-proxy${name}`)
    await writeFile(file('-idp.xml'), idpMetadata([signing.certificate]))
    await writeFile(file('.key'), own.key)
    await writeFile(file('.crt'), own.certificate)
    const args = flags({
      bind: `127.0.0.1:${port}`,
      'base-url': origin,
      'backend-url': `http://127.0.0.1:${desk.agentPort}`,
      'idp-metadata-url': `file://${file('-idp.xml')}`,
      'sp-key-path': file('.key'),
      'sp-cert-path': file('.crt'),
      'name-id-format': 'email',
      'name-id-mapping': 'X-Agent-Email',
    })
    const program = await startProgram('saml-auth-proxy', args, { port, cores: gatewayCore })
    const cookie = await samlLogin({ origin, acs: '/saml/acs', metadata: '/saml/metadata', signing })
    return { port, headers: { cookie }, pids: [program.pid], stop: program.stop }
  },
}

export const httpProxy: Peer = {
  name: '@fastify/http-proxy, no checks',
  key: 'http-proxy',
  onNode: 'newest',
  takes: ['saturation', 'rate2000', 'medium', 'websocket'],
  async start({ folder, desk, node }) {
    const port = await freePort()
    const args = [...(await compiled(folder, 'http-proxy')), `${port}`, `http://127.0.0.1:${desk.openPort}`]
    const { pid, stop } = await startProgram(node, args, { port, cores: gatewayCore })
    return { port, headers: {}, pids: [pid], stop }
  },
}
