// Parses the URLs of sessions.store with several hosts: redis+sentinel://a,b/name/0 and redis+cluster://a,b, which no URL
// parser accepts. Messages never contain the URL, which may have a password.

export interface StoreHost {
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
