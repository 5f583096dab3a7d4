// Reads the entries of a plain YAML list many times faster than the YAML parser, which takes a second for ten thousand.
// The parser and the schema still decide: once for each shape of an entry, which is its text without the texts in it.
// An entry of no plain shape is decided alone, and a list with anything unclear in it is left to the parser as a whole.

/** Entries of this shape, made of the texts that were taken out of them. */
export type Build<Entry> = (texts: readonly string[]) => Entry

/** What the parser and the schema make of a list with one entry; undefined when they find any problem. */
export type Decide = (text: string) => unknown

/** Decisions for one list; a list that needs more is not plain. */
const mostDecisions = 500

/** Stand for a text in a shape: plain, in double and in single quotes. A list that contains one is not plain. */
const marks = { plain: '\u0001', double: '\u0002', single: '\u0003' }
// biome-ignore lint/suspicious/noControlCharactersInRegex: the three marks
const anyMark = /[\u0001-\u0003]/
const plainText = String.raw`[\p{L}\p{N}][\p{L}\p{M}\p{N}_.@+'()/&-]*(?: [\p{L}\p{M}\p{N}_.@+'()/&-]+)*`
/** In this order at each place: a comment; a key, which stays; the three kinds of texts. */
const tokens = new RegExp(
  [
    String.raw`(?<=^|[ \n])#[^\r\n]*`,
    String.raw`(?:${plainText}|"[^"\\\r\n]*"|'[^'\r\n]*')(?= *:)`,
    String.raw`"([^"\\\p{C}\p{Zl}\p{Zp}]*)"`,
    String.raw`'([^'\p{C}\p{Zl}\p{Zp}]*)'`,
    `(${plainText})`,
  ].join('|'),
  'gu',
)
/** What YAML may read as something else than a text; YAML 1.1 takes all of these for such. */
const otherThanText = /^(?:true|false|null|yes|no|on|off|y|n)$/i
/** Besides the marks a shape consists of this: no tab, anchor, alias, tag, block text or escape. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the three marks
const plainShape = /^(?:[-{}[\],: #\n\u0001-\u0003]|\r\n|[\p{L}\p{M}\p{N}_.@+'"()/&])*$/u
/** What is counted over a whole document (aliases), or ends one, is never decided alone. */
const notAlone = /\*|(?:^|\n)(?:---|\.\.\.)/
const preambleLines = /^(?:(?: *#[^\r\n]*| *|--- *)(?:\r?\n|$))*$/

/** The entries, or undefined when the list is not plain. `decide` is asked about a list of one entry, for each shape. */
export function plainEntries<Entry>(text: string, decide: Decide): Entry[] | undefined {
  if (anyMark.test(text)) return undefined
  const [preamble = '', ...others] = text.split(/(?<=\n)(?=-[ \r\n])/)
  const listed = preamble.startsWith('-') ? [preamble, ...others] : others
  if (listed.length === 0) return undefined
  if (listed === others && !(preambleLines.test(preamble) && decide(`${preamble}${listed[0]}`))) return undefined

  const shapes = new Map<string, Build<Entry> | undefined>()
  const entries: Entry[] = []
  let decisions = 0
  for (const entry of listed) {
    const { shape, texts } = take(entry)
    if (!shapes.has(shape)) {
      if (++decisions > mostDecisions) return undefined
      shapes.set(shape, learn<Entry>(shape, texts.length, decide))
    }
    const build = shapes.get(shape)
    if (!build && (++decisions > mostDecisions || notAlone.test(entry))) return undefined
    const decided = build ? build(texts) : (decide(entry) as Entry | undefined)
    if (decided === undefined) return undefined
    entries.push(decided)
  }
  return entries
}

function take(entry: string): { shape: string; texts: string[] } {
  const texts: string[] = []
  const mark = (text: string, kind: string) => {
    texts.push(text)
    return kind
  }
  const shape = entry.replace(tokens, (token: string, double?: string, single?: string, plain?: string) => {
    if (plain !== undefined) return isText(plain) ? mark(plain, marks.plain) : token
    if (double !== undefined) return mark(double, marks.double)
    if (single !== undefined) return mark(single, marks.single)
    return token.startsWith('#') ? '#' : token
  })
  return { shape, texts }
}

/** Not a number, a date or a truth value in any version of YAML. */
function isText(plain: string): boolean {
  return plain.includes('@') || (/^\p{L}/u.test(plain) && !otherThanText.test(plain))
}

/** Has the entry decided with stand-ins for its texts; each has to come back as a value of its own. */
function learn<Entry>(shape: string, texts: number, decide: Decide): Build<Entry> | undefined {
  if (!plainShape.test(shape) || notAlone.test(shape)) return undefined
  const standIn = (index: number) => `Stand-in ${index} for a text`
  let count = 0
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the three marks
  const text = shape.replace(/[\u0001-\u0003]/g, mark => {
    const quote = mark === marks.double ? '"' : mark === marks.single ? "'" : ''
    return `${quote}${standIn(count++)}${quote}`
  })
  const decided = decide(text)
  if (decided === undefined) return undefined
  const indexOf = new Map(Array.from({ length: texts }, (_, index) => [standIn(index), index]))
  const found = new Set<number>()
  const build = builderOf(decided, value => {
    const index = indexOf.get(value)
    if (index !== undefined) found.add(index)
    return index
  })
  return found.size === texts ? (build as Build<Entry>) : undefined
}

/** Builds a value like this one, with texts where it has stand-ins. */
function builderOf(value: unknown, slotOf: (value: string) => number | undefined): Build<unknown> {
  if (typeof value === 'string') {
    const slot = slotOf(value)
    return slot === undefined ? () => value : texts => texts[slot]
  }
  if (Array.isArray(value)) {
    const items = value.map(item => builderOf(item, slotOf))
    return texts => items.map(build => build(texts))
  }
  if (typeof value !== 'object' || value === null) return () => value
  const fields = Object.entries(value).map(([key, item]) => [key, builderOf(item, slotOf)] as const)
  return texts => Object.fromEntries(fields.map(([key, build]) => [key, build(texts)]))
}
