// HTTP client for texts that the operator has configured: metadata, key sets, directories. Every call is limited in
// time and size, verifies TLS and follows no redirect to another origin. Never call it with a URL from a request or a token.

import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { EnvHttpProxyAgent, request } from 'undici'

interface FetchLimits {
  /** The most bytes of the answer's body; default 1 MB. */
  bytes?: number
  /** The most milliseconds for the whole call, from name look-up to the last byte; default 5000. */
  ms?: number
  /** The ETag of the copy at hand: with it a 304 is an answer too (RFC 9110 13.1.2). */
  etag?: string | undefined
  /** The most redirects that are followed, each within the origin of the URL; default 0. */
  redirects?: number
  /** A body that is packed with gzip is taken too; `bytes` counts it unpacked. */
  gzip?: true
  /** More headers of the request. Their values are never shown. */
  headers?: Readonly<Record<string, string>>
}

export interface FetchedText {
  /** Empty when it is unchanged. */
  text: string
  /** The copy with the ETag that was asked for is still good. Only there when it is so. */
  unchanged?: true
  /** The ETag header (RFC 9110 8.8.3), as sent. */
  etag?: string
  type?: string
  /** The Link header (RFC 8288), as sent; several lines as one. */
  link?: string
}

/**
 * Gets a text by http or https. Resolves only for a 200 with a body of UTF-8 within the limits, and for a 304 to an
 * ETag. Throws FetchFailed, and nothing else, in every other case; a redirect is one of them unless some are allowed.
 */
export type FetchText = (url: string, limits?: FetchLimits) => Promise<FetchedText>

export interface HttpClient extends FetchText {
  /** Aborts the calls in flight; later calls fail. */
  close(): Promise<void>
}

/** A failed call. The message is for the operator and never contains user, password or query. */
export class FetchFailed extends Error {
  override name = 'FetchFailed'
  constructor(
    message: string,
    /** The unusable response; undefined when there was none, or it broke off. */
    readonly answer?: { status: number; type?: string },
  ) {
    super(message)
  }
}

type Limits = FetchLimits & typeof defaults

const defaults = { bytes: 1024 * 1024, ms: 5000, redirects: 0 }

/**
 * Honours HTTPS_PROXY, HTTP_PROXY and NO_PROXY (read by undici) and NODE_EXTRA_CA_CERTS (read by Node).
 * Throws FetchFailed when a proxy variable holds no URL.
 */
export function createHttpClient(): HttpClient {
  const agent = openAgent()
  const call: FetchText = (url, limits = {}) => fetchText(agent, url, { ...defaults, ...limits })
  return Object.assign(call, { close: () => agent.destroy() })
}

/** Verifies TLS and honours the proxy variables. Throws FetchFailed when one of them holds no URL. */
export function openAgent(): EnvHttpProxyAgent {
  // Attack: NODE_TLS_REJECT_UNAUTHORIZED=0, left over from a test, must not let a stranger hand out keys. Said for the
  // server, for the server behind a proxy, and for the proxy: undici keeps three separate settings.
  const verified = { rejectUnauthorized: true }
  try {
    return new EnvHttpProxyAgent({ connect: verified, requestTls: verified, proxyTls: verified })
  } catch {
    // The error would print the variable, which may hold the proxy's password.
    throw new FetchFailed('HTTPS_PROXY or HTTP_PROXY holds no proxy URL')
  }
}

async function fetchText(agent: EnvHttpProxyAgent, address: string, limits: Limits): Promise<FetchedText> {
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (!url || !/^https?:$/.test(url.protocol)) throw new FetchFailed('only http:// and https:// URLs can be fetched')
  const shown = url.origin + url.pathname
  if (url.username || url.password) throw new FetchFailed(`${shown}: a user or password in the URL is not supported`)

  const late = new AbortController()
  const timer = setTimeout(() => late.abort(), limits.ms)
  try {
    return await receive(agent, url, { ...limits, signal: late.signal })
  } catch (error) {
    const why = late.signal.aborted ? `no complete response within ${limits.ms} ms` : explain(error)
    throw new FetchFailed(`${shown}: ${why}`, error instanceof UnusableResponse ? error.answer : undefined)
  } finally {
    clearTimeout(timer)
  }
}

/** A response that cannot be used, as opposed to a failed connection. */
class UnusableResponse extends Error {
  constructor(
    message: string,
    readonly answer?: { status: number; type?: string },
  ) {
    super(message)
  }
}

