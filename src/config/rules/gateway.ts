// Where the gateway and Desk are: origins, listeners, loops, proxies, public paths.

import { networkRules, type Rules } from './rule.js'

export function gatewayRules(rules: Rules): void {
  publicOrigin(rules)
  strictTransport(rules)
  listeners(rules)
  proxies(rules)
  desk(rules)
  publicPaths(rules)
  observing(rules)
  logoutPaths(rules)
  bodies(rules)
  keptForms(rules)
}

function bodies({ config, problem }: Rules): void {
  const { bodies, callback } = config.limits ?? {}
  if (bodies === undefined || callback === undefined || bodies >= 5 * callback) return
  // The whole form is a tenth longer, and one address gets a quarter.
  problem(
    ['limits', 'bodies'],
    'less than five times limits.callback: a callback of that size would not fit',
    'raise bodies',
  )
}

function keptForms({ config, problem }: Rules): void {
  const { size, total } = config.login?.keepPost ?? {}
  if (size === undefined || total === undefined || total >= size) return
  problem(
    ['login', 'keepPost', 'total'],
    'less than login.keepPost.size: a form of that size could not be kept',
    'raise total',
  )
}

function publicOrigin({ config, problem }: Rules): void {
  if (config.publicUrl === undefined || isCleartextAllowed(config.publicUrl)) return
  const hint = 'use https; http is for localhost and 127.0.0.1'
  problem(['publicUrl'], 'not https: cookies and logins could be read in transit', hint)
}

function strictTransport({ config, problem }: Rules): void {
  const { hsts, publicUrl } = config
  if (!hsts) return
  // RFC 6797 7.2 and 8.1.
  if (publicUrl?.startsWith('http:')) problem(['hsts'], 'browsers ignore it, because publicUrl is http', 'remove hsts')
  if (!hsts.preload) return
  const year = 365 * 24 * 3_600_000
  if (hsts.includeSubDomains && hsts.maxAge !== undefined && hsts.maxAge >= year) return
  problem(
    ['hsts', 'preload'],
    'the preload list requires includeSubDomains, and a maxAge of at least 365d',
    'see hstspreload.org',
  )
}

function listeners({ config, problem, warning }: Rules): void {
  const { listen } = config
  const { listen: ops, probes, adminToken } = config.ops ?? {}
  if (collide(listen, ops)) {
    problem(['ops', 'listen'], 'same address as listen', 'give the ops listener its own address')
  }
  for (const [name, address] of Object.entries({ listen, 'ops.listen': ops })) {
    if (!collide(address, probes ?? undefined)) continue
    problem(['ops', 'probes'], `same address as ${name}`, 'give the probes their own address')
  }
  // Attack: anyone who reads the token on the network can list and end every session.
  if (ops !== undefined && adminToken !== undefined && !isLocal(ops)) {
    const hint = 'keep ops.listen on 127.0.0.1, and give kubelet and Prometheus ops.probes'
    warning(['ops', 'listen'], 'exposes the unencrypted API to other hosts', hint)
  }
}

/** Two listeners cannot have one port, whether on one host or where one of them takes every host. */
function collide(one: string | undefined, other: string | undefined): boolean {
  if (one === undefined || other === undefined) return false
  const [first, second] = [split(one), split(other)]
  if (first.port !== second.port || first.port === '0') return false
  return first.host === second.host || [first.host, second.host].some(host => host === '0.0.0.0' || host === '[::]')
}

function isLocal(address: string): boolean {
  const { host } = split(address)
  return address.startsWith('unix:') || isLoopback(host)
}

function split(address: string): { host: string; port: string } {
  if (address.startsWith('unix:')) return { host: '', port: address }
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon), port: address.slice(colon + 1) }
}

function proxies(rules: Rules): void {
  const everybody = 'trusts every peer: any client can choose the address that is logged'
  networkRules(rules, ['trustedProxies'], rules.config.trustedProxies ?? [], everybody)
}

