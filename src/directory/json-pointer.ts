// JSON pointers (RFC 6901): the value that a path of names leads to. Never follows what an object has only inherited.

/** The value at `pointer`; undefined when there is none. '' is the whole document. Throws nothing: the pointer is a valid one. */
export function valueAt(document: unknown, pointer: string): unknown {
  let value = document
  // RFC 6901 4: '~1' first, so that '~01' is '~1' and not '/'.
  for (const part of pointer.split('/').slice(1)) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~')
    if (typeof value !== 'object' || value === null) return undefined
    // Own members only: 'length' of a list is one, and so has to be kept out by hand.
    if (Array.isArray(value) ? !/^(?:0|[1-9]\d*)$/.test(name) : !Object.hasOwn(value, name)) return undefined
    value = (value as Record<string, unknown>)[name]
  }
  return value
}
