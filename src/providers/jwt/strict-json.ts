// JSON that can be read in one way only. JSON.parse keeps the last of two equal names and other parsers the first, so
// that the same token can say two things (RFC 7515 4, RFC 7519 4: names must be unique). Must never accept more than JSON.parse.

/**
 * One token of JSON: a whole string, or a character that gives structure. Everything else is left to JSON.parse.
 * Attack: the closing quote is optional, or each of thousands of quotes in an open string would be tried to the end.
 */
const tokens = /"(?:[^"\\]|\\.)*"?|[{}[\]:,]/gs

/** No claims set nests deeper than this. */
const deepest = 16

/**
 * The object that the text holds, or undefined when it is not a JSON object, nests deeper than 16, or names anything twice
 * within one object, at any depth. Read its members with `getOwn`: a name such as __proto__ is an ordinary one here.
 */
export function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    if (!namesAreUnique(text)) return undefined
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** A member that the object has itself; inherited ones (toString, __proto__) are none. */
export function getOwn(object: Record<string, unknown>, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * A scan, because nothing in the language tells: a reviver runs after duplicates are gone. It may be this simple since
 * the text is also given to JSON.parse: in what that accepts, a string before ':' is a name of the innermost object.
 */
function namesAreUnique(text: string): boolean {
  const open: Set<string>[] = []
  let previous = ''
  for (const [token] of text.matchAll(tokens)) {
    if (token === '{' || token === '[') {
      // Attack: 200,000 brackets exhaust the stack of a recursive reader.
      if (open.push(new Set()) > deepest) return false
    } else if (token === '}' || token === ']') {
      open.pop()
    } else if (token === ':') {
      const names = open.at(-1)
      // Attack: "\u0065mail" and "email" are the same name; compare what they stand for.
      const name = JSON.parse(previous) as string
      if (!names || names.has(name)) return false
      names.add(name)
    }
    previous = token
  }
  return true
}
