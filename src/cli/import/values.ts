// The converters of single values that several programs share, and their flags and variables.

import type { Converter, Entry, Peer } from './convert.js'

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
