// The least that a Node program can do with the same checks: node:http and undici's dispatch, no framework. Each request
// gets all that Deskgate decides on a request with a session: framing, target, own paths, cookie, times of the session,
// header names folded, an assertion that is signed again in time, and the answer's head cleaned. What is left out is
// what such a request does not meet: settings that change, Redis, other ways in, metrics, pages, timeouts of our own.

import { generateKeyPairSync, hash, randomBytes, sign } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Pool } from 'undici'

const [port, upstream = '', cookie = ''] = process.argv.slice(2)
const pool = new Pool(upstream, { pipelining: 1 })
const publicUrl = 'https://desk.example.com'
const pair = '__Host-deskgate='
const [idle, life, ttl] = [8 * 3600_000, 24 * 3600_000, 60_000]

interface Session {
  endsAt: number
  seenAt: number
  identity: string[]
  assertion: string
  signedUntil: number
}
const sessions = new Map<string, Session>([
  [
    hash('sha256', cookie, 'base64url'),
    {
      endsAt: Date.now() + life,
      seenAt: Date.now(),
      identity: [
        ...['X-Agent-Id', '7', 'X-Agent-Email', 'ada@example.com', 'X-Agent-Name', 'Ada'],
        ...['X-Agent-Roles', 'admin', 'X-Agent-Provider', 'portal', 'X-Agent-Assertion'],
      ],
      assertion: '',
      signedUntil: 0,
    },
  ],
])

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Signed anew when less than half of its time is left. */
function assertionOf(session: Session, now: number): string {
  if (now < session.signedUntil) return session.assertion
  const [iat, exp] = [Math.floor(now / 1000), Math.floor((now + ttl) / 1000)]
  const who = { sub: 'ada@example.com', email: 'ada@example.com', name: 'Ada', roles: ['admin'], provider: 'portal' }
  const claims = { iss: publicUrl, aud: upstream, ...who, agent_id: '7', sid: hash('sha256', 'handle'), iat, exp }
  const input = `${encode({ alg: 'ES256', typ: 'JWT', kid: 'one' })}.${encode(claims)}`
  const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' })
  session.assertion = `${input}.${signature.toString('base64url')}`
  session.signedUntil = now + ttl / 2
  return session.assertion
}

/** RFC 9112 3.2 and 6.1: one Host, no coding but chunked. */
function framed(raw: string[], version: string): boolean {
  if (raw.length > 400 || (version !== '1.1' && version !== '1.0')) return false
  let hosts = 0
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string
    if (name.length === 4 && name.toLowerCase() === 'host' && ++hosts > 1) return false
    if (name.length !== 17 || name.toLowerCase() !== 'transfer-encoding') continue
    if (version === '1.0' || (raw[i + 1] as string).toLowerCase() !== 'chunked') return false
  }
  return true
}

const dotSegment = /(?:^|[/\\])\.\.?(?:[/\\;]|$)/
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const control = /[\u0000-\u001f\u007f-\u009f\\]/

/** The path decoded; undefined for what two servers could read in two ways. */
function pathOf(target: string): string | undefined {
  if (target[0] !== '/' || target[1] === '/') return undefined
  let [end, escaped, dots] = [target.length, false, false]
  for (let i = 0; i < target.length; i++) {
    const code = target.charCodeAt(i)
    if (code <= 0x20 || code >= 0x7f || code === 0x23) return undefined
    if (end < i) continue
    if (code === 0x3f) end = i
    else if (code === 0x25) escaped = true
    else if (code === 0x5c) return undefined
    else if (code === 0x2e && target.charCodeAt(i - 1) === 0x2f) dots = true
  }
  const sent = target.slice(0, end)
  if (!escaped) return dots && dotSegment.test(sent) ? undefined : sent
  try {
    const path = decodeURIComponent(sent)
    const again = path.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    return control.test(path) || path.startsWith('//') || dotSegment.test(path) || dotSegment.test(again)
      ? undefined
      : path
  } catch {
    return undefined
  }
}

function isOwn(path: string): boolean {
  const next = path[5]
  return path.slice(0, 5).toLowerCase() === '/auth' && (next === undefined || next === '/' || next === ';')
}

/** The session of exactly one cookie in all Cookie lines, within its times. */
function sessionOf(raw: string[], now: number): Session | undefined {
  let header = ''
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string
    if (name.length === 6 && name.toLowerCase() === 'cookie')
      header = header ? `${header}; ${raw[i + 1]}` : `${raw[i + 1]}`
  }
  const at = header.startsWith(pair) ? 0 : header.indexOf(`; ${pair}`) + 2
  if (at === 1 || header.indexOf(pair, at + 1) > 0) return undefined
  const from = at + pair.length
  const end = header.indexOf(';', from)
  const value = header.slice(from, end < 0 ? undefined : end)
  if (!/^[A-Za-z0-9_-]{43}$/.test(value)) return undefined
  const session = sessions.get(hash('sha256', value, 'base64url'))
  if (!session || !(now < session.endsAt && now < session.seenAt + idle)) return undefined
  session.seenAt = now
  return session
}

/** 128 random bits in base64url; randomness is fetched for many at once. */
let [random, next] = [randomBytes(1024), 0]
function newId(): string {
  if (next >= random.length) [random, next] = [randomBytes(1024), 0]
  next += 16
  return random.toString('base64url', next - 16, next)
}

