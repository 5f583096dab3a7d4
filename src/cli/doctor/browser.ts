// A browser without a window, as far as a login needs one: addresses, TLS, headers, and a cookie jar that tells what became
// of each cookie. It follows no redirect by itself.

import { type ClientRequest, type IncomingMessage, request as overHttp, type RequestOptions } from 'node:http'
import { request as overHttps } from 'node:https'
import type { Socket } from 'node:net'
import * as tls from 'node:tls'
import { type Cookie, parseCookie } from 'undici'

export interface FetchedPage {
  status: number
  headers: IncomingMessage['headers']
  body: string
  location: string
  setCookies: Cookie[]
  /** Of the client, on the connection that was used. */
  localAddress: string
  /** Milliseconds from the first byte of the body to its end. */
  streamed: number
}

export interface Ask {
  method?: string
  headers?: Record<string, string>
  body?: string
  /** `cross`: a page of another site has sent it, so that cookies with SameSite=Lax stay at home. */
  site?: 'same' | 'cross'
  /** `none`: as somebody without a login. */
  cookies?: 'jar' | 'none'
}

export interface Browser {
  jar: Cookie[]
  /** Throws an Error with a `code` when nothing answers. */
  ask(url: string, asked?: Ask): Promise<FetchedPage>
  /** Opens a WebSocket: what it said first, or the status of the refusal. Throws like ask. */
  webSocket(url: string): Promise<{ said: string } | { status: number }>
}

/** Milliseconds for one response, and the most bytes of it. */
const [patience, mostBytes] = [20_000, 4 * 1024 * 1024]
export const navigation = {
  accept: 'text/html,application/xhtml+xml,*/*;q=0.8',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-dest': 'document',
}

/** `ca`: PEM of one more authority that browsers trust. */
export function createBrowser({ ca }: { ca?: string | undefined }): Browser {
  const jar: Cookie[] = []
  const trusted = trustedWith(ca)
  const open = (url: URL, asked: Ask, more: RequestOptions = {}): ClientRequest => {
    const cookie = asked.cookies === 'none' ? '' : cookieHeader(jar, url, asked.site ?? 'same')
    const headers = {
      'user-agent': 'Mozilla/5.0 (deskgate doctor)',
      ...(cookie === '' ? {} : { cookie }),
      ...asked.headers,
    }
    const length = asked.body === undefined ? {} : { 'content-length': String(Buffer.byteLength(asked.body)) }
    const options = { method: asked.method ?? 'GET', agent: false, timeout: patience, ...more } as const
    const all = { ...options, headers: { ...headers, ...length, ...more.headers } }
    const request = url.protocol === 'https:' ? overHttps(url, { ...all, ...trusted }) : overHttp(url, all)
    request.on('timeout', () => request.destroy(Object.assign(new Error('no response'), { code: 'ETIMEDOUT' })))
    return request
  }

  return {
    jar,
    async ask(address, asked = {}) {
      const request = open(new URL(address), asked)
      request.end(asked.body)
      const page = await pageOf(request)
      if (asked.cookies !== 'none') for (const cookie of page.setCookies) take(jar, cookie)
      return page
    },
    webSocket(address) {
      const url = new URL(address)
      const key = { 'sec-websocket-key': Buffer.from('deskgate doctor!').toString('base64') }
      const upgrade = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', ...key }
      const request = open(url, {}, { headers: { ...upgrade, origin: url.origin } })
      request.end()
      return new Promise((resolve, reject) => {
        request.on('error', reject)
        request.on('response', response => {
          response.destroy()
          resolve({ status: response.statusCode ?? 0 })
        })
        request.on('upgrade', (_, socket, first) => firstMessage(socket as Socket, first).then(resolve, reject))
      })
    },
  }
}

/** With an authority of one's own, all others have to be named as well. Newer Node knows those of NODE_EXTRA_CA_CERTS. */
export function trustedWith(ca: string | undefined): { ca?: string[] } {
  if (ca === undefined) return {}
  const newer = tls as { getCACertificates?: (type: 'default') => string[] }
  return { ca: [...(newer.getCACertificates?.('default') ?? tls.rootCertificates), ca] }
}

function pageOf(request: ClientRequest): Promise<FetchedPage> {
  return new Promise((resolve, reject) => {
    request.on('error', reject)
    request.on('response', response => {
      const chunks: Buffer[] = []
      let first: number | undefined
      let size = 0
      response.on('error', reject)
      response.on('data', chunk => {
        first ??= performance.now()
        chunks.push(chunk)
        size += chunk.length
        if (size > mostBytes) request.destroy(Object.assign(new Error('too long'), { code: 'response too long' }))
      })
      response.on('end', () => {
        const { statusCode: status = 0, headers, socket } = response
        const ended = performance.now()
        resolve({
          ...{ status, headers, body: Buffer.concat(chunks).toString('utf8'), location: headers.location ?? '' },
          setCookies: (headers['set-cookie'] ?? []).flatMap(line => parseCookie(line) ?? []),
          localAddress: (socket?.localAddress ?? '').replace(/^::ffff:/, ''),
          streamed: ended - (first ?? ended),
        })
      })
    })
  })
}

/** The text of the first frame (RFC 6455 5.2): a short one, whole and without a mask. */
function firstMessage(socket: Socket, first: Buffer): Promise<{ said: string }> {
  return new Promise((resolve, reject) => {
    let seen = first
    const look = () => {
      const length = (seen[1] ?? 0) & 0x7f
      if (seen.length < 2 + length) return
      socket.destroy()
      resolve({ said: seen.toString('utf8', 2, 2 + length) })
    }
    socket.on('data', chunk => {
      seen = Buffer.concat([seen, chunk])
      look()
    })
    socket.on('error', reject)
    socket.on('close', () => resolve({ said: '' }))
    if (seen.length > 1) look()
  })
}

/** Takes it even where a browser would not: that is a finding of its own, and the rest can still be tried. */
function take(jar: Cookie[], cookie: Cookie): void {
  const at = jar.findIndex(({ name, path }) => name === cookie.name && path === cookie.path)
  if (at >= 0) jar.splice(at, 1)
  if (cookie.value !== '') jar.push(cookie)
}

function cookieHeader(jar: readonly Cookie[], url: URL, site: 'same' | 'cross'): string {
  const insecure = url.protocol === 'http:'
  return jar
    .filter(({ path = '/' }) => url.pathname === path || url.pathname.startsWith(path.replace(/\/?$/, '/')))
    .filter(({ sameSite }) => site === 'same' || insecure || sameSite === 'None')
    .map(({ name, value }) => `${name}=${value}`)
    .join('; ')
}
