// The settings that cannot change while the gateway runs: sockets, processes, the store, and what depends on them. A reload
// that changes one is refused completely, so that the running configuration is always one whole file.

import { saysTheSame } from './changes.js'
import type { DeepPartial } from './partial-config.js'
import type { Finding, Path } from './problems.js'
import type { Config } from './schema/index.js'
import { isMapping } from './zod-introspection.js'

const needRestart = [
  'listen',
  'prefix',
  'workers',
  'sessions.store',
  'sessions.idle',
  'sessions.lifetime',
  'sessions.perAgent',
  'sessions.nearCache',
  'sessions.outageGrace',
  'ops.listen',
  'ops.probes',
  'limits.header',
  'drain',
]

/** The keys of the list, for the guide and its test. */
export const restartKeys: readonly string[] = [...needRestart, 'tls']

const message = 'cannot change while the gateway runs'
const hint = 'restart it, or take the change back: nothing else of the new configuration counts until then'

/** `written`: the value as written in the new file. Invalid settings are left out: they have their own problem. */
export function restartFindings(
  running: Config,
  next: DeepPartial<Config>,
  written: (path: Path) => unknown,
): Finding[] {
  const changed = needRestart
    .map(key => key.split('.'))
    .filter(path => {
      const value = at(next, path)
      return value !== undefined && !saysTheSame(at(running, path), value)
    })
  // Certificate and key can change; whether TLS is used at all cannot.
  const tlsSwitched = (running.tls === undefined) !== (written(['tls']) === undefined)
  return [...changed, ...(tlsSwitched ? [['tls']] : [])].map(path => ({ path, message, hint }))
}

function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((parent, part) => (isMapping(parent) ? parent[part] : undefined), value)
}