type HeaderRule = 'pass' | 'drop' | 'cookie' | 'length'
const dropped =
  /^(?:connection|expect|host|http2-settings|keep-alive|te|trailers?|transfer-encoding|upgrade|x-request-id|x-agent-.*|proxy(?:-.*)?|(?:x-)?forwarded(?:-.*)?|x-original-.*|x-real-ip|true-client-ip|client-ip|x-client-ip|x-host|x-rewrite-url)$/
const rules = new Map<string, HeaderRule>()

/** Judged by the folded name, and remembered. */
function ruleOf(name: string): HeaderRule {
  const known = rules.get(name)
  if (known !== undefined) return known
  const exact = name.toLowerCase()
  const folded = exact.replace(/[^a-z0-9]/g, '-')
  const rule =
    exact === 'cookie' ? 'cookie' : exact === 'content-length' ? 'length' : dropped.test(folded) ? 'drop' : 'pass'
  if (rules.size >= 2000) rules.clear()
  rules.set(name, rule)
  return rule
}

/** RFC 9110 7.6.1: what Connection names belongs to this hop. */
function namedByConnection(raw: readonly string[]): Set<string> | undefined {
  let named: Set<string> | undefined
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string
    if (name.length !== 10 || name.toLowerCase() !== 'connection') continue
    const value = (raw[i + 1] as string).toLowerCase()
    if (value === 'keep-alive' || value === 'close') continue
    named ??= new Set()
    for (const token of value.split(',')) named.add(token.trim())
  }
  return named
}

function requestHeaders(request: IncomingMessage, session: Session, now: number): string[] {
  const flat = ['Host', 'desk.example.com']
  const raw = request.rawHeaders
  const named = namedByConnection(raw)
  for (let i = 0; i < raw.length; i += 2) {
    const [name, value] = [raw[i] as string, raw[i + 1] as string]
    const rule = ruleOf(name)
    if (rule === 'drop') continue
    if (rule === 'length') flat.push(name, value)
    else if (named?.has(name.toLowerCase())) continue
    else if (rule === 'pass') flat.push(name, value)
    else {
      const ours = (part: string) => part.trim().startsWith('__Host-deskgate')
      const left = value
        .split(';')
        .filter(part => !ours(part))
        .join(';')
        .trim()
      if (left !== '') flat.push(name, left)
    }
  }
  flat.push('X-Forwarded-For', request.socket.remoteAddress ?? '', 'X-Forwarded-Proto', 'https')
  flat.push('X-Forwarded-Host', 'desk.example.com', 'X-Request-Id', newId())
  for (const part of session.identity) flat.push(part)
  flat.push(assertionOf(session, now))
  return flat
}

const hopByHop = new Set([
  ...['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authentication-info', 'proxy-connection'],
  ...['te', 'trailer', 'transfer-encoding', 'upgrade'],
])

function responseHeaders(received: Buffer[]): string[] {
  const raw = received.map(bytes => bytes.toString('latin1'))
  const named = namedByConnection(raw)
  const flat: string[] = []
  let [html, cached] = [false, false]
  for (let i = 0; i < raw.length; i += 2) {
    const [sent, value] = [raw[i] as string, raw[i + 1] as string]
    const name = sent.toLowerCase()
    if (hopByHop.has(name) || named?.has(name)) continue
    if (name === 'set-cookie' && value.trimStart().startsWith('__Host-deskgate')) continue
    if (name === 'cache-control') cached = true
    else if (name === 'content-type') html = value.startsWith('text/html')
    const moved = name === 'location' && value.startsWith(upstream)
    flat.push(sent, moved ? publicUrl + value.slice(upstream.length) : value)
  }
  if (html && !cached) flat.push('Cache-Control', 'private')
  return flat
}

function refuse(response: ServerResponse, status: number): void {
  response.writeHead(status, { 'content-length': 0 }).end()
}

const server = createServer((request, response) => {
  const now = Date.now()
  const path = pathOf(request.url ?? '')
  if (path === undefined || !framed(request.rawHeaders, request.httpVersion)) return refuse(response, 400)
  if (isOwn(path)) return refuse(response, 404)
  const session = sessionOf(request.rawHeaders, now)
  if (!session) return refuse(response, 401)
  const { headers } = request
  const body = headers['content-length'] || headers['transfer-encoding'] ? request : null
  let [over, stop, proceed] = [false, () => {}, () => {}]
  response.on('close', () => {
    if (!over) stop()
  })
  pool.dispatch(
    {
      path: request.url ?? '/',
      method: request.method ?? 'GET',
      headers: requestHeaders(request, session, now),
      body,
    },
    {
      onConnect(abort) {
        stop = abort
      },
      onHeaders(status, received, resume) {
        if (status < 200) return true
        proceed = resume
        response.writeHead(status, responseHeaders(received))
        return true
      },
      onData(chunk) {
        if (response.write(chunk)) return true
        response.once('drain', proceed)
        return false
      },
      onComplete() {
        over = true
        response.end()
      },
      onError() {
        over = true
        if (response.headersSent) response.destroy()
        else refuse(response, 502)
      },
    },
  )
})
server.keepAliveTimeout = 75_000
server.listen(Number(port), '127.0.0.1')
