// Decodes a SAML message, reads it with the strict reader and collects what every kind of message has: IDs, algorithms,
// signatures, and the texts that the handler asks for. The result is untrusted.

import { isUtf8 } from 'node:buffer'
import { MalformedXml, type XmlElement, type XmlEvents } from '../../xml/reader.js'
import { assertion, encryption, encryption11, protocol, signature } from '../namespaces.js'
import type { NamedAlgorithm } from '../signature/algorithms.js'

export interface MessageSummary {
  /** Each signature that counts, as XML of its own. */
  signatures: string[]
  /** What stands where it does not belong. */
  strays: string[]
  algorithms: NamedAlgorithm[]
}

export interface MessageHandler<F extends MessageSummary> {
  /** Of the root alone. Throws MalformedXml when it is not a message of that kind. */
  begin(root: XmlElement): F
  /** An element below the root; `place` is its path with the root. The list that its text belongs to, if any. */
  note(element: XmlElement, place: string, summary: F): string[] | undefined
  /** An element inside a text that is collected. */
  noteInText?(element: XmlElement, summary: F): void
}

const idNames = new Set(['ID', 'Id', 'id'])
/** The longest text that is collected, in characters: a certificate is the longest. */
const longestText = 8192

/** `summary` is there once the root has been read. Throws MalformedXml from its events. */
export function createMessageReader<F extends MessageSummary>(
  xml: string,
  kind: MessageHandler<F>,
): { events: XmlEvents; summary(): F } {
  const ids = new Set<string>()
  const places: Place[] = []
  let message: { summary: F; signatures: ReturnType<typeof createSignatureExtractor> } | undefined
  let collecting: { list: string[]; depth: number; text: string } | undefined
  const begin = (root: XmlElement) => {
    const summary = kind.begin(root)
    return { summary, signatures: createSignatureExtractor(xml, summary.signatures, nameOf(root)) }
  }
  const summary = () => {
    if (!message) throw new MalformedXml('no element')
    return message.summary
  }

  return {
    summary,
    events: {
      open(element, from, to) {
        const around = places.at(-1)
        const entered = enter(around, nameOf(element))
        const place = entered.path
        places.push(entered)
        message ??= begin(element)
        noteId(element, ids, message.summary)
        noteAlgorithm(element, around?.path, message.summary)
        message.signatures.open(place, from, to)
        if (collecting) kind.noteInText?.(element, message.summary)
        const list = places.length === 1 ? undefined : kind.note(element, place, message.summary)
        if (list) collecting = { list, depth: places.length, text: '' }
      },
      text(value) {
        if (!collecting || places.length !== collecting.depth) return
        if (collecting.text.length + value.length > longestText) throw new MalformedXml('a text that is too long')
        collecting.text += value
      },
      close(to) {
        message?.signatures.close(places.length, to)
        if (collecting && places.length === collecting.depth) {
          collecting.list.push(collecting.text)
          collecting = undefined
        }
        places.pop()
      },
    },
  }
}

/** Where an element is open: the names from the root to it. */
interface Place {
  path: string
  /** The places below it, by name: a path is put together once, however many elements are there. */
  inside: Map<string, Place>
}

function enter(around: Place | undefined, name: string): Place {
  if (around === undefined) return { path: name, inside: new Map() }
  const known = around.inside.get(name)
  if (known) return known
  const place = { path: `${around.path}/${name}`, inside: new Map() }
  around.inside.set(name, place)
  return place
}

/** A short name that cannot be taken for another's: only the namespaces that count have a prefix. */
export function nameOf({ namespace, local }: XmlElement): string {
  if (namespace === protocol) return `p:${local}`
  if (namespace === assertion) return `a:${local}`
  if (namespace === signature) return `d:${local}`
  if (namespace === encryption) return `e:${local}`
  if (namespace === encryption11) return `x:${local}`
  return `?:${local}`
}

