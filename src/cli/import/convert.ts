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
export interface Conversion {
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
