// config/reference.yaml out of the schema: every setting with its sentence and its default, or a commented example where
// there is no default. What it shows loads.

import { isDeepStrictEqual } from 'node:util'
import { stringify } from 'yaml'
import * as z from 'zod'
import { configSchema } from '../src/config/schema/index.js'
import { Unreadable } from '../src/config/schema/values.js'

const width = 110

const head = `# yaml-language-server: $schema=./schema.json
#
# Every setting of Deskgate. What is not commented out is the default, apart from publicUrl, desk.url, providers and
# agents, which have none; what is commented out is an example. Unknown keys are errors.
#
# A secret value is { env: NAME }, { file: PATH } or a string. Durations: 500ms, 30s, 5m, 8h, 7d. Sizes: 256kb, 10mb.
# Relative paths are taken from the folder of the configuration file.
# This file is generated from the schema: npm run generate.
`

/** What stands for the settings that have no default, so that the reference is a configuration that loads. */
const shown: Record<string, unknown> = {
  publicUrl: 'https://desk.example.com',
  'desk.url': 'http://desk.internal:3000',
  'providers[saml].id': 'corp',
  'providers[saml].name': 'Aloha Adventures',
  'providers[saml].metadata': 'https://idp.example.com/metadata',
  'providers[jwt].id': 'portal',
  'providers[jwt].name': 'Aloha Portal',
  'providers[jwt].loginUrl': 'https://portal.example.com/login',
  'providers[jwt].secrets': [{ env: 'PORTAL_SECRET' }],
  agents: [{ domains: ['example.com'] }],
}

/** The text of config/reference.yaml. */
export function reference(): string {
  const settings = describeConfig()
  const parts = Object.entries(settings.properties ?? {}).map(([key, setting]) =>
    entry(key, setting, '', key).join('\n'),
  )
  return `${head}\n${parts.join('\n\n')}\n`
}

/** The lines of one setting: its sentence, then itself. `path` is its name in the tables. */
function entry(key: string, setting: Described, indent: string, path: string): string[] {
  const lines = sentences(setting, indent)
  if (key === 'providers') return [...lines, `${key}:`, ...providers(setting)]
  const inner = hasInside(setting) ? setting.properties : undefined
  if (inner) {
    const below = Object.entries(inner).flatMap(([name, one]) => entry(name, one, `${indent}  `, `${path}.${name}`))
    return [...lines, `${indent}${key}:`, ...below]
  }
  const needed = shown[path]
  const value = needed ?? setting.default
  const examples = (setting.examples ?? []).filter(example => !isDeepStrictEqual(example, needed))
  const lone = value === undefined && setting.default === undefined
  const written = lone ? [] : itself(key, value).map(line => indent + line)
  const commented = examples.flatMap(example => itself(key, example)).map(line => `${indent}# ${line}`)
  return [...lines, ...written, ...commented]
}

/** A mapping that is always there is shown key by key; one that may be left out is shown by its example. */
function hasInside(setting: Described): boolean {
  return setting.type === 'object' && setting.examples === undefined
}

function providers(setting: Described): string[] {
  return (setting.items?.oneOf ?? []).flatMap((option, index) => {
    const { type, id, ...others } = option.properties ?? {}
    const name = String(type?.const)
    const path = `providers[${name}]`
    const [first = '', ...rest] = id ? entry('id', id, '    ', `${path}.id`).slice(-1) : []
    const lines = [`  # ${type?.description}`, `  - ${first.trim()}`, ...rest, `    type: ${name}`]
    const below = Object.entries(others).flatMap(([key, one]) => entry(key, one, '    ', `${path}.${key}`))
    return [...(index === 0 ? [] : ['']), ...lines, ...below]
  })
}

function sentences({ description, oneOf, anyOf, properties }: Described, indent: string): string[] {
  if (description === undefined && (oneOf ?? anyOf ?? properties) !== undefined) return []
  return wrap(description ?? '', width - indent.length).map(line => `${indent}# ${line}`)
}

function wrap(text: string, limit: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + word.length < limit) lines[lines.length - 1] = `${last} ${word}`
    else if (word !== '') lines.push(word)
  }
  return lines
}

/** `key: value` on one line, or on several when it is too long for one. */
function itself(key: string, value: unknown): string[] {
  const short = stringify({ [key]: value }, { lineWidth: 0, collectionStyle: 'flow' })
  const line = short
    .trim()
    .replace(/^\{ (.*) \}$/s, '$1')
    .replace(/\[ /g, '[')
    .replace(/ \]/g, ']')
  return line.length <= width
    ? [line]
    : stringify({ [key]: value }, { lineWidth: 0 })
        .trimEnd()
        .split('\n')
}

/** The part of JSON Schema that our settings use, and `kind`: duration, size, secret, file, key file. */
export interface Described {
  type?: string
  description?: string
  default?: unknown
  examples?: unknown[]
  const?: unknown
  properties?: Record<string, Described>
  items?: Described
  required?: string[]
  anyOf?: Described[]
  oneOf?: Described[]
  kind?: string
}

const noReading = () => {
  throw new Unreadable('there is nothing to read while settings are described')
}

/** JSON Schema of the settings, with defaults as an operator writes them. */
export function describeConfig(): Described {
  const schema = configSchema({
    env: noReading,
    file: noReading,
    bytes: noReading,
    names: noReading,
    path: path => path,
    secret: noReading,
  })
  return z.toJSONSchema(schema, { io: 'input', override: written }) as Described
}

/** Adds the examples and defaults that zod leaves out for transformed values. */
function written({ zodSchema, jsonSchema }: { zodSchema: z.core.$ZodTypes; jsonSchema: z.core.JSONSchema.BaseSchema }) {
  const examples = z.globalRegistry.get(zodSchema)?.examples
  if (examples) jsonSchema.examples = examples as z.core.JSONSchema.BaseSchema[]
  const { def } = zodSchema._zod
  if (def.type === 'default' && jsonSchema.default === undefined) jsonSchema.default = def.defaultValue as never
}

/** config/schema.json: for editors that complete and check YAML. */
export function editorSchema(): string {
  const { $schema, ...rest } = withoutKinds(describeConfig()) as Record<string, unknown>
  const head = { $schema, $id: 'urn:deskgate:config', title: 'Deskgate configuration' }
  return `${JSON.stringify({ ...head, ...rest }, null, 2)}\n`
}

function withoutKinds(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutKinds)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([key, inner]) => key !== 'kind' || typeof inner !== 'string')
  return Object.fromEntries(entries.map(([key, inner]) => [key, withoutKinds(inner)]))
}
