// The schema as data: JSON Schema of what an operator writes, for editors, for the reference and for printing. It runs
// no rule and opens no file.

import * as z from 'zod'
import { configSchema } from './schema/index.js'
import { Unreadable } from './schema/values.js'

/** As much of JSON Schema as our settings use, and `kind`: duration, size, secret, file, key file. */
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

const nowhere = () => {
  throw new Unreadable('there is nothing to read while settings are described')
}

/** The settings as JSON Schema of the input, with defaults as they would be written. */
export function describeConfig(): Described {
  const schema = configSchema({ env: nowhere, file: nowhere, path: path => path, secret: nowhere })
  return z.toJSONSchema(schema, { io: 'input', override: written }) as Described
}

/** zod leaves examples and defaults out where a value is transformed; ours are all as an operator writes them. */
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
