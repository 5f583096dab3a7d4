// What a reload changes: the keys in which two configurations differ, and what it must not do, change a setting that needs a
// restart or take over an agents file that suddenly names nobody. It compares secrets and key files, and never shows them.

import { agentsIn } from './agents-files.js'
import type { DeepPartial } from './partial-config.js'
import { dotted, type Finding, type Path, type Problem } from './problems.js'
import type { Config } from './schema/index.js'
import type { FileText } from './schema/values.js'
import { isMapping } from './zod-introspection.js'

const maxKeys = 100

/** The changed keys, such as providers[0].secrets[1]; a list of another length is one key. */
export function changedKeys(one: Config, other: Config): string[] {
  return [...new Set(changedPaths(one, other, []).map(dotted))].slice(0, maxKeys)
}

/** Whether two parts of configurations are equal, including secrets; files by their paths and contents, or by contents alone. */
export function saysTheSame(one: unknown, other: unknown, files: FilesBy = 'path'): boolean {
  return changedPaths(one, other, [], files).length === 0
}

/** Whether nothing differs but what stands in agents files. */
export function differInAgentsFiles(one: Config, other: Config): boolean {
  const isAgentsFile = ([key, index, ...rest]: Path) => {
    const [before, after] = [one, other].map(config => config.agents[index as number])
    if (key !== 'agents' || rest.join() !== 'file' || !before || !after) return false
    return 'file' in before && 'file' in after && before.file.path === after.file.path
  }
  return changedPaths(one, other, []).every(isAgentsFile)
}

type FilesBy = 'path' | 'content'

function changedPaths(one: unknown, other: unknown, path: Path, files: FilesBy = 'path'): Path[] {
  if (Object.is(one, other)) return []
  if (isFile(one) && isFile(other)) return sameFile(one, other, path, files) ? [] : [path]
  const [value, next] = [plain(one), plain(other)]
  if (Array.isArray(value) && Array.isArray(next)) {
    if (value.length !== next.length) return [path]
    return value.flatMap((item, index) => changedPaths(item, next[index], [...path, index], files))
  }
  if (isMapping(value) && isMapping(next)) {
    const keys = new Set([...Object.keys(value), ...Object.keys(next)])
    return [...keys].flatMap(key => changedPaths(value[key], next[key], [...path, key], files))
  }
  return value === next ? [] : [path]
}

/** Secrets as comparable texts; everything else unchanged. */
function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if ('reveal' in value && typeof value.reveal === 'function') return `secret ${value.reveal()}`
  return isFile(value) ? 'file' : value
}

/** The text of a key file is not enumerable. */
function isFile(value: unknown): value is FileText {
  return typeof value === 'object' && value !== null && 'path' in value && 'text' in value
}

function sameFile(one: FileText, other: FileText, path: Path, files: FilesBy): boolean {
  if (files === 'content') return one.text === other.text
  // A provider rereads its metadata file by itself, and keeps the previous metadata when the new file is invalid.
  return one.path === other.path && (path.at(-1) === 'metadata' || one.text === other.text)
}

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
      const value = valueAt(next, path)
      return value !== undefined && !saysTheSame(valueAt(running, path), value, 'content')
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

export function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((parent, part) => {
    if (typeof parent !== 'object' || parent === null || !Object.hasOwn(parent, part)) return undefined
    return (parent as Record<string | number, unknown>)[part]
  }, value)
}
