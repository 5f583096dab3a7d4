// What becomes of a request header on its way to Desk, judged by its name alone. Names are folded first: servers behind
// Desk read X_Agent_Email, X.Agent.Email and X-Agent-Email as one.

/** The name with case folded and every character that is no letter or digit read as '-'. */
export function fold(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '-')
}

/** pass: as it is · drop: never · the others are looked at by the header pass. */
export type Fate = 'pass' | 'drop' | 'cookie' | 'length' | 'connection' | 'authorization'

/** Hop by hop (RFC 9110 7.6.1, RFC 9113 8.2.2), or made anew by us, or a promise that we do not keep for Desk. */
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

/** Names by which somebody says where a request came from, or what it asked for: believed here at most, never passed on. */
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

/** The most names whose fate is remembered: names come from clients, so the memory starts anew when it is full. */
const remembered = 2000

/** `reserved` says which names only the gateway may send. */
export function createFates(reserved: (name: string) => boolean): (name: string) => Fate {
  return remembering(name => judge(name, reserved))
}

/** The same function, asked once for each name, in the spelling in which it came. */
export function remembering<Judgement>(judge: (name: string) => Judgement): (name: string) => Judgement {
  let known = new Map<string, Judgement>()
  return name => {
    const found = known.get(name)
    if (found !== undefined) return found
    if (known.size >= remembered) known = new Map()
    const judgement = judge(name)
    known.set(name, judgement)
    return judgement
  }
}

function judge(name: string, reserved: (name: string) => boolean): Fate {
  const exact = name.toLowerCase()
  if (exact === 'cookie') return 'cookie'
  if (exact === 'content-length') return 'length'
  if (exact === 'connection') return 'connection'
  if (exact === 'authorization') return 'authorization'
  const folded = fold(name)
  if (hopByHop.has(folded) || forwarded.has(folded) || families.test(folded)) return 'drop'
  return reserved(name) ? 'drop' : 'pass'
}
