// A posted form (WHATWG URL 5.1). Never picks one of two values: a field that is there twice has none.

import type { IncomingMessage } from 'node:http'

export interface Form {
  /** How many bytes it was posted in. */
  bytes: number
  /** The value of a field that is there exactly once; undefined otherwise. */
  one(name: string): string | undefined
  /** Which of these fields are there more than once. */
  repeated(names: readonly string[]): string[]
}

export function readForm(text: string): Form {
  const fields = new URLSearchParams(text)
  return {
    bytes: Buffer.byteLength(text),
    one(name) {
      const [value, ...more] = fields.getAll(name)
      return more.length === 0 ? value : undefined
    },
    repeated: names => names.filter(name => fields.getAll(name).length > 1),
  }
}

/** The form of a request whose body may be none at all. */
export function formOf(request: { body: unknown }): Form {
  return (request.body as Form | undefined) ?? readForm('')
}

/** Attack: a form sent byte by byte holds a connection for ever. After `limit` milliseconds it is cut. */
export function endSlowBody(request: IncomingMessage, limit: number): void {
  if (request.complete) return
  const timer = setTimeout(() => request.destroy(), limit).unref()
  for (const over of ['end', 'close'] as const) request.once(over, () => clearTimeout(timer))
}
