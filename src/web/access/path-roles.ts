// access.paths: which paths of Desk need a role. A rule restricts access, so in doubt it applies: every reading of a
// path that some server could have is checked, and a path with too many readings meets every rule.

import type { Config } from '../../config/schema/index.js'
import type { PathRoles } from '../context.js'
import type { Target } from '../request/target.js'

interface Rule {
  /** Undefined: any. */
  method: string | undefined
  /** Folded; without the '*'. */
  path: string
  open: boolean
  roles: ReadonlySet<string>
}

/** The most rounds of decoding; a path that needs more is an attack. */
const maxDecodings = 4
const escaped = /%[0-9A-Fa-f]{2}/
/** What deeper decodings must not yield: then the path is uncertain. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const uncertain = /[\\\u0000-\u001f\u007f]|(?:^|\/)\.\.?(?:\/|$)/

/** Each matching rule requires one of its roles. */
export function compilePathRoles(paths: Config['access']['paths']): PathRoles {
  const rules = paths.map(parse)
  if (rules.length === 0) return () => true
  return (agent, method, target) => {
    const readings = target.ambiguous ? ambiguousReadings(target) : [fold(target.path)]
    return rules.every(rule => !applies(rule, method, readings) || agent.roles.some(role => rule.roles.has(role)))
  }
}

function parse({ match, roles }: Config['access']['paths'][number]): Rule {
  const space = match.indexOf(' ')
  const path = match.slice(space + 1)
  const open = path.endsWith('*')
  return {
    method: space < 0 ? undefined : match.slice(0, space),
    path: fold(open ? path.slice(0, -1) : path),
    open,
    roles: new Set(roles),
  }
}

/** `readings`: undefined when the path could be any. */
function applies({ method, path, open }: Rule, asked: string, readings: readonly string[] | undefined): boolean {
  if (method !== undefined && method !== asked && !(method === 'GET' && asked === 'HEAD')) return false
  if (!readings) return true
  // '/admin/*' covers '/admin', and '/admin' covers '/admin/': most servers treat them alike.
  const bare = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
  return readings.some(read => read === bare || read === `${bare}/` || (open && read.startsWith(path)))
}

/** Many servers fold case and merge slashes. */
function fold(path: string): string {
  return path
    .toUpperCase()
    .toLowerCase()
    .replace(/\/{2,}/g, '/')
}

/** Attack: /admin%2Fusers, /admin;x/users, /%2561dmin: one server sees the rule's path where another sees a letter. */
function ambiguousReadings({ raw, path }: Target): string[] | undefined {
  const found = new Set<string>([raw.split('?', 1)[0] ?? '', path])
  let deeper = path
  for (let depth = 1; escaped.test(deeper); depth++) {
    deeper = decodeOnce(deeper)
    if (depth >= maxDecodings) return undefined
    found.add(deeper)
  }
  for (const read of [...found]) {
    found.add(withoutParameters(read))
    found.add(read.split(';', 1)[0] ?? '')
  }
  const readings = [...found].map(fold)
  return readings.some(read => uncertain.test(read)) ? undefined : readings
}

/** Byte by byte: invalid UTF-8 must not stop the decoding of the rest. */
function decodeOnce(path: string): string {
  return path.replace(/(?:%[0-9A-Fa-f]{2})+/g, escapes => Buffer.from(escapes.replaceAll('%', ''), 'hex').toString())
}

/** RFC 3986 3.3: some servers drop what is behind a ';' in each segment. */
function withoutParameters(path: string): string {
  return path.replace(/;[^/]*/g, '')
}