async function receive(
  agent: EnvHttpProxyAgent,
  url: URL,
  limits: Limits & { signal: AbortSignal },
): Promise<FetchedText> {
  const { bytes, etag, headers: more, signal, redirects, gzip } = limits
  // undici's request, unlike its fetch, follows no redirect and unpacks nothing. One connection per call: calls are
  // rare, and a kept one that the server is just closing would fail the next.
  const asked = {
    ...(gzip ? { 'accept-encoding': 'gzip' } : {}),
    ...(etag === undefined ? {} : { 'if-none-match': etag }),
  }
  const answer = await request(url, { dispatcher: agent, signal, reset: true, headers: { ...more, ...asked } })
  try {
    if (answer.statusCode === 304 && etag !== undefined) return { text: '', unchanged: true, etag }
    const target = redirects > 0 ? sameOriginTarget(answer, url) : undefined
    if (target) return await receive(agent, target, { ...limits, redirects: redirects - 1 })
    const coding = refuseUnlessUsable(answer.statusCode, answer.headers, gzip)
    const text = await readText(coding === 'gzip' ? unpacked(answer.body) : answer.body, bytes)
    const { etag: version, 'content-type': type, link } = answer.headers
    const links = Array.isArray(link) ? link.join(', ') : link
    return { text, ...named('etag', version), ...named('type', type), ...named('link', links) }
  } finally {
    // What is left of the body is not wanted, and neither is the error that dropping it raises.
    answer.body.on('error', () => {}).destroy()
  }
}

type AnswerHeaders = Record<string, string | string[] | undefined>

/** Where a redirect leads; undefined when it is none. Throws when it leads elsewhere: that server is not configured. */
function sameOriginTarget({ statusCode: status, headers }: { statusCode: number; headers: AnswerHeaders }, from: URL) {
  const { location } = headers
  if (![301, 302, 303, 307, 308].includes(status) || typeof location !== 'string') return undefined
  const target = URL.canParse(location, from) ? new URL(location, from) : undefined
  if (target?.origin === from.origin && target.username === '' && target.password === '') return target
  const shown = target && /^https?:$/.test(target.protocol) ? ` to ${target.origin}${target.pathname}` : ''
  throw new UnusableResponse(
    `answered ${status}${shown}: redirects to another origin are not followed, name the final URL`,
    { status },
  )
}

/** The error of either stream ends the reading of the result. */
function unpacked(body: NodeJS.ReadableStream): AsyncIterable<Buffer> {
  return pipeline(body, createGunzip(), () => {})
}

/** The coding of the body. */
function refuseUnlessUsable(status: number, headers: AnswerHeaders, gzip: true | undefined): 'gzip' | undefined {
  if (status >= 300 && status < 400) {
    throw new UnusableResponse(`answered ${status}: redirects are not followed, name the final URL`, { status })
  }
  if (status !== 200) {
    throw new UnusableResponse(`answered ${status} instead of 200`, {
      status,
      ...named('type', headers['content-type']),
    })
  }
  const coding = headers['content-encoding']
  if (coding === undefined || coding === 'identity') return undefined
  // Attack: a few kilobytes of gzip unpack to gigabytes. Where none was asked for, none is unpacked; else it is counted.
  if (gzip && (coding === 'gzip' || coding === 'x-gzip')) return 'gzip'
  throw new UnusableResponse('answered with a compressed body')
}

async function readText(body: AsyncIterable<Buffer>, most: number): Promise<string> {
  const parts: Buffer[] = []
  let length = 0
  for await (const part of body) {
    length += part.length
    // Attack: an endless body. Counted while it comes in: Content-Length is only a promise.
    if (length > most) throw new UnusableResponse(`the response is larger than ${most} bytes`)
    parts.push(part)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(parts))
  } catch {
    throw new UnusableResponse('the response is not UTF-8')
  }
}

function named<K extends string>(key: K, value: string | string[] | undefined): { [P in K]?: string } {
  return typeof value === 'string' ? ({ [key]: value } as { [P in K]?: string }) : {}
}

/** Codes only: messages of the network may hold addresses with a password in them. */
function explain(error: unknown): string {
  if (error instanceof UnusableResponse) return error.message
  const code = codeOf(error) ?? (error instanceof Error ? codeOf(error.cause) : undefined)
  if (code?.startsWith('Z_')) return 'the compressed body is damaged'
  return `no connection (${code ?? 'unknown error'})`
}

function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