function desk({ config, problem, warning }: Rules): void {
  const { desk, publicUrl } = config
  if (!desk?.url) return
  const loop = 'points back to the gateway: requests would loop'
  if (desk.url === publicUrl) problem(['desk', 'url'], loop, 'the address of Desk itself, as this host reaches it')
  else if (isOwnListener(desk.url, config.listen))
    problem(['desk', 'url'], loop, "this is the gateway's own listen address; use the address of Desk")
  if (desk.tls && desk.url.startsWith('http:')) {
    warning(['desk', 'tls'], 'has no effect: desk.url is not https')
  }
}

function isOwnListener(deskUrl: string, listen: string | undefined): boolean {
  if (listen === undefined || listen.startsWith('unix:')) return false
  const { hostname, port, protocol } = new URL(deskUrl)
  const own = split(listen)
  const sameHost = own.host === hostname || (isLoopback(hostname) && (isLoopback(own.host) || own.host === '0.0.0.0'))
  return sameHost && own.port === (port || (protocol === 'https:' ? '443' : '80'))
}

function logoutPaths({ config, warning }: Rules): void {
  const open = (config.desk?.public ?? []).map(rule => rule?.replace(/^[A-Z]+ /, '') ?? '')
  for (const [index, rule] of (config.desk?.logout ?? []).entries()) {
    if (typeof rule !== 'string') continue
    const pattern = rule.replace(/^[A-Z]+ /, '').replace(/\?.*$/, '')
    const covers = (wide: string) => (wide.endsWith('*') ? pattern.startsWith(wide.slice(0, -1)) : wide === pattern)
    if (!open.some(covers)) continue
    warning(
      ['desk', 'logout', index],
      'also in desk.public: sessions are not checked there, so this rule ends no session',
    )
  }
}

function publicPaths({ config, warning }: Rules): void {
  for (const [index, rule] of (config.desk?.public ?? []).entries()) {
    const path = ['desk', 'public', index]
    const pattern = rule?.replace(/^[A-Z]+ /, '') ?? ''
    if (pattern === '/*') warning(path, 'makes every path public: no login is required')
    if (config.prefix !== undefined && `${pattern}/`.startsWith(`${config.prefix}/`)) {
      warning(path, `has no effect: everything under ${config.prefix} belongs to the gateway`)
    }
  }
}

function observing({ config, warning }: Rules): void {
  const { enforce = [] } = config.observe ?? {}
  for (const [index, pattern] of enforce.entries()) {
    if (config.prefix === undefined || !`${pattern}/`.startsWith(`${config.prefix}/`)) continue
    warning(['observe', 'enforce', index], `has no effect: everything under ${config.prefix} belongs to the gateway`)
  }
  if (config.mode !== 'observe') return
  const all = 'nothing is guarded: requests without a session reach Desk'
  const some = 'only the paths of observe.enforce are guarded: all other requests reach Desk without a session'
  const hint = 'look at `deskgate observed`, then set mode: enforce'
  warning(['mode'], enforce.length === 0 ? all : some, hint)
}

const loopback = new Set(['localhost', '127.0.0.1', '[::1]'])

function isLoopback(host: string): boolean {
  return loopback.has(host)
}

/** Whether an origin is https, or http on one of the two names that browsers trust without it. */
function isCleartextAllowed(origin: string): boolean {
  const { protocol, hostname } = new URL(origin)
  return protocol === 'https:' || hostname === 'localhost' || hostname === '127.0.0.1'
}

/** Whether data sent to a URL can be read in transit. */
export function isCleartext(url: string): boolean {
  const { protocol, hostname } = new URL(url)
  return protocol === 'http:' && !isLoopback(hostname)
}

/** Whether a URL is on the site of a loopback origin: the host has no subdomains, and the scheme must match. */
export function isSameSite(origin: string, url: string): boolean {
  const [one, other] = [new URL(origin), new URL(url)]
  return one.protocol === other.protocol && one.hostname === other.hostname
}
