// A posted form (WHATWG URL 5.1), or a query. Never picks one of two values: a field that is there twice has none.

import type { IncomingMessage } from 'node:http'

export interface Form {
  /** How many bytes it was posted in. */
  bytes: number
  /** The value of a field that is there exactly once; undefined otherwise. */
  one(name: string): string | undefined
  repeated(names: readonly string[]): string[]
  /** The name of every field, once. */
  names(): string[]
}

/** Values are decoded when they are asked for. */
export function readForm(text: string, bytes = Buffer.byteLength(text)): Form {
  const fields = new Map<string, string[]>()
  for (const pair of text.split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = decode(equals < 0 ? pair : pair.slice(0, equals))
    const value = equals < 0 ? '' : pair.slice(equals + 1)
    const known = fields.get(name)
    if (known) known.push(value)
    else fields.set(name, [value])
  }
  return {
    bytes,
    one(name) {
      const [value, ...more] = fields.get(name) ?? []
      return value === undefined || more.length > 0 ? undefined : decode(value)
    },
    repeated: names => names.filter(name => (fields.get(name)?.length ?? 0) > 1),
    names: () => [...fields.keys()],
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

/**
 * Several times as fast as URLSearchParams, which reads what is not a valid escape. The three escapes of base64 first: a
 * large message has thousands of them. What they stand for is part of no other escape.
 */
function decode(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text
  const spaced = text.replaceAll('+', ' ')
  const base64 = spaced.replaceAll('%2B', '+').replaceAll('%2F', '/').replaceAll('%3D', '=')
  if (!base64.includes('%')) return base64
  try {
    return decodeURIComponent(spaced)
  } catch {
    return new URLSearchParams(`v=${text}`).get('v') ?? ''
  }
}
