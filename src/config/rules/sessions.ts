// Sessions: a store that all processes share, and times that fit together.

import { hostListProblem } from '../store-url.js'
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
  if (password && parsed.password !== '') warning(['sessions', 'store', 'password'], 'also set in the URL')
}
