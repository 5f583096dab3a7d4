// Goes through a SAML message with the strict reader and notes what is the same in every kind of it: IDs, algorithms,
// signatures, and the texts that are asked for. What it notes is untrusted; it judges nothing.

import { MalformedXml } from '../../xml/reader.js'
import type { XmlAttribute, XmlElement, XmlEvents } from '../../xml/shapes.js'
import { assertion, protocol, signature } from '../namespaces.js'
import type { NamedAlgorithm } from '../signature/algorithms.js'
import { createSignatureCutter } from '../signature/extract.js'

/** What is noted of every message. */
export interface MessageFacts {
  /** Each signature that counts, as XML of its own. */
  signatures: string[]
  /** What stands where it does not belong. */
  strays: string[]
  algorithms: NamedAlgorithm[]
}

/** What one kind of message has of its own. */
export interface MessageKindOf<F extends MessageFacts> {
  /** Of the root alone. Throws MalformedXml when it is no message of that kind. */
  begin(root: XmlElement): F
  /** An element below the root; `place` is its path with the root. The list that its text belongs to, if any. */
  note(element: XmlElement, place: string, facts: F): string[] | undefined
  /** An element in a text that is kept. */
  noteInText?(element: XmlElement, facts: F): void
}

const idNames = new Set(['ID', 'Id', 'id'])
/** What a single text that is kept may hold, in characters: a certificate is the longest. */
const longestText = 8192

/** `facts` is there once the root has been read. Throws MalformedXml from its events. */
export function createMessageReader<F extends MessageFacts>(
  xml: string,
  kind: MessageKindOf<F>,
): { events: XmlEvents; facts(): F } {
  const ids = new Set<string>()
  const path: string[] = []
  let begun: { facts: F; signatures: ReturnType<typeof createSignatureCutter> } | undefined
  let kept: { list: string[]; depth: number; text: string } | undefined
  const begin = (root: XmlElement) => {
    const facts = kind.begin(root)
    return { facts, signatures: createSignatureCutter(xml, facts.signatures, nameOf(root)) }
  }
  const facts = () => {
    if (!begun) throw new MalformedXml('no element')
    return begun.facts
  }

  return {
    facts,
    events: {
      open(element, from, to) {
        const parent = path.at(-1) ?? ''
        path.push(nameOf(element))
        begun ??= begin(element)
        noteId(element, ids, begun.facts)
        noteAlgorithm(element, parent, begun.facts)
        const place = path.join('/')
        begun.signatures.open(place, from, to)
        if (kept) kind.noteInText?.(element, begun.facts)
        const list = path.length === 1 ? undefined : kind.note(element, place, begun.facts)
        if (list) kept = { list, depth: path.length, text: '' }
      },
      text(value) {
        if (!kept || path.length !== kept.depth) return
        if (kept.text.length + value.length > longestText) throw new MalformedXml('a text that is too long')
        kept.text += value
      },
      close(to) {
        begun?.signatures.close(path.length, to)
        if (kept && path.length === kept.depth) {
          kept.list.push(kept.text)
          kept = undefined
        }
        path.pop()
      },
    },
  }
}

/** A short name that cannot be taken for another's: only the three namespaces that count have a prefix. */
export function nameOf({ namespace, local }: XmlElement): string {
  if (namespace === protocol) return `p:${local}`
  if (namespace === assertion) return `a:${local}`
  if (namespace === signature) return `d:${local}`
  return `?:${local}`
}

/**
 * Attack: a verifier that finds the signed element by another attribute than the reader does. An ID has no prefix,
 * stands alone in its element and is unique.
 */
function noteId(element: XmlElement, ids: Set<string>, { strays }: Pick<MessageFacts, 'strays'>) {
  const found = element.attributes.filter(({ local }) => idNames.has(local))
  if (found.length === 0) return
  if (found.length > 1 || found[0]?.prefix !== '') throw new MalformedXml('an element with an ambiguous ID')
  const id = found[0].value
  if (ids.has(id)) strays.push('duplicate ID')
  ids.add(id)
}

/** Whatever looks like an Algorithm counts, in any case and under any prefix; a disguised value is never in the list. */
function noteAlgorithm(element: XmlElement, parent: string, { algorithms }: Pick<MessageFacts, 'algorithms'>) {
  for (const attribute of element.attributes) {
    if (attribute.local.toLowerCase() !== 'algorithm') continue
    const plain = attribute.local === 'Algorithm' && attribute.prefix === '' && !attribute.escaped
    const value = plain ? attribute.value : `(disguised) ${attribute.value}`
    algorithms.push({ element: element.local, parent: parent.slice(2), value })
  }
}

/** Of an attribute without a prefix. */
export function attributeOf(element: XmlElement, name: string): string | undefined {
  return element.attributes.find(({ local, prefix }: XmlAttribute) => local === name && prefix === '')?.value
}
