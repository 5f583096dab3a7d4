// A browser as far as HTTP goes, without a window: navigations, forms and scripts with the headers that browsers send, and
// a cookie jar with their rules (RFC 6265bis): prefixes, Secure, SameSite, Path, Max-Age, sizes.

import { type IncomingHttpHeaders, request as overHttp } from 'node:http'
import { request as overHttps } from 'node:https'
import { refreshIn } from './forms.js'

export interface StoredCookie {
  name: string
  value: string
  path: string
  secure: boolean
  httpOnly: boolean
  sameSite: string
  /** The whole Set-Cookie value. */
  line: string
}

export interface Page {
  status: number
  headers: IncomingHttpHeaders
  body: string
  /** The Location header, as sent. */
  location: string
  setCookies: string[]
  /** Of a refused login, from the page or the JSON. */
  reason: string | undefined
  reference: string | undefined
}

/** Where to connect; the Host header is publicUrl's in any case, as behind a load balancer. */
export interface Endpoint {
  port: number
  /** PEM of the authority, for TLS. */
  ca?: string | undefined
}

export interface RequestOptions {
  at?: Endpoint
  method?: string
  headers?: Record<string, string>
  body?: string | Buffer
}

export interface UserAgent {
  /** What it holds, the longest path first. */
  cookies: StoredCookie[]
  /** Set-Cookie values that a browser would not take. */
  refused: string[]
  /** Types an address or follows a link of an own page; goes where a page sends a browser without scripts. */
  visit(path: string, asked?: RequestOptions): Promise<Page>
  /** Sends a form of an own page. */
  send(path: string, fields?: Record<string, string>, asked?: RequestOptions): Promise<Page>
  /** A page of another site sends its form here. */
  postCrossSite(path: string, fields: Record<string, string>, asked?: RequestOptions): Promise<Page>
  /** A script of an own page asks. */
  fetch(path: string, asked?: RequestOptions): Promise<Page>
  /** Takes a Set-Cookie value as if it had come with an answer. */
  take(line: string): void
  /** The Cookie header for a path. */
  cookieHeader(path: string, site?: 'same' | 'cross'): string
}

const navigation = {
  accept: 'text/html,application/xhtml+xml,*/*;q=0.8',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-dest': 'document',
  'sec-fetch-user': '?1',
  'upgrade-insecure-requests': '1',
}
const script = { accept: '*/*', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty', 'sec-fetch-site': 'same-origin' }
const encoded = { 'content-type': 'application/x-www-form-urlencoded' }
const name = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36'
/** RFC 6265bis 5.6: name and value together. */
const largestCookie = 4096
/** Chromium's limit for one host. */
const mostCookies = 180

export function createUserAgent(publicUrl: string, home: Endpoint): UserAgent {
  const secure = publicUrl.startsWith('https:')
  const jar = createJar(secure)
  const host = new URL(publicUrl).host

  const ask = async (path: string, site: 'same' | 'cross', asked: RequestOptions): Promise<Page> => {
    const cookie = jar.header(path, site)
    const headers = { host, 'user-agent': name, ...(cookie === '' ? {} : { cookie }), ...asked.headers }
    const page = await exchange(asked.at ?? home, path, { ...asked, headers })
    for (const line of page.setCookies) jar.take(line)
    return page
  }
  const post = (
    asked: RequestOptions,
    fields: Record<string, string>,
    headers: Record<string, string>,
  ): RequestOptions => ({
    method: 'POST',
    body: new URLSearchParams(fields).toString(),
    ...asked,
    headers: { ...navigation, ...encoded, ...headers, ...asked.headers },
  })

  return {
    cookies: jar.cookies,
    refused: jar.refused,
    take: jar.take,
    cookieHeader: (path, site = 'same') => jar.header(path, site),
    async visit(path, asked = {}) {
      const all = { ...asked, headers: { ...navigation, 'sec-fetch-site': 'none', ...asked.headers } }
      const page = await ask(path, 'same', all)
      const next = refreshIn(page.body)
      return next === undefined ? page : ask(next, 'same', all)
    },
    send: (path, fields = {}, asked = {}) =>
      ask(path, 'same', post(asked, fields, { 'sec-fetch-site': 'same-origin', origin: publicUrl })),
    postCrossSite: (path, fields, asked = {}) =>
      ask(path, 'cross', post(asked, fields, { 'sec-fetch-site': 'cross-site', origin: 'https://idp.example.com' })),
    fetch: (path, asked = {}) => ask(path, 'same', { ...asked, headers: { ...script, ...asked.headers } }),
  }
}

/** One request on a connection of its own, and its whole answer. */
export function exchange({ port, ca }: Endpoint, path: string, { method = 'GET', headers = {}, body }: RequestOptions) {
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
  const servername = (headers.host ?? '').replace(/:\d+$/, '')
  const options = { host: '127.0.0.1', port, path, method, headers: { ...headers, ...length }, agent: false }
  return new Promise<Page>((resolve, reject) => {
    const request = ca === undefined ? overHttp(options) : overHttps({ ...options, ca, servername })
    request.on('error', reject)
    request.on('response', response => {
      const chunks: Buffer[] = []
      response.on('error', reject)
      response.on('data', chunk => chunks.push(chunk))
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8')
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: text,
          ...readPage(response, text),
        })
      })
    })
    request.end(body)
  })
}

