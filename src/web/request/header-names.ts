// The rule for a request header on its way to Desk, by its name alone. Names are folded first: servers behind Desk read
// X_Agent_Email, X.Agent.Email and X-Agent-Email as the same.

/** The name with case folded and every character that is not a letter or digit read as '-'. */
export function foldHeaderName(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '-')
}

/** pass: forwarded as it is · drop: never forwarded · the others are handled in request-headers.ts. */
export type RequestHeaderRule = 'pass' | 'drop' | 'cookie' | 'length' | 'connection' | 'authorization' | 'trace'

/** Hop by hop (RFC 9110 7.6.1, RFC 9113 8.2.2), or set by the gateway itself, or not supported towards Desk. */
const hopByHop = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'te',
  'trailer',
  'trailers',
  'transfer-encoding',
  'upgrade',
  'x-request-id',
])

/** Names that claim where a request came from or what it asked for: never forwarded. */
const forwarded = new Set([
  'cf-connecting-ip',
  'client-ip',
  'fastly-client-ip',
  'forwarded-for',
  'true-client-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-envoy-external-address',
  'x-forward-for',
  'x-host',
  'x-originating-ip',
  'x-real-ip',
  'x-remote-addr',
  'x-remote-ip',
  'x-rewrite-url',
])

/** `proxy` alone becomes HTTP_PROXY in CGI-like servers. */
const families = /^(?:proxy(?:-|$)|(?:x-)?forwarded(?:-|$)|x-original-)/

/**
 * Names by which many frameworks read another method than that of the request line, without their hyphens:
 * X-HTTP-Method-Override, X-HTTP-Method, X-Method-Override and their like.
 */
const methodOverride = /^(?:x|http|request)*(?:(?:method|verb)(?:override|overwrite)?|override(?:method|verb))$/
/** One word alone is an application's own name. */
const plainWord = /^(?:method|verb)$/

export interface HeaderRulesDeps {
  /** Which names only the gateway may send. */
  isReserved(name: string): boolean
  methodOverride: boolean
}

export function createHeaderRules(deps: HeaderRulesDeps): (name: string) => RequestHeaderRule {
  return memoizeByName(name => ruleFor(name, deps))
}

/**
 * Caches the results of a function by its argument, in the spelling as sent. Names come from clients: the cache is emptied
 * when it has `most` of them.
 */
export function memoizeByName<Result>(ruleFor: (name: string) => Result, most = 2000): (name: string) => Result {
  let known = new Map<string, Result>()
  return name => {
    const found = known.get(name)
    if (found !== undefined) return found
    if (known.size >= most) known = new Map()
    const result = ruleFor(name)
    known.set(name, result)
    return result
  }
}

function ruleFor(name: string, deps: HeaderRulesDeps): RequestHeaderRule {
  const exact = name.toLowerCase()
  if (exact === 'cookie') return 'cookie'
  if (exact === 'content-length') return 'length'
  if (exact === 'connection') return 'connection'
  if (exact === 'authorization') return 'authorization'
  if (exact === 'traceparent' || exact === 'tracestate') return 'trace'
  const folded = foldHeaderName(name)
  if (hopByHop.has(folded) || forwarded.has(folded) || families.test(folded)) return 'drop'
  // Attack: access.paths decides on POST, and Desk carries out the DELETE that a header asks for.
  if (!deps.methodOverride && isMethodOverride(folded.replaceAll('-', ''))) return 'drop'
  return deps.isReserved(name) ? 'drop' : 'pass'
}

function isMethodOverride(word: string): boolean {
  return methodOverride.test(word) && !plainWord.test(word)
}
