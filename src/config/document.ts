// Parses YAML into plain values with the position of each key. Time and memory are limited for any text: an alias can
// neither loop nor multiply.

import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type Scalar } from 'yaml'
import { dotted, type Path, type Problem } from './problems.js'

export interface Document {
  value: unknown
  /** Duplicate keys, tags, unknown aliases: the value is usable nevertheless. */
  problems: Problem[]
  /** The position of the key at a path, or of the nearest key above it. */
  place(path: Path): { file: string; line: number; column: number }
}

/** Deeper than any setting; stops aliases that contain themselves. */
const deepest = 32
/** The most nodes that aliases may expand to. Attack: nine lines of aliases expand to a billion nodes. */
const mostAliased = 10_000

/** `document` is undefined when the text is not YAML: then the first problem is reported. */
export function readDocument(text: string, file: string): { document?: Document; problems: Problem[] } {
  const lines = new LineCounter()
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) }
  }
  // uniqueKeys compares every key with every other: 100,000 keys would take a minute. The walk below finds duplicates.
  const parsed = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false })
  const fault = parsed.errors.sort((a, b) => a.pos[0] - b.pos[0])[0]
  if (fault) return { problems: [{ ...at(fault.pos[0]), key: '(yaml)', message: faultOf(fault) }] }

  const offsets = new Map<string, number>()
  const found: { offset: number; path: Path; message: string }[] = []
  for (const tag of parsed.warnings) {
    found.push({ offset: tag.pos[0], path: [], message: 'unsupported tag or directive' })
  }
  const value = createWalk(offsets, (offset, path, message) => found.push({ offset, path, message }))(parsed.contents)
  const problems = found.map(({ offset, path, message }) => ({
    ...at(offset),
    key: path.length === 0 ? '(yaml)' : dotted(path),
    message,
  }))
  const place = (path: Path) => {
    for (let length = path.length; length >= 0; length--) {
      const offset = offsets.get(keyOf(path.slice(0, length)))
      if (offset !== undefined) return at(offset)
    }
    return at(0)
  }
  return { document: { value, problems, place }, problems: [] }
}

const faults: Record<string, string> = {
  MULTIPLE_DOCS: 'contains several documents; only one is allowed',
  TAB_AS_INDENT: 'is indented by a tab: use spaces',
  RESOURCE_EXHAUSTION: 'is nested too deeply',
  // The parser's messages for these two quote the text, which may be a secret.
  UNEXPECTED_TOKEN: 'invalid YAML from here on; put a text that contains : or # or quotes in quotes',
  TAG_RESOLVE_FAILED: 'unsupported tag',
}

function faultOf(fault: { code: string; message: string }): string {
  return faults[fault.code] ?? `invalid YAML: ${faultText(fault.message)}`
}

function faultText(message: string): string {
  const text = message.replace(/[\p{C}\p{Z}]+/gu, ' ').slice(0, 160)
  return text.charAt(0).toLowerCase() + text.slice(1)
}

type Say = (offset: number, path: Path, message: string) => void

function createWalk(offsets: Map<string, number>, say: Say): (root: Node | null) => unknown {
  const anchors = new Map<string, Node>()
  let aliased = 0
  let behindAlias = 0

  const walk = (node: unknown, path: Path, offset: number): unknown => {
    if (path.length > deepest) return say(offset, path.slice(0, 3), 'is nested too deeply')
    if (behindAlias > 0 && ++aliased > mostAliased) {
      if (aliased === mostAliased + 1) say(offset, path, 'aliases expand to too much data')
      return undefined
    }
    if (isAlias(node)) return follow(node.source, path, offset)
    const anchored = node as Node & { anchor?: string }
    if (anchored?.anchor) anchors.set(anchored.anchor, anchored)
    if (isScalar(node)) return plain(node, path, offset, say)
    if (isSeq(node)) return node.items.map((item, index) => step(item, [...path, index], startOf(item, offset)))
    if (isMap(node)) return mapping(node.items, path, offset)
    return null
  }
  const step = (node: unknown, path: Path, offset: number) => {
    offsets.set(keyOf(path), offset)
    return walk(node, path, offset)
  }
  const follow = (name: string, path: Path, offset: number) => {
    const target = anchors.get(name)
    if (!target) return say(offset, path, 'uses an alias that is not defined above')
    behindAlias++
    const value = walk(target, path, offset)
    behindAlias--
    return value
  }
  const mapping = (items: readonly { key: unknown; value: unknown }[], path: Path, offset: number) => {
    const result: Record<string, unknown> = {}
    for (const { key, value } of items) {
      const start = startOf(key, offset)
      const name = isScalar(key) ? String(key.value) : undefined
      if (name === undefined || name === '__proto__') say(start, path, 'has a key that is not a name')
      else if (Object.hasOwn(result, name)) say(start, [...path, name], 'duplicate key')
      else result[name] = step(value, [...path, name], start)
    }
    return result
  }
  return root => step(root, [], startOf(root, 0))
}

// Lone surrogates and control characters can be written as escapes ("\ud800", "\x07"); no later code expects them.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const unusable = /[\p{Cs}\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/u

function plain(node: Scalar, path: Path, offset: number, say: Say): unknown {
  if (typeof node.value !== 'string' || !unusable.test(node.value)) return node.value
  return say(offset, path, 'contains a control character')
}

function startOf(node: unknown, otherwise: number): number {
  return (node as Node | null)?.range?.[0] ?? otherwise
}

function keyOf(path: Path): string {
  return JSON.stringify(path)
}
