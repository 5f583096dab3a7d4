// From the settings of another program to ours. Every option ends up in the configuration or in a line that names it.

import { printable } from '../../config/problems.js'

/** One mention of an option. */
export interface Entry {
  option: string
  values: string[]
  /** The path that it is limited to; undefined: what it is limited to is not known. */
  scope?: string | undefined
}

/** What a converter may do beside giving a value. */
interface Conversion {
  all: ReadonlyMap<string, Entry[]>
  /** Names what of the option is not carried over. */
  lose(what: string): void
  /** Writes a second setting. */
  also(setting: string, value: unknown): void
}

/** Gives the value of our setting, or undefined where there is none. */
export type Converter = (entries: Entry[], conversion: Conversion) => unknown

export interface Peer {
  /** What each option corresponds to, as in docs/from. */
  rows: ReadonlyMap<string, Row>
  /** The entries, with lines on what was not read; or why nothing can be read. */
  read(text: string): { entries: Entry[]; left: string[] } | { problem: string }
  /** The value is written to the setting that the row names. */
  converters: Record<string, Converter>
  /** Options that say who may log in: while one, or an unknown one, is lost, only an agents file lets anyone in. */
  limits?: RegExp
  /** What the program does where an option is not given. */
  defaults?: readonly Entry[]
}

export interface Row {
  /** A setting such as providers[].name, a command, or none. */
  ours: string
  note: string
}

type Tree = { [key: string]: unknown }

/** Lines of `ours | note | options`; a line that begins with a space goes on with options. ~ stands for a backtick. */
export function rowsOf(table: string): Map<string, Row> {
  const lines = table.replaceAll('~', '`').trim().replaceAll('\n  ', ' ').split('\n')
  return new Map(
    lines.flatMap(line => {
      const [ours = '', note = '', options = ''] = line.split('|').map(part => part.trim())
      return options.split(' ').map(option => [option, { ours, note }] as const)
    }),
  )
}

/** `left`: one line for everything that is not carried over. */
export function convert(
  { rows, converters, limits, defaults = [] }: Peer,
  given: Entry[],
): { config: Tree; left: string[] } {
  const missing = defaults.filter(({ option }) => given.every(one => one.option !== option))
  const all = new Map<string, Entry[]>()
  for (const entry of [...given, ...missing]) all.set(entry.option, [...(all.get(entry.option) ?? []), entry])
  const [config, provider, left]: [Tree, Tree, string[]] = [{}, { id: 'sso', type: 'saml', name: 'SSO' }, []]
  let limited = false
  for (const [option, entries] of all) {
    const row = rows.get(option)
    const also = (setting: string, value: unknown) => void put(config, provider, setting, value)
    const lose = (what: string) => {
      left.push(`${printable(option)}: ${what}`)
      limited ||= limits !== undefined && (!row || limits.test(option))
    }
    if (!row) lose('unknown option')
    else {
      const value = converters[option]?.(entries, { all, lose, also })
      if (value === undefined) lose(notCarried(row))
      else if (!put(config, provider, row.ours, value)) lose(`not carried over: another option has set ${row.ours}`)
    }
  }
  return { config: completed(config, provider, limited, left), left }
}

function notCarried({ ours, note }: Row): string {
  const text = note.replaceAll('`', '').replace(/\[([^\]]*)\]\(([^)]*)\)/g, '$1')
  if (ours === 'none') return `not carried over${text ? `: ${text}` : ''}`
  return `not carried over; the Deskgate setting is ${ours}${text ? `: ${text}` : ''}`
}

/** False where another value stands there already. */
function put(config: Tree, provider: Tree, setting: string, value: unknown): boolean {
  const path = setting.replace(/^(providers|agents)\[\]\./, '$1.').split('.')
  if (path[0] === 'agents') {
    config.agents = [...((config.agents as unknown[]) ?? []), { [path[1] ?? '']: value }]
    return true
  }
  let at = path[0] === 'providers' ? provider : config
  const keys = path[0] === 'providers' ? path.slice(1) : path
  for (const key of keys.slice(0, -1)) {
    at[key] ??= {}
    at = at[key] as Tree
  }
  const last = keys.at(-1) ?? ''
  const before = at[last]
  if (Array.isArray(before) && Array.isArray(value)) at[last] = [...new Set([...before, ...value])]
  else if (before !== undefined && before !== value && setting !== 'providers[].name') return false
  else at[last] = value
  return true
}

/** Adds what every configuration needs. What is not known names a file that is not there: `check` says so. */
function completed(config: Tree, provider: Tree, limited: boolean, left: string[]): Tree {
  const { publicUrl, desk, agents, sessions, access, ...rest } = config
  if (provider.metadata === undefined) {
    left.push("providers[0].metadata: name the provider's SAML metadata here, a URL or a file")
  }
  const metadata = Array.isArray(provider.metadata) ? provider.metadata : [provider.metadata ?? 'idp-metadata.xml']
  const providers = metadata.map((one, index) => ({
    ...provider,
    ...(index > 0 ? { id: `sso-${index + 1}`, name: `SSO ${index + 1}` } : {}),
    metadata: one,
  }))
  if (publicUrl === undefined) left.push('publicUrl: set the address that agents open')
  if ((desk as Tree | undefined)?.url === undefined) left.push('desk.url: set the address of Desk')
  const known = agents as Tree[] | undefined
  if (limited && known)
    left.push('agents: a domain alone would let in more people than before, so only agents.yaml is used')
  const directory = known && !limited ? known : [{ file: 'agents.yaml' }]
  if (directory.some(source => 'file' in source)) {
    left.push('agents.yaml: write it, one entry per agent: - { email: ana@example.com }')
  }
  const shared = sessions && (sessions as Tree).store !== undefined && (sessions as Tree).store !== 'memory'
  if (shared) left.push('secrets: put at least 32 random bytes into the variable DESKGATE_SECRET')
  return {
    ...(publicUrl === undefined ? {} : { publicUrl }),
    ...(shared ? { secrets: [{ env: 'DESKGATE_SECRET' }] } : {}),
    ...(desk === undefined ? {} : { desk }),
    ...{ providers, agents: directory },
    ...(access === undefined ? {} : { access }),
    ...(sessions === undefined ? {} : { sessions }),
    ...rest,
  }
}