function readPage({ headers }: { headers: IncomingHttpHeaders }, body: string) {
  const json = /json/.test(headers['content-type'] ?? '') ? jsonOf(body) : undefined
  return {
    location: headers.location ?? '',
    setCookies: headers['set-cookie'] ?? [],
    reason: (json?.reason as string | undefined) ?? /<small>([a-z]+\.[a-z_]+)<\/small>/.exec(body)?.[1],
    reference: (json?.reference as string | undefined) ?? /<code>([2-9A-Z]{5}-[2-9A-Z]{5})<\/code>/.exec(body)?.[1],
  }
}

function jsonOf(body: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(body) as Record<string, unknown>
  } catch {
    return undefined
  }
}

function createJar(secure: boolean) {
  const cookies: StoredCookie[] = []
  const refused: string[] = []
  const drop = ({ name, path }: StoredCookie) => {
    const at = cookies.findIndex(one => one.name === name && one.path === path)
    if (at >= 0) cookies.splice(at, 1)
    return at
  }
  return {
    cookies,
    refused,
    take(line: string) {
      const { cookie, maxAge } = readSetCookie(line)
      if (!acceptable(cookie, line, secure)) return void refused.push(line)
      const at = drop(cookie)
      if (maxAge <= 0) return
      // A cookie that is set again keeps its place (RFC 6265bis 5.7).
      cookies.splice(at < 0 ? cookies.length : at, 0, cookie)
      if (cookies.length > mostCookies) cookies.shift()
    },
    header(path: string, site: 'same' | 'cross') {
      const bare = path.split('?', 1)[0] ?? '/'
      return cookies
        .filter(cookie => bare === cookie.path || bare.startsWith(cookie.path.replace(/\/?$/, '/')))
        .filter(cookie => site === 'same' || cookie.sameSite === 'None')
        .sort((a, b) => b.path.length - a.path.length)
        .map(cookie => `${cookie.name}=${cookie.value}`)
        .join('; ')
    },
  }
}

function readSetCookie(line: string): { cookie: StoredCookie; maxAge: number } {
  const [pair = '', ...attributes] = line.split(';').map(part => part.trim())
  const find = (key: string) => attributes.find(part => part.toLowerCase().split('=')[0] === key)
  const value = (key: string) => find(key)?.split('=').slice(1).join('=')
  const equals = pair.indexOf('=')
  const cookie = {
    name: pair.slice(0, equals),
    value: pair.slice(equals + 1),
    path: value('path') ?? '/',
    secure: find('secure') !== undefined,
    httpOnly: find('httponly') !== undefined,
    sameSite: value('samesite') ?? 'Lax',
    line,
  }
  return { cookie, maxAge: Number(value('max-age') ?? 1) }
}

function acceptable({ name, value, path, secure, sameSite }: StoredCookie, line: string, onHttps: boolean): boolean {
  if (name.length + value.length > largestCookie) return false
  if (secure && !onHttps) return false
  if (sameSite === 'None' && !secure) return false
  if (name.startsWith('__Secure-') && !secure) return false
  return !name.startsWith('__Host-') || (secure && path === '/' && !/;\s*domain=/i.test(line))
}
