// Namespaces of the strict XML reader: which namespace each element is in. What makes canonicalisation or a second
// parser stumble (undeclaring, relative names, reserved prefixes) is refused.

import { fail, type XmlLimits } from './characters.js'

export interface XmlAttribute {
  /** '' without one. */
  prefix: string
  local: string
  value: string
  /** The value was written with a character or entity reference in it. */
  escaped: boolean
}

export interface XmlElement {
  local: string
  /** '' when it is in none. */
  namespace: string
  /** All but namespace declarations. */
  attributes: XmlAttribute[]
}

export interface NamespaceScopes {
  /** The element with its namespace; its declarations hold until the matching leave. */
  enter(name: string, attributes: ReadonlyArray<XmlAttribute & { name: string }>): XmlElement
  leave(): void
}

const xmlNamespace = 'http://www.w3.org/XML/1998/namespace'
const reserved = new Set([
  xmlNamespace,
  'http://www.w3.org/2000/xmlns/',
  // Attack: xmldom reads <script> and <textarea> of this namespace by HTML's rules, other parsers do not.
  'http://www.w3.org/1999/xhtml',
])

export function createNamespaceScopes(kind: XmlLimits['kind']): NamespaceScopes {
  /** One per open element; undefined where it declares nothing, so that the walk upwards is short. */
  const scopes: Array<Map<string, string> | undefined> = []

  const lookUp = (prefix: string): string => {
    for (let depth = scopes.length - 1; depth >= 0; depth--) {
      const found = scopes[depth]?.get(prefix)
      if (found !== undefined) return found
    }
    if (prefix === 'xml') return xmlNamespace
    return prefix === '' ? '' : fail('a namespace prefix that is not declared')
  }

  const declare = (scope: Map<string, string>, prefix: string, { value, escaped }: XmlAttribute) => {
    if (prefix === 'xml' || prefix === 'xmlns' || reserved.has(value)) fail('a reserved namespace')
    // Attack: canonicalisation of a relative namespace fails, and some verifiers then hash nothing (C14N 1.0, 1.3).
    const undeclares = kind === 'metadata' && prefix === '' && value === ''
    if (escaped || !(isAbsolute(value) || undeclares)) fail('a namespace that is not an absolute URI')
    scope.set(prefix, value)
  }

  return {
    enter(name, attributes) {
      let scope: Map<string, string> | undefined
      const plain: XmlAttribute[] = []
      for (const attribute of attributes) {
        // The first of that name is another one.
        if (attributes.find(({ name }) => name === attribute.name) !== attribute) fail('an attribute twice')
        const isDefault = attribute.name === 'xmlns'
        if (!isDefault && attribute.prefix !== 'xmlns') plain.push(attribute)
        else {
          scope ??= new Map()
          declare(scope, isDefault ? '' : attribute.local, attribute)
        }
      }
      scopes.push(scope)
      if (plain.length > 1) distinct(plain, lookUp)
      // The prefix of a single attribute has to be declared too.
      else if (plain[0] && plain[0].prefix !== '') lookUp(plain[0].prefix)
      const colon = name.indexOf(':')
      if (name.startsWith('xmlns:')) fail('a reserved namespace')
      const namespace = lookUp(colon < 0 ? '' : name.slice(0, colon))
      return { local: name.slice(colon + 1), namespace, attributes: plain }
    },
    leave: () => {
      scopes.pop()
    },
  }
}

/** No two attributes of one expanded name (Namespaces in XML 6.3). */
function distinct(attributes: XmlAttribute[], lookUp: (prefix: string) => string) {
  const seen = new Set<string>()
  for (const { prefix, local } of attributes) {
    if (prefix === '') continue
    const expanded = `${lookUp(prefix)} ${local}`
    if (seen.has(expanded)) fail('an attribute twice')
    seen.add(expanded)
  }
}

/** A URI scheme and a colon (RFC 3986 3.1), and no white space. */
function isAbsolute(value: string): boolean {
  return value.length <= 512 && /^[A-Za-z][A-Za-z0-9+.-]{1,30}:[^\s]+$/.test(value)
}