// Converters of single values, and the flags and variables of programs.

/** The last value counts; others are named. */
export function one(read: (value: string) => unknown): Converter {
  return (entries, { lose }) => {
    const values = new Set(entries.map(({ values }) => values.join(' ')))
    if (values.size > 1) lose('has several values, of which the last one was carried over')
    return read(entries.at(-1)?.values.join(' ') ?? '')
  }
}

export const many: Converter = entries => lists(entries)
export const lists = (entries: Entry[]) => entries.flatMap(({ values }) => values).flatMap(value => value.split(','))

export const text = one(value => value || undefined)
const yes = /^(true|1|on|yes|t)$/i
const no = /^(false|0|off|no|f)$/i
export const isOn = (value: string) => (yes.test(value) ? true : no.test(value) ? false : undefined)
export const flag = one(isOn)

export const address = one(value => {
  const bare = value.replace(/^(https?|unix):\/\//, (_, scheme: string) => (scheme === 'unix' ? 'unix:' : ''))
  return /^unix:\/|^[^/]*:\d+$/.test(bare) ? bare.replace(/^:/, '0.0.0.0:') : undefined
})

/** An origin; `rest` says which paths behind it are dropped. */
export function originOf(value: string, rest = /^\/?$/): string | undefined {
  if (!URL.canParse(value)) return undefined
  const { protocol, origin, pathname, username } = new URL(value)
  return /^https?:$/.test(protocol) && username === '' && rest.test(pathname) ? origin : undefined
}

/** Go's 1h30m0s, or seconds. */
export const duration = one(value => {
  const parts = [...(/^\d+$/.test(value) ? `${value}s` : value).matchAll(/(\d+)(h|m|s)/g)]
  const seconds = parts.reduce(
    (sum, [, count, unit]) => sum + Number(count) * (unit === 'h' ? 3600 : unit === 'm' ? 60 : 1),
    0,
  )
  if (seconds === 0 || parts.map(([part]) => part).join('') !== value.replace(/^\d+$/, '$&s')) return undefined
  return seconds % 3600 === 0 ? `${seconds / 3600}h` : seconds % 60 === 0 ? `${seconds / 60}m` : `${seconds}s`
})

const unquoted = (value: string) => value.replace(/^(["'])([\s\S]*)\1$/, '$2')
const word = /(?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+/g

/** Variables (PREFIX_NAME=value, also in a list or a unit) and flags (--name=value, --name value), as in a shell. */
export function readFlags(source: string, prefix: string): ReturnType<Peer['read']> {
  const [entries, stray]: [Entry[], Set<string>] = [[], new Set()]
  const variable = new RegExp(`^(?:export\\s+|-\\s+|Environment=)*["']?${prefix}_([A-Z0-9_]+)\\s*[=:]\\s*(.*)$`)
  const unread = new RegExp(`(?<![\\w${'$'}{])${prefix}_[A-Z0-9_]+`)
  const ofKubernetes = new RegExp(
    `^(\\s*-\\s+)name:\\s*["']?(${prefix}_\\w+)["']?\\s*\\n\\s*(?:value:|valueFrom:)[ \\t]*`,
    'gm',
  )
  for (const line of source
    .replaceAll(ofKubernetes, '$1$2=')
    .replaceAll(/\\\r?\n/g, ' ')
    .split(/\r?\n/)
    .map(one => one.trim())) {
    if (line === '' || line.startsWith('#')) continue
    const [, name, value = ''] = variable.exec(line) ?? []
    if (name) {
      const ended = /^["']?[^"']*["']$/.test(value) && !/^["']/.test(value) ? value.slice(0, -1) : unquoted(value)
      entries.push({ option: name.toLowerCase().replaceAll('_', '-'), values: [ended] })
      continue
    }
    const [missed] = unread.exec(line) ?? []
    if (missed) return { problem: `${missed} is not read in this place: write ${missed}=value on a line of its own` }
    let open: Entry | undefined
    for (const raw of line.match(word) ?? []) {
      const [, option, given] = /^["']?--?([A-Za-z][\w-]*)(?:=([\s\S]*))?$/.exec(raw) ?? []
      if (option !== undefined) {
        const found = {
          option,
          values: [
            given === undefined ? 'true' : unquoted(given.replace(/["'],?$/, end => (/^["']/.test(given) ? end : ''))),
          ],
        }
        open = given === undefined ? found : undefined
        entries.push(found)
      } else if (open) {
        open.values = [unquoted(raw)]
        open = undefined
      } else if (entries.length > 0 && raw !== '-')
        stray.add(`a word that belongs to no option, after --${entries.at(-1)?.option}`)
    }
  }
  return { entries, left: [...stray] }
}