/**
 * Attack: a verifier that finds the signed element by another attribute than the reader does. An ID has no prefix,
 * stands alone in its element and is unique.
 */
function noteId(element: XmlElement, ids: Set<string>, { strays }: Pick<MessageSummary, 'strays'>) {
  if (element.attributes.length === 0) return
  const found = element.attributes.filter(({ local }) => idNames.has(local))
  if (found.length === 0) return
  if (found.length > 1 || found[0]?.prefix !== '') throw new MalformedXml('an element with an ambiguous ID')
  const id = found[0].value
  if (ids.has(id)) strays.push('duplicate ID')
  ids.add(id)
}

/** Whatever looks like an Algorithm counts, in any case and under any prefix; a disguised value is never in the list. */
function noteAlgorithm(
  element: XmlElement,
  around: string | undefined,
  { algorithms }: Pick<MessageSummary, 'algorithms'>,
) {
  for (const attribute of element.attributes) {
    if (attribute.local.toLowerCase() !== 'algorithm') continue
    const plain = attribute.local === 'Algorithm' && attribute.prefix === '' && !attribute.escaped
    const value = plain ? attribute.value : `(disguised) ${attribute.value}`
    const parent = around?.slice(around.lastIndexOf(':') + 1) ?? ''
    algorithms.push({ element: element.local, parent, value })
  }
}

/** Of an attribute without a prefix. */
export function attributeOf(element: XmlElement, name: string): string | undefined {
  return element.attributes.find(({ local, prefix }) => local === name && prefix === '')?.value
}

/** Elements in a signature: about fifteen, and a few more for a chain of certificates. */
const largestSignature = 48

/** Cuts out the signatures that count, each with the tags around it, whose namespaces it needs. `root`: the message. */
function createSignatureExtractor(xml: string, cut: string[], root: string) {
  const around: string[] = []
  let message: { from: number; depth: number } | undefined
  let within = 0
  return {
    open(place: string, from: number, to: number) {
      if (message && ++within > largestSignature) throw new MalformedXml('a signature with too many elements')
      if (place === root) around[0] = xml.slice(from, to)
      if (place === 'p:Response/a:Assertion') around[1] = xml.slice(from, to)
      const depth = place === `${root}/d:Signature` ? 2 : 3
      if (depth === 3 && place !== 'p:Response/a:Assertion/d:Signature') return
      message = { from, depth }
      within = 0
    },
    close(depth: number, to: number) {
      if (message?.depth !== depth) return
      const tags = around.slice(0, depth - 1)
      const ends = tags.map(tag => `</${tag.slice(1).split(/[\s>]/, 1)[0]}>`).reverse()
      cut.push(`${tags.join('')}${xml.slice(message.from, to)}${ends.join('')}`)
      message = undefined
    },
  }
}

/** The default of the most bytes, decoded. */
export const largestMessage = 256 * 1024

/**
 * Strict base64 (RFC 4648 4), but for white space, with which some providers fold and indent it (RFC 2045 6.8).
 * Attack: a lenient decoder skips what it does not know, so that two decoders see two messages.
 */
export function decodeBase64(message: unknown, most = largestMessage): Buffer | undefined {
  if (typeof message !== 'string' || message.length > most * 2 + longestMargin) return undefined
  const text = message.replace(/[\t\n\r ]+/g, '')
  if (text.length === 0 || text.length % 4 !== 0) return undefined
  // Lines of 64 characters that are indented by 30 are half as long again.
  if (message.length - text.length > text.length / 2 + longestMargin) return undefined
  const bytes = Buffer.from(text, 'base64')
  if (bytes.length > most || bytes.toString('base64') !== text) return undefined
  return bytes
}

/** White space around a message, in characters. */
const longestMargin = 1024

/** A byte order mark stays in the text, where the reader refuses it. */
export function decodeUtf8(bytes: Buffer): string | undefined {
  return isUtf8(bytes) ? bytes.toString('utf8') : undefined
}
