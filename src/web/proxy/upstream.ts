// How this process reaches Desk: one pool of kept-alive connections. Over TLS its certificate is always verified, for
// the name in desk.url (or desk.tls.serverName) and never for the Host that a request carries.

import { isIP } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { buildConnector, Client, type Dispatcher, Pool } from 'undici'
import type { Config } from '../../config/schema/index.js'
import type { Pipeline, RequestContext } from '../context.js'
import type { DeskQueue } from './desk-queue.js'
import { type DeskUse, newUseState } from './desk-use.js'
import { type HeadError, nameRefusedHeaders } from './http/refused-header.js'
import type { RequestHeaders } from './request-headers.js'

/** Milliseconds to connect. */
const connectTimeout = 10_000
/** The most bytes of a response head. */
const maxHeaderSize = 64 * 1024
/** The most bytes of the response to a request of our own. */
const maxOwnResponse = 64 * 1024

export interface DeskConnection {
  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void
  /** On a connection of its own: the others of the pool may have been closed by Desk at the same moment. */
  dispatchFresh(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void
  /**
   * A request of the gateway itself, whose response is read here. Follows no redirect. Rejects with undici's errors.
   */
  request(options: Dispatcher.RequestOptions): Promise<Dispatcher.ResponseData>
  /** True while the very first request of a new connection is being written. */
  isFresh(): boolean
  /** Waits for the requests in flight. */
  close(): Promise<void>
}

/** The TLS options for Desk, for undici and node:https alike. */
export function deskTls(desk: Pick<Config['desk'], 'url' | 'tls'>): ConnectionOptions {
  const { hostname } = new URL(desk.url)
  const host = hostname.replace(/^\[|\]$/g, '')
  const servername = desk.tls?.serverName ?? (isIP(host) ? undefined : host)
  return {
    rejectUnauthorized: true,
    ...(servername === undefined ? {} : { servername }),
    ...(desk.tls?.ca ? { ca: desk.tls.ca.text } : {}),
    ...(desk.tls?.cert ? { cert: desk.tls.cert.text } : {}),
    ...(desk.tls?.key ? { key: desk.tls.key.text } : {}),
  }
}

export function openDesk(desk: Pick<Config['desk'], 'url' | 'tls' | 'timeout'>): DeskConnection {
  const secure = desk.url.startsWith('https:')
  const { servername, ...tls } = secure ? deskTls(desk) : {}
  const connect = buildConnector({ ...(tls as object), timeout: Math.min(connectTimeout, desk.timeout) })
  let fresh = false
  const options: Client.Options = {
    pipelining: 1,
    // The forwarder has its own timeouts (timeouts.ts).
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize,
    connect(options, callback) {
      // Attack: undici takes the name to verify from the request's Host header; here it comes from the settings alone.
      const { servername: _, ...rest } = options
      const opened: typeof callback = (...result) => {
        if (result[1]) nameRefusedHeaders(result[1])
        // The callback writes the waiting request before it returns.
        fresh = true
        callback(...result)
        fresh = false
      }
      connect(servername === undefined ? rest : { ...rest, servername }, opened)
    },
  }
  const pool = new Pool(desk.url, options)
  return {
    dispatch: (request, handler) => void pool.dispatch(request, handler),
    dispatchFresh(request, handler) {
      const client = new Client(desk.url, options)
      client.dispatch(request, handler)
      void client.close()
    },
    request: request => pool.request({ headersTimeout: desk.timeout, bodyTimeout: desk.timeout, ...request }),
    isFresh: () => fresh,
    close: () => pool.close(),
  }
}

export interface RequestDeskDeps {
  desk: Pick<DeskConnection, 'request'>
  requestHeaders: RequestHeaders
  queue: DeskQueue
  /** Milliseconds for the whole response, the wait for a connection included. */
  timeout?: number
}

/**
 * Sends Desk a request of the gateway itself, with no identity: the response must be about Desk's own cookie alone.
 * Limited in time and size; follows no redirect.
 */
export function createRequestDesk(deps: RequestDeskDeps): Pipeline['requestDesk'] {
  const { desk, requestHeaders, queue, timeout = 5000 } = deps
  return async (path, headers, context) => {
    const { deskLogin: _, ...rest } = context
    const bare = { ...rest, session: undefined }
    const late = new AbortController()
    const inVain = `no complete response within ${timeout} ms`
    const timer = setTimeout(() => late.abort(), timeout)
    const { use, begun } = enterQueue(queue, bare)
    late.signal.addEventListener('abort', () => use.settle('busy'))
    try {
      if (!(await begun)) return { failure: late.signal.aborted ? inVain : 'no free connection to Desk' }
      const asked = { path, method: 'GET' as const, headers: requestHeaders(headers, bare), signal: late.signal }
      const { statusCode, body } = await desk.request(asked)
      const chunks: Buffer[] = []
      let bytes = 0
      for await (const chunk of body as AsyncIterable<Buffer>) {
        bytes += chunk.length
        // Leaving the loop ends the connection.
        if (bytes > maxOwnResponse) return { failure: `a response of more than ${maxOwnResponse} bytes` }
        chunks.push(chunk)
      }
      return { status: statusCode, body: Buffer.concat(chunks) }
    } catch (error) {
      if (late.signal.aborted) return { failure: inVain }
      const { code, name, header } = error as HeadError & { code?: string }
      return { failure: `no response (${code ?? name}${header === undefined ? '' : `, header ${header}`})` }
    } finally {
      queue.leave(use)
      clearTimeout(timer)
    }
  }
}

/** `begun`: whether it may be sent. */
function enterQueue(queue: DeskQueue, context: RequestContext): { use: DeskUse; begun: Promise<boolean> } {
  const use: DeskUse = { context, settle: () => {}, queued: newUseState() }
  const begun = new Promise<boolean>(resolve => {
    use.settle = how => resolve(how === 'begin')
    if (queue.enter(use)) resolve(true)
  })
  return { use, begun }
}
