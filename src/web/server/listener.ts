// The listener that agents' browsers reach: how long a client may take, how much it may send, and TLS.

import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import fastify, { type FastifyInstance } from 'fastify'
import type { Config } from '../../config/schema/index.js'
import { answerClientError } from './client-errors.js'

/** How long a client may take for the head of a request, and how often that is looked at, in milliseconds. */
const usual = { head: 20_000, look: 5_000 }
/** How long an idle connection is kept, in milliseconds: longer than the minute of most load balancers. */
const keepAlive = 75_000

/** Not yet listening. */
export function openListener(
  config: Pick<Config, 'tls' | 'limits'>,
  rewriteUrl: (request: IncomingMessage) => string,
  times = usual,
): FastifyInstance {
  const timing = { headersTimeout: times.head, connectionsCheckingInterval: times.look }
  const heads = { maxHeaderSize: config.limits.header, ...timing }
  const app = fastify({
    // Fastify hands these to the one server that it makes, and with `https` it leaves `http` aside.
    ...(config.tls ? { https: { ...heads, ...serverTls(config.tls) } } : { http: heads }),
    logger: false,
    rewriteUrl,
    exposeHeadRoutes: true,
    forceCloseConnections: 'idle',
    // A request that comes in on a kept connection while it closes is served: nobody could send it again.
    return503OnClosing: false,
    keepAliveTimeout: keepAlive,
    // No limit on the whole request: an upload to Desk may take long. The gateway's own forms have theirs.
    requestTimeout: 0,
    clientErrorHandler: answerClientError,
  }) as unknown as FastifyInstance
  // Attack: Node drops what comes after 2000 lines in silence. The entrance counts, and refuses.
  app.server.maxHeadersCount = 0
  return app
}

/** The listener's side of TLS; certificate and key may change while it listens. */
export function serverTls({ cert, key }: NonNullable<Config['tls']>) {
  return { cert: cert.text, key: key.text, minVersion: 'TLSv1.2' as const }
}

/** Listens on host:port or unix:/path; the URL names a host that this machine can open. */
export async function listenOn(app: FastifyInstance, address: string, scheme: 'http' | 'https'): Promise<string> {
  if (address.startsWith('unix:')) {
    await app.listen({ path: address.slice('unix:'.length) })
    return address
  }
  const colon = address.lastIndexOf(':')
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '')
  await app.listen({ host, port: Number(address.slice(colon + 1)) })
  const { port } = app.server.address() as AddressInfo
  const open = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host.includes(':') ? `[${host}]` : host
  return `${scheme}://${open}:${port}`
}
