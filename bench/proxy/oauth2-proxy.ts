// oauth2-proxy (oauth2-proxy.github.io), where its binary is on the PATH: set up as its pages say, sessions in Redis and
// no logs, with the session of an OpenID Connect login at a provider made for it here.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { freePort } from '../../test/parts/ports.js'
import { startRedis } from '../../test/parts/redis.js'
import { ask } from './browser.js'
import { email } from './desk.js'
import { gatewayCore } from './machine.js'
import type { Peer } from './peer.js'
import { startProgram } from './program.js'

export const oauth2Proxy: Peer = {
  name: 'oauth2-proxy, sessions in Redis',
  key: 'oauth2-proxy',
  program: 'oauth2-proxy',
  identity: 'X-Forwarded-Email',
  async start({ desk }) {
    const port = await freePort()
    const origin = `http://127.0.0.1:${port}`
    const redis = await startRedis({ process: 'own' })
    const provider = await startProvider()
    const settings = {
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
      'email-domain': 'example.com',
      'skip-provider-button': true,
      'session-store-type': 'redis',
      'redis-connection-url': redis.url,
      'request-logging': false,
      'auth-logging': false,
    }
    const args = Object.entries(settings).map(([name, value]) => `--${name}=${value}`)
    const program = await startProgram('oauth2-proxy', args, { port, cores: gatewayCore })
    const start = await ask(`${origin}/oauth2/start?rd=%2Fsmall`)
    const state = new URL(start.location).searchParams.get('state') ?? ''
    const back = `${origin}/oauth2/callback?${new URLSearchParams({ code: 'once', state })}`
    const answer = await ask(back, { cookie: start.cookies.join('; ') })
    const cookie = answer.cookies.filter(one => !one.endsWith('=')).join('; ')
    if (cookie === '') throw new Error(`oauth2-proxy refused the login: ${answer.status}`)
    return {
      port,
      headers: { cookie },
      pids: [program.pid],
      async stop() {
        await program.stop()
        provider.stop()
        await redis.stop()
      },
    }
  },
}

/** Gives the same agent to anyone who brings any code. */
async function startProvider() {
  const { privateKey, publicKey } = await generateKeyPair('RS256')
  const jwk = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'RS256', use: 'sig' }
  let issuer = ''
  const token = () =>
    new SignJWT({ email, email_verified: true })
      .setProtectedHeader({ alg: 'RS256', kid: 'one' })
      .setIssuer(issuer)
      .setSubject('7')
      .setAudience('desk')
      .setIssuedAt()
      .setExpirationTime('8h')
      .sign(privateKey)
  const server = createServer(async (request, response) => {
    const answer =
      request.url === '/keys'
        ? { keys: [jwk] }
        : { access_token: 'any', token_type: 'Bearer', expires_in: 28_800, id_token: await token() }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { issuer, stop: () => void server.close() }
}
