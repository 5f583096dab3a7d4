// A loaded configuration in a form that may be shown: secrets masked, files by their path only, durations and sizes as
// an operator writes them.

import { stringify } from 'yaml'
import { type Described, describeConfig } from './describe.js'
import type { Config } from './schema/index.js'
import { isMapping } from './shape.js'

const mask = '[secret]'
const durations = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
] as const

/** The configuration as YAML or JSON text, without any secret. */
export function printConfig(config: Config, format: 'yaml' | 'json'): string {
  const shown = plain(config, kindsByName(describeConfig()), '')
  return format === 'json' ? `${JSON.stringify(shown, null, 2)}\n` : stringify(shown, { lineWidth: 0 })
}

function plain(value: unknown, kinds: Map<string, string>, name: string): unknown {
  if (Array.isArray(value)) return value.map(item => plain(item, kinds, name))
  if (typeof value === 'number') return written(value, kinds.get(name))
  if (!isMapping(value)) return value
  if (typeof value.reveal === 'function') return value.reveal() === 'memory' ? 'memory' : mask
  // A file that was read: its text is long, or secret.
  if (typeof value.path === 'string' && typeof value.text === 'string') {
    return kinds.get(name) === 'key file' ? mask : value.path
  }
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined)
  return Object.fromEntries(entries.map(([key, inner]) => [key, plain(inner, kinds, key)]))
}

function written(value: number, kind: string | undefined): unknown {
  if (kind === 'size') return value % 1024 === 0 ? `${value / 1024}kb` : `${value}b`
  if (kind !== 'duration') return value
  const [unit, size] = durations.find(([, milliseconds]) => value % milliseconds === 0) ?? ['ms', 1]
  return value === 0 ? '0s' : `${value / size}${unit}`
}

/** Which kind the settings of a name are: no two settings of one name differ in it. */
function kindsByName(settings: Described, kinds = new Map<string, string>()): Map<string, string> {
  for (const [name, setting] of Object.entries(settings.properties ?? {})) {
    const kind = setting.kind ?? setting.items?.kind
    if (kind !== undefined) kinds.set(name, kind)
    kindsByName(setting, kinds)
  }
  const inner = [settings.items, ...(settings.anyOf ?? []), ...(settings.oneOf ?? [])]
  for (const one of inner) if (one) kindsByName(one, kinds)
  return kinds
}
