// Turns sessions.store into the address of a Redis client. Errors name the setting and never repeat the URL, which may
// hold a password.

import { X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext } from 'node:tls'
import { type HostList, hostListProblem, readHostList } from '../../config/rules/sessions.js'
import type { StoreSettings } from '../../config/schema/sessions.js'

export interface RedisLogin {
  username: string | undefined
  password: string | undefined
  db: number
  /** Set for TLS. */
  tls: { secureContext: SecureContext; servername?: string } | undefined
}

export interface RedisHost {
  host: string
  port: number
}

/** One server. */
export interface RedisAddress extends RedisHost, RedisLogin {}

/** Sentinels, and the name of their primary. The login is for Redis; the Sentinels have a password of their own. */
export interface SentinelAddress extends RedisLogin {
  sentinels: RedisHost[]
  name: string
  sentinelPassword: string | undefined
}

/** Some nodes of a cluster, by which the others are found. */
export interface ClusterAddress extends RedisLogin {
  nodes: RedisHost[]
}

/** The topology by the URL's scheme. */
export type Topology = 'memory' | 'standalone' | 'sentinel' | 'cluster'

const topologies: Record<string, Topology> = {
  'redis:': 'standalone',
  'rediss:': 'standalone',
  'redis+sentinel:': 'sentinel',
  'rediss+sentinel:': 'sentinel',
  'redis+cluster:': 'cluster',
  'rediss+cluster:': 'cluster',
}

/** The topology of the settings; throws when it is none of these. */
export function topologyOf(settings: StoreSettings): Topology {
  const url = settings.url.reveal()
  if (url === 'memory') return 'memory'
  const topology = topologies[url.slice(0, url.indexOf(':') + 1)]
  if (!topology) throw new Error('sessions.store is neither memory nor a redis:// or rediss:// URL')
  return topology
}

/** The one server of a redis:// or rediss:// URL; throws an Error that names what is wrong with the setting. */
export function addressOf(settings: StoreSettings): RedisAddress {
  const url = parsed(settings.url.reveal())
  if (url.hostname === '') throw new Error('sessions.store names no host')
  if (url.search !== '' || url.hash !== '') {
    // Attack: a client that takes options from the query lets a URL switch off the verification of certificates.
    throw new Error('sessions.store takes no query or fragment (percent-encode ? and # in a password)')
  }
  const secure = url.protocol === 'rediss:'
  if (settings.tls && !secure) throw new Error('sessions.store.tls needs a rediss:// URL')
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? 6379 : Number(url.port),
    username: settings.username ?? decoded(url.username),
    password: settings.password?.reveal() ?? decoded(url.password),
    db: databaseOf(url.pathname),
    tls: secure ? tlsOf(settings.tls) : undefined,
  }
}

/** The Sentinels of a redis+sentinel:// URL; throws like addressOf. TLS, where it is set, is for them and for Redis. */
export function sentinelsOf(settings: StoreSettings): SentinelAddress {
  const list = listed(settings)
  const [name = '', database = '0'] = list.path
  return {
    ...loginOf(settings, list),
    db: Number(database),
    sentinels: list.hosts.map(({ host, port = 26_379 }) => ({ host, port })),
    name: decoded(name) ?? '',
    sentinelPassword: settings.sentinelPassword?.reveal(),
  }
}

/** The nodes of a redis+cluster:// URL; throws like addressOf. */
export function clusterOf(settings: StoreSettings): ClusterAddress {
  const list = listed(settings)
  return { ...loginOf(settings, list), nodes: list.hosts.map(({ host, port = 6379 }) => ({ host, port })) }
}

function listed(settings: StoreSettings): HostList {
  const url = settings.url.reveal()
  const problem = hostListProblem(url)
  const list = readHostList(url)
  if (problem || !list) throw new Error(`sessions.store: ${problem?.message ?? 'invalid URL'} (${problem?.hint})`)
  return list
}

/** These URLs have no other sign for TLS than the second s; certificates in the settings ask for it as well. */
function loginOf(settings: StoreSettings, { scheme, username, password }: HostList): RedisLogin {
  return {
    username: settings.username ?? decoded(username),
    password: settings.password?.reveal() ?? decoded(password),
    db: 0,
    tls: scheme.startsWith('rediss') || settings.tls ? tlsOf(settings.tls) : undefined,
  }
}

/** Attack: the error of `new URL` carries the whole input, password and all, into whatever logs it. */
function parsed(url: string): URL {
  if (!URL.canParse(url)) throw new Error('sessions.store: invalid URL (percent-encode / ? # @ and : in a password)')
  return new URL(url)
}

function decoded(part: string): string | undefined {
  if (part === '') return undefined
  try {
    return decodeURIComponent(part)
  } catch {
    throw new Error('a % in the user or password of sessions.store is not a percent-encoding: write it as %25')
  }
}

function databaseOf(path: string): number {
  if (path === '' || path === '/') return 0
  if (!/^\/\d{1,5}$/.test(path)) throw new Error('the path of sessions.store is the number of a database, such as /0')
  return Number(path.slice(1))
}

/** Checked once here: a bad PEM would otherwise fail at each reconnection. */
function tlsOf(tls: StoreSettings['tls']): NonNullable<RedisAddress['tls']> {
  const pem = { ca: tls?.ca?.text, cert: tls?.cert?.text, key: tls?.key?.text }
  try {
    // OpenSSL ignores an unreadable authority and trusts none: reported here instead of at every handshake.
    for (const certificate of [pem.ca, pem.cert]) if (certificate !== undefined) new X509Certificate(certificate)
    const given = Object.fromEntries(Object.entries(pem).filter(([, text]) => text !== undefined))
    const secureContext = createSecureContext({ ...given, minVersion: 'TLSv1.2' })
    return tls?.serverName === undefined ? { secureContext } : { secureContext, servername: tls.serverName }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'not PEM'
    throw new Error(`sessions.store.tls: ca, cert or key cannot be used (${code})`)
  }
}

/** Hosts and ports, for the operator; undefined for the memory store. */
export function shownAddress(settings: StoreSettings): string | undefined {
  const shown = ({ host, port }: RedisHost) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)
  const listed = (hosts: RedisHost[]) => hosts.map(shown).join(', ')
  const topology = topologyOf(settings)
  if (topology === 'memory') return undefined
  if (topology === 'sentinel') return `Sentinels ${listed(sentinelsOf(settings).sentinels)}`
  return topology === 'cluster' ? `cluster ${listed(clusterOf(settings).nodes)}` : listed([addressOf(settings)])
}
