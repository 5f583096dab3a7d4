// JSON Pointer (RFC 6901): what a setting such as /email names in somebody's JSON. Reads own members only.

/** What a pointer looks like, for schemas. */
export const pointerShape = /^(?:\/(?:[^~/]|~[01])*)*$/

/** The value there; undefined when there is none. */
export function pointAt(document: unknown, pointer: string): unknown {
  let value = document
  for (const part of pointer.split('/').slice(1)) {
    const token = part.replaceAll('~1', '/').replaceAll('~0', '~')
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, token)) return undefined
    // Attack: '-' and '01' are not indexes, and `length` is an own member of an array but no element (RFC 6901 4).
    if (Array.isArray(value) && !/^(?:0|[1-9]\d*)$/.test(token)) return undefined
    value = (value as Record<string, unknown>)[token]
  }
  return value
}
