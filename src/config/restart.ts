// The settings that a running gateway cannot change: sockets, processes, the store, and what was built around them. A
// reload that asks for one is refused as a whole, so that what runs is always one whole file.

import { saysTheSame } from './changes.js'
import type { Draft } from './partial-config.js'
import type { Finding, Path } from './problems.js'
import type { Config } from './schema/index.js'
import { isMapping } from './shape.js'

const fixed = [
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
export const restartKeys: readonly string[] = [...fixed, 'tls']

const message = 'cannot change while the gateway runs'
const hint = 'restart it, or take the change back: nothing else of the new configuration counts until then'

/** `written`: the value as the new file has it. What could not be loaded is left out: it has its own problem. */
export function restartFindings(running: Config, next: Draft<Config>, written: (path: Path) => unknown): Finding[] {
  const changed = fixed
    .map(key => key.split('.'))
    .filter(path => {
      const value = at(next, path)
      return value !== undefined && !saysTheSame(at(running, path), value)
    })
  // Certificate and key can be changed; whether there is TLS at all cannot.
  const turned = (running.tls === undefined) !== (written(['tls']) === undefined)
  return [...changed, ...(turned ? [['tls']] : [])].map(path => ({ path, message, hint }))
}

function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((holder, part) => (isMapping(holder) ? holder[part] : undefined), value)
}
