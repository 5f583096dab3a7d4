// Settings from environment variables: DESKGATE__SESSIONS__IDLE=4h. Two underscores stand between levels, one inside a name,
// and the value is YAML. A variable wins over the file. DESKGATE_X is not a setting: Kubernetes sets such names by itself.

import { readDocument } from './document.js'
import { nearest } from './partial-config.js'
import { dotted, type Path, type Place, type Problem, printable, problemAt } from './problems.js'
import { childOf, isMapping, keysOf, type Schema } from './zod-introspection.js'

interface Overlay {
  value: unknown
  problems: Problem[]
  /** Where a path was set by a variable; undefined where the file has it. */
  place(path: Path): Place | undefined
}

interface Setting {
  variable: string
  path: Path
  value: unknown
  place(path: Path): Place
}

const prefix = 'DESKGATE__'

/** Lays the settings of `env` over what the file says. Problems name the variable in the place of the file. */
export function overlayEnvironment(file: unknown, env: NodeJS.ProcessEnv, schema: Schema): Overlay {
  const problems: Problem[] = []
  const settings: Setting[] = []
  let value = file
  // The shorter names first: DESKGATE__SESSIONS is a whole block, of which DESKGATE__SESSIONS__IDLE changes one key.
  for (const variable of Object.keys(env)
    .filter(name => name.startsWith(prefix))
    .sort(byLevels)) {
    const found = settingOf(variable, env[variable] ?? '', schema)
    const failed = 'problems' in found ? found.problems : settle(found)
    problems.push(...failed)
  }
  function settle(setting: Setting): Problem[] {
    const next = withValue(value, setting.path, setting.value)
    if (next === gap) return [problem(setting, 'leaves a gap in the list', 'entries are numbered from 0')]
    value = next
    settings.push(setting)
    return []
  }
  return {
    value,
    problems,
    place(path) {
      const setting = settings.findLast(one => one.path.every((part, index) => part === path[index]))
      return setting?.place(path.slice(setting.path.length))
    },
  }
}

function byLevels(a: string, b: string): number {
  return a.split('__').length - b.split('__').length || (a < b ? -1 : 1)
}

/** publicUrl is PUBLIC_URL. */
function variablePart(key: string): string {
  return key.replace(/[A-Z]/g, '_$&').toUpperCase()
}

function settingOf(variable: string, text: string, schema: Schema): Setting | { problems: Problem[] } {
  const path: (string | number)[] = []
  let at: Schema | undefined = schema
  for (const part of variable.slice(prefix.length).split('__')) {
    const known: readonly string[] = at ? keysOf(at) : []
    const isIndex = known.length === 0 && /^\d{1,4}$/.test(part)
    const key = isIndex ? Number(part) : known.find(one => variablePart(one) === part)
    const child: Schema | undefined = key === undefined || at === undefined ? undefined : childOf(at, key)
    if (key === undefined || child === undefined) return { problems: [unknown({ variable, path }, part, known)] }
    path.push(key)
    at = child
  }
  if (text.trim() === '') return { problems: [problem({ variable, path }, 'is empty', 'unset the variable')] }
  const { document, problems } = readDocument(text, variable)
  const found = (document?.problems ?? problems).map(one => ({ ...one, key: dotted(path) }))
  if (!document || found.length > 0) return { problems: found }
  return { variable, path, value: document.value, place: document.place }
}

function unknown(where: { variable: string; path: Path }, part: string, known: readonly string[]): Problem {
  const near = nearest(part, known)
  if (near !== undefined) {
    const above = where.variable.split('__').slice(0, where.path.length + 1)
    return problem(where, 'unknown setting', `did you mean ${[...above, variablePart(near)].join('__')}?`)
  }
  const block = where.path.length > 0 && known.length === 0
  return problem(where, 'unknown setting', block ? `set ${dotted(where.path)} as a whole, in YAML` : undefined)
}

function problem({ variable, path }: { variable: string; path: Path }, message: string, hint?: string): Problem {
  const place = { file: printable(variable), line: 1, column: 1 }
  return problemAt(place, path.length === 0 ? '(environment)' : dotted(path), message, hint)
}

const gap = Symbol('gap')

/** A copy with one value replaced; what stands in the way of the path is replaced too. */
function withValue(parent: unknown, [part, ...rest]: Path, value: unknown): unknown {
  if (part === undefined) return value
  if (typeof part === 'number') {
    const list = Array.isArray(parent) ? parent : []
    if (part > list.length) return gap
    const inner = withValue(list[part], rest, value)
    return inner === gap ? gap : Object.assign([...list], { [part]: inner })
  }
  const inner = withValue(isMapping(parent) ? parent[part] : undefined, rest, value)
  return inner === gap ? gap : { ...(isMapping(parent) ? parent : {}), [part]: inner }
}
