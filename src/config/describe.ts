// The schema as data: JSON Schema of the YAML that an operator writes, for editors and for the reference. It runs no rule
// and opens no file.

import * as z from 'zod'
import { configSchema } from './schema/index.js'
import { Unreadable } from './schema/values.js'

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
  const schema = configSchema({ env: noReading, file: noReading, path: path => path, secret: noReading })
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
