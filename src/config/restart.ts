// What a reload must not do: change a setting that needs a restart, or take over an agents file that suddenly names nobody.

import { agentsIn } from './agents-files.js'
import { saysTheSame } from './changes.js'
import type { DeepPartial } from './partial-config.js'
import type { Finding, Path, Problem } from './problems.js'
import type { Config } from './schema/index.js'
import type { FileText } from './schema/values.js'
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
  'tracing',
  'drain',
  'runtime.tuning',
]

/** The keys of the list, for the guide and its test. */
export const restartKeys: readonly string[] = [...needRestart, 'tls']

const message = 'cannot change while the gateway runs'
const hint = 'restart the gateway, or undo the change; until then no part of the new configuration applies'

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
      return value !== undefined && !saysTheSame(at(running, path), value, 'content')
    })
  // Certificate and key can change; whether TLS is used at all cannot.
  const tlsSwitched = (running.tls === undefined) !== (written(['tls']) === undefined)
  return [...changed, ...(tlsSwitched ? [['tls']] : [])].map(path => ({ path, message, hint }))
}

/** Attack, or an accident: an agents file that suddenly names nobody would log everybody out. */
export function emptiedFiles(running: Config, next: DeepPartial<Config>): Problem[] {
  const count = (file: FileText) => {
    const parsed = agentsIn(file)
    return 'agents' in parsed ? parsed.agents.size : undefined
  }
  const before = running.agents.flatMap(source => ('file' in source ? [source.file] : []))
  return (next.agents ?? []).flatMap(source => {
    const file = source && 'file' in source ? source.file : undefined
    const known = before.find(({ path }) => path === file?.path)
    if (!file || !known || file === known || count(file) !== 0 || !count(known)) return []
    const hint = 'restart the gateway if there are really none'
    return [{ file: file.path, line: 1, column: 1, key: '(file)', message: 'no longer names any agent', hint }]
  })
}

function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((parent, part) => (isMapping(parent) ? parent[part] : undefined), value)
}
