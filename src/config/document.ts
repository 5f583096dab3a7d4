// Parses YAML into plain values with the position of each key. Time and memory are limited for any text: an alias can
// neither loop nor multiply.

import {
  CORE_SCHEMA,
  EVENT_ID,
  type Event,
  getScalarValue,
  NOT_RESOLVED,
  parseEvents,
  SCALAR_STYLE,
  type ScalarEvent,
  YAMLException,
} from 'js-yaml'
import { dotted, type Path, type Place, type Problem } from './problems.js'

export interface Document {
  value: unknown
  /** Duplicate keys, tags, unknown aliases: the value is usable nevertheless. */
  problems: Problem[]
  /** The position of the key at a path, or of the nearest key above it. */
  place(path: Path): Place
}

/** Deeper than any setting; stops aliases that contain themselves. */
const deepest = 32
/** The most nodes that aliases may expand to. Attack: nine lines of aliases expand to a billion nodes. */
const mostAliased = 10_000

/** `document` is undefined when the text is not YAML: then the first problem is reported. */
export function readDocument(text: string, file: string): { document?: Document; problems: Problem[] } {
  const at = placesIn(text, file)
  const refused = (offset: number, message: string) => ({ problems: [{ ...at(offset), key: '(yaml)', message }] })
  let events: Event[]
  try {
    events = parseEvents(text, {})
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error
    return refused(error.mark?.position ?? 0, faultOf(error.reason))
  }
  const [first] = events
  const foreign =
    first?.type === EVENT_ID.DOCUMENT && first.directives.some(one => one.kind === 'tag' || one.version !== '1.2')
  if (foreign) return refused(0, 'unsupported tag or directive')
  const second = events.findIndex(({ type }, index) => type === EVENT_ID.DOCUMENT && index > 0)
  if (second > 0) {
    const before = events.findLast((event, index) => index < second && endOf(event) > 0)
    const from = before ? endOf(before) : 0
    const marker = text.slice(from).search(/^(?:---|\.\.\.)/m)
    return refused(from + Math.max(0, marker), 'contains several documents; only one is allowed')
  }

  const problems: Problem[] = []
  const value = walk(text, events, {
    found: (offset, path, message) =>
      problems.push({ ...at(offset), key: path.length === 0 ? '(yaml)' : dotted(path), message }),
    key: () => {},
  })
  // Only a text with problems is read a second time.
  let offsets: Map<string, number> | undefined
  const place = (path: Path) => {
    offsets ??= offsetsIn(text, events)
    for (let length = path.length; length >= 0; length--) {
      const offset = offsets.get(keyOf(path.slice(0, length)))
      if (offset !== undefined) return at(offset)
    }
    return at(0)
  }
  return { document: { value, problems, place }, problems: [] }
}

function placesIn(text: string, file: string): (offset: number) => Place {
  let lines: number[] | undefined
  return offset => {
    lines ??= [0, ...Array.from(text.matchAll(/\n/g), ({ index }) => index + 1)]
    let [line, after] = [0, lines.length]
    while (after - line > 1) {
      const middle = (line + after) >> 1
      if ((lines[middle] ?? 0) <= offset) line = middle
      else after = middle
    }
    return { file, line: line + 1, column: offset - (lines[line] ?? 0) + 1 }
  }
}

const faults: [RegExp, string][] = [
  [/^tab characters/, 'is indented with a tab: use spaces'],
  [
    /^deficient indentation|within a flow collection|^missed comma/,
    'invalid YAML from here on; a [ or { above is not closed or lacks a comma, or this line is not indented enough',
  ],
  [/^nesting exceeded/, 'is nested too deeply'],
  // These messages quote the text, which may be a secret.
  [/\btag\b|directive/i, 'unsupported tag or directive'],
  [
    /^bad indentation of a mapping entry|^end of the stream or/,
    'invalid YAML from here on; quote every string that contains :, # or a quotation mark, and check the indentation',
  ],
]

function faultOf(reason: string): string {
  return faults.find(([shape]) => shape.test(reason))?.[1] ?? `invalid YAML: ${reason}`
}

function offsetsIn(text: string, events: readonly Event[]): Map<string, number> {
  const offsets = new Map<string, number>()
  walk(text, events, { found: () => {}, key: (path, offset) => offsets.set(keyOf(path), offset) })
  return offsets
}

interface Walker {
  found(offset: number, path: Path, message: string): void
  key(path: Path, offset: number): void
}

