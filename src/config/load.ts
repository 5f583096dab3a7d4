// YAML, variables and secret files to a frozen configuration, or every problem at once with its place. Opens no socket.

import { type FileHandle, open } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { systemClock } from '../core/clock.js'
import type { Clock } from '../core/contracts.js'
import { type Document, readDocument } from './document.js'
import { draft } from './draft.js'
import { laterFindings } from './later.js'
import { dotted, type Finding, inOrder, type Path, type Problem } from './problems.js'
import { createReader, whyNot } from './reader.js'
import { judge } from './rules.js'
import { type Config, configSchema } from './schema/index.js'
import type { Reader } from './schema/values.js'
import { isMapping } from './shape.js'

export { formatProblem, type Problem } from './problems.js'

/** Warnings keep nothing from starting. */
export type Loaded = { config: Config; warnings: Problem[] } | { problems: Problem[]; warnings: Problem[] }

const mostBytes = 1024 * 1024

/**
 * Loads a configuration file. Relative paths in it are taken from its folder.
 * Never throws on what an operator can get wrong. The clock only tells which certificates have ended.
 */
export async function loadConfig(file: string, env: NodeJS.ProcessEnv, clock: Clock = systemClock): Promise<Loaded> {
  const reader = createReader({ folder: dirname(resolve(file)), env })
  const read = await readBounded(file)
  if ('text' in read) return loadConfigText(read.text, { file, reader, now: clock.now() })
  return { problems: [{ file, line: 1, column: 1, key: '(file)', message: read.problem }], warnings: [] }
}

/** The same for text that is there already; `file` is only what problems call it, `now` is in milliseconds. */
export function loadConfigText(text: string, from: { file: string; reader: Reader; now: number }): Loaded {
  const unusable = (message: string): Loaded => ({
    problems: [{ file: from.file, line: 1, column: 1, key: '(file)', message }],
    warnings: [],
  })
  if (Buffer.byteLength(text) > mostBytes) return unusable('is larger than 1 MB')
  const { document, problems } = readDocument(text, from.file)
  if (!document) return { problems, warnings: [] }
  if (document.value === null) return unusable('is empty')
  if (!isMapping(document.value)) return unusable('is no mapping of settings')
  return validate(document, from)
}

function validate(document: Document, from: { reader: Reader; now: number }): Loaded {
  const place = ({ path, message, hint }: Finding): Problem => ({
    ...document.place(path),
    key: dotted(path),
    message,
    ...(hint === undefined ? {} : { hint }),
  })
  const drafted = draft(configSchema(from.reader), document.value)
  const judged = judge(drafted.value ?? {}, path => valueAt(document.value, path), from.now)
  // What the text itself got wrong has been said.
  const known = new Set(document.problems.map(({ key }) => key))
  const own = drafted.findings.filter(({ path }) => !known.has(dotted(path)))
  const findings = [...own, ...laterFindings(drafted.value ?? {}), ...judged.problems]
  const problems = inOrder([...document.problems, ...findings.map(place), ...judged.elsewhere])
  const warnings = inOrder(judged.warnings.map(place))
  if (problems.length > 0) return { problems, warnings }
  // Without findings the draft is what the schema makes of the whole.
  return { config: freeze(drafted.value as Config), warnings }
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((holder, part) => {
    if (typeof holder !== 'object' || holder === null || !Object.hasOwn(holder, part)) return undefined
    return (holder as Record<string | number, unknown>)[part]
  }, value)
}

function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const inner of Object.values(value)) freeze(inner)
  return Object.freeze(value)
}

/** Reads no more than is allowed, also from a pipe or a device. */
async function readBounded(file: string): Promise<{ text: string } | { problem: string }> {
  let handle: FileHandle | undefined
  try {
    handle = await open(file)
    const buffer = Buffer.alloc(mostBytes + 1)
    let length = 0
    while (length < buffer.length) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length)
      if (bytesRead === 0) break
      length += bytesRead
    }
    if (length > mostBytes) return { problem: 'is larger than 1 MB' }
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(buffer.subarray(0, length)) }
  } catch (error) {
    return { problem: whyNot(error) }
  } finally {
    await handle?.close()
  }
}
