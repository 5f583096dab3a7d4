// Sessions: a store that all processes share, and times that fit together. And the URLs with several hosts, which no URL parser
// accepts: redis+sentinel://a,b/name/0 and redis+cluster://a,b. Messages never contain the URL, which may have a password.

import type { Rules } from './rule.js'

export function sessionRules(rules: Rules): void {
  const { config, problem, warning } = rules
  const { idle, lifetime, store } = config.sessions ?? {}
  const url = store?.url?.reveal()
  if (url === 'memory') {
    if (config.workers !== undefined && config.workers !== 1) {
      problem(['workers'], 'needs a store that all processes share', 'sessions.store: a Redis URL')
    }
  } else if (url !== undefined) redis(rules, url)
  if (idle !== undefined && lifetime !== undefined && idle > lifetime) {
    warning(['sessions', 'idle'], 'longer than lifetime: it has no effect')
  }
  const { outageGrace } = config.sessions ?? {}
  if (outageGrace && url === 'memory') warning(['sessions', 'outageGrace'], 'has no effect: memory has no outages')
}

function redis({ config, problem, warning }: Rules, url: string): void {
  const path = ['sessions', 'store']
  if (config.sessions?.store?.sentinelPassword && !/^rediss?\+sentinel:/.test(url)) {
    warning([...path, 'sentinelPassword'], 'has no effect: the URL names no Sentinels')
  }
  if (!/^rediss?:/.test(url)) {
    const found = hostListProblem(url)
    if (found) problem(path, found.message, found.hint)
    return
  }
  if (!URL.canParse(url)) {
    problem(path, 'invalid URL', 'redis://host:6379/0')
    return
  }
  const parsed = new URL(url)
  if (parsed.hostname === '') problem(path, 'names no host', 'redis://host:6379/0')
  if (!/^(\/\d{0,5})?$/.test(parsed.pathname))
    problem(path, 'must end with the number of the database', 'redis://host:6379/0')
  if (parsed.search !== '' || parsed.hash !== '')
    problem(path, 'must not contain ? or #', 'percent-encode them in a password')
  const { tls, password } = config.sessions?.store ?? {}
  if (tls && parsed.protocol === 'redis:') {
    problem(['sessions', 'store', 'tls'], 'cannot be used with redis://', 'the URL must begin with rediss://')
  }
  if (password && parsed.password !== '') {
    warning(['sessions', 'store', 'password'], 'takes the place of the password in the URL', 'remove one of them')
  }
}

interface StoreHost {
  host: string
  /** Undefined: the default port. */
  port: number | undefined
}

export interface HostList {
  /** redis+sentinel, rediss+sentinel, redis+cluster or rediss+cluster; the second s asks for TLS. */
  scheme: string
  /** Percent-encoded as in the URL; '' when there is none. */
  username: string
  password: string
  hosts: StoreHost[]
  /** The parts of the path, percent-encoded as in the URL. */
  path: string[]
}

const form = /^(rediss?\+(?:sentinel|cluster)):\/\/(?:([^/?#]*)@)?([^/?#@]+)(\/[^?#]*)?$/

/** Undefined when it is invalid: no host, a bad port, a query, or a character that has to be percent-encoded. */
export function readHostList(url: string): HostList | undefined {
  const [, scheme, login = '', list = '', path = ''] = form.exec(url) ?? []
  if (scheme === undefined) return undefined
  const hosts = list.split(',').map(hostOf)
  if (!hosts.every(host => host !== undefined)) return undefined
  const colon = login.indexOf(':')
  const [username, password] = colon < 0 ? [login, ''] : [login.slice(0, colon), login.slice(colon + 1)]
  return { scheme, username, password, hosts, path: path.split('/').filter(part => part !== '') }
}

/** The problem of such a URL; undefined when it is valid. */
export function hostListProblem(url: string): { message: string; hint: string } | undefined {
  const sentinel = /^rediss?\+sentinel:/.test(url)
  const hint = sentinel ? 'redis+sentinel://h1:26379,h2:26379/mymaster/0' : 'redis+cluster://h1:6379,h2:6379'
  const list = readHostList(url)
  if (!list) return { message: 'invalid URL (percent-encode / ? # @ and : in a password)', hint }
  const [name, database = '0', ...rest] = sentinel ? list.path : ['', ...list.path]
  if (name === undefined) return { message: "does not name the Sentinels' primary", hint }
  if (!/^\d{1,5}$/.test(database) || rest.length > 0)
    return { message: 'must end with the number of the database', hint }
  if (!sentinel && Number(database) !== 0) return { message: 'names a database: a cluster has only 0', hint }
  return undefined
}

function hostOf(text: string): StoreHost | undefined {
  const [, host, bare, port] = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(text) ?? []
  const name = host ?? bare
  if (name === undefined || Number(port ?? 1) < 1 || Number(port ?? 1) > 65_535) return undefined
  return { host: name, port: port === undefined ? undefined : Number(port) }
}