/** Builds the value. `path` changes while it is walked. */
function walk(text: string, events: readonly Event[], { found, key }: Walker): unknown {
  const anchors = new Map<string, number>()
  const path: (string | number)[] = []
  let at = 1
  let aliased = 0
  let behindAlias = 0
  let stopped = false

  const problem = (offset: number, message: string, of: Path = path) => found(offset, [...of], message)
  /** Nothing more is read: what remains could take any time. */
  const stop = (offset: number, message: string) => {
    if (!stopped) problem(offset, message, path.slice(0, 3))
    stopped = true
  }
  /** `offset`: of the key, or of the item. */
  const node = (offset: number): unknown => {
    const event = events[at]
    if (stopped || !event || event.type === EVENT_ID.DOCUMENT || event.type === EVENT_ID.POP) return null
    if (path.length > deepest) return stop(offset, 'is nested too deeply')
    if (behindAlias > 0 && ++aliased > mostAliased) return stop(offset, 'aliases expand to too much data')
    if (event.type === EVENT_ID.ALIAS) return follow(text.slice(event.anchorStart, event.anchorEnd), offset)
    if (event.anchorStart >= 0 && behindAlias === 0) anchors.set(text.slice(event.anchorStart, event.anchorEnd), at)
    if (isForeign(text, event)) found(event.tagStart, [], 'unsupported tag or directive')
    at++
    if (event.type === EVENT_ID.SCALAR) return scalar(event, offset)
    const value = event.type === EVENT_ID.SEQUENCE ? sequence(offset) : mapping(offset)
    at++
    return value
  }
  const child = (part: string | number, offset: number) => {
    path.push(part)
    key(path, offset)
    const value = node(offset)
    path.pop()
    return value
  }
  const inside = () => !stopped && events[at]?.type !== EVENT_ID.POP
  const follow = (name: string, offset: number) => {
    const target = anchors.get(name)
    const next = at + 1
    if (target === undefined) problem(offset, 'uses an alias that is not defined above')
    at = target ?? next
    behindAlias++
    const value = target === undefined ? undefined : node(offset)
    behindAlias--
    at = next
    return value
  }
  const sequence = (offset: number) => {
    const items: unknown[] = []
    while (inside()) items.push(child(items.length, startOf(events[at]) ?? offset))
    return items
  }
  const mapping = (offset: number) => {
    const result: Record<string, unknown> = {}
    while (inside()) {
      const event = events[at]
      const start = startOf(event) ?? offset
      const name = event?.type === EVENT_ID.SCALAR ? getScalarValue(text, event) : undefined
      const usable = name !== undefined && name !== '__proto__'
      if (usable) at++
      else node(start)
      if (!usable) problem(start, 'invalid key')
      else if (Object.hasOwn(result, name)) problem(start, 'duplicate key', [...path, name])
      else {
        result[name] = child(name, start)
        continue
      }
      node(start)
    }
    return result
  }
  const scalar = (event: ScalarEvent, offset: number): unknown => {
    const source = getScalarValue(text, event)
    if (event.style === SCALAR_STYLE.PLAIN && event.tagStart < 0) return plain(source)
    return unusable.test(source) ? problem(offset, 'contains a control character') : source
  }

  const root = startOf(events[at]) ?? 0
  key(path, root)
  return node(root)
}

// Lone surrogates and control characters can be written as escapes ("\ud800", "\x07"); no later code expects them.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const unusable = /[\p{Cs}\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/u

const implicitTags = CORE_SCHEMA.tags.flatMap(tag => (tag.nodeKind === 'scalar' && tag.implicit ? [tag] : []))

/** null, a truth value, a number, or the text itself (YAML 1.2.2, 10.3.2). */
function plain(source: string): unknown {
  for (const { implicitFirstChars, resolve, tagName } of implicitTags) {
    if (implicitFirstChars && !implicitFirstChars.includes(source.charAt(0))) continue
    const value: unknown = resolve(source, false, tagName)
    if (value !== NOT_RESOLVED) return value
  }
  return source
}

/** A tag other than that of a text, which is read as a text. */
function isForeign(text: string, event: Exclude<Event, { type: 1 | 5 | 6 }>): boolean {
  if (event.tagStart < 0) return false
  return event.type !== EVENT_ID.SCALAR || !['!', '!!str'].includes(text.slice(event.tagStart, event.tagEnd))
}

/** Where a node begins, with its quotes; undefined for an empty one. */
function startOf(event: Event | undefined): number | undefined {
  if (!event || event.type === EVENT_ID.DOCUMENT || event.type === EVENT_ID.POP) return undefined
  if (event.type === EVENT_ID.ALIAS) return event.anchorStart - 1
  if (event.type !== EVENT_ID.SCALAR) return event.start
  if (event.valueStart < 0) return undefined
  const quoted = event.style === SCALAR_STYLE.DOUBLE_QUOTED || event.style === SCALAR_STYLE.SINGLE_QUOTED
  return quoted ? event.valueStart - 1 : event.valueStart
}

function endOf(event: Event): number {
  if (event.type === EVENT_ID.SCALAR) return event.valueEnd
  return event.type === EVENT_ID.ALIAS ? event.anchorEnd : 0
}

function keyOf(path: Path): string {
  return JSON.stringify(path)
}
