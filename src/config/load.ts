// YAML, variables and secret files to a frozen configuration, or every problem at once with its place. Opens no socket.

import { type FileHandle, open } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { Clock } from '../core/contracts.js'
import { systemClock } from '../runtime/clock.js'
import { type Document, readDocument } from './document.js'
import { type FileMarks, markOf, noting } from './file-fingerprints.js'
import { draft } from './partial-config.js'
import { dotted, type Finding, inOrder, type Path, type Problem } from './problems.js'
import { createReader, whyNot } from './reader.js'
import { restartFindings } from './restart.js'
import { judge } from './rules.js'
import { type Config, configSchema } from './schema/index.js'
import type { Reader } from './schema/values.js'
import { isMapping } from './shape.js'

export { type Finding, formatProblem, type Problem } from './problems.js'

/** Warnings keep nothing from starting. `place`: where the setting of a finding stands in the text. */
export type Loaded =
  | { config: Config; warnings: Problem[]; place(finding: Finding): Problem }
  | { problems: Problem[]; warnings: Problem[] }

/** With the files that it was made of, the configuration's own among them. */
export type LoadedFile = Loaded & { files: FileMarks }

const mostBytes = 1024 * 1024

/**
 * Loads a configuration file. Relative paths in it are taken from its folder.
 * Never throws on what an operator can get wrong. The clock only tells which certificates have ended.
 * `running`: the configuration that this one is to take the place of, without a restart.
 */
export async function loadConfig(
  file: string,
  env: NodeJS.ProcessEnv,
  clock: Clock = systemClock,
  running?: Config,
): Promise<LoadedFile> {
  const files = new Map([[resolve(file), markOf(file)]])
  const reader = noting(createReader({ folder: dirname(resolve(file)), env }), files)
  const read = await readBounded(file)
  if ('text' in read) return { ...loadConfigText(read.text, { file, reader, now: clock.now(), running }), files }
  return { problems: [{ file, line: 1, column: 1, key: '(file)', message: read.problem }], warnings: [], files }
}

interface From {
  file: string
  reader: Reader
  now: number
  running?: Config | undefined
}

/** The same for text that is there already; `file` is only what problems call it, `now` is in milliseconds. */
export function loadConfigText(text: string, from: From): Loaded {
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

function validate(document: Document, from: From): Loaded {
  const place = ({ path, message, hint }: Finding): Problem => ({
    ...document.place(path),
    key: dotted(path),
    message,
    ...(hint === undefined ? {} : { hint }),
  })
  const drafted = draft(configSchema(from.reader), document.value)
  const written = (path: Path) => valueAt(document.value, path)
  const judged = judge(drafted.value ?? {}, written, from.now)
  const restart = from.running ? restartFindings(from.running, drafted.value ?? {}, written) : []
  // What the text itself got wrong has been said.
  const known = new Set(document.problems.map(({ key }) => key))
  const own = drafted.findings.filter(({ path }) => !known.has(dotted(path)))
  const findings = [...own, ...restart, ...judged.problems]
  const problems = inOrder([...document.problems, ...findings.map(place), ...judged.elsewhere])
  const warnings = inOrder(judged.warnings.map(place))
  if (problems.length > 0) return { problems, warnings }
  // Without findings the draft is what the schema makes of the whole.
  return { config: freeze(drafted.value as Config), warnings, place }
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
