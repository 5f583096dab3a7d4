// Turns YAML, environment variables and files into a frozen configuration, or into all its problems with their places. It
// opens no socket.

import { type FileHandle, open } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { Clock } from '../core/clock.js'
import { systemClock } from '../runtime/clock.js'
import { ThreadFailed } from '../runtime/thread.js'
import { agentsWhileServing } from './agents-files.js'
import { emptiedFiles, restartFindings, saysTheSame, valueAt } from './changes.js'
import { type Document, readDocument } from './document.js'
import { overlayEnvironment } from './environment.js'
import { type PartialResult, parsePartially } from './partial-config.js'
import { dotted, type Finding, inOrder, type Path, type Problem, problemAt } from './problems.js'
import { createReader, whyNot } from './reader.js'
import { validateRules } from './rules.js'
import { type Config, configSchema } from './schema/index.js'
import { type ConfigReader, type FileText, Unreadable } from './schema/values.js'
import { changedFiles, type FileFingerprints, fileFingerprint, recordingReader } from './watch.js'
import { isMapping } from './zod-introspection.js'

/** Warnings do not prevent a start. `place` adds the position in the file to a finding. */
export type Loaded =
  | { config: Config; warnings: Problem[]; place(finding: Finding): Problem }
  | { problems: Problem[]; warnings: Problem[] }

/** With the files that were read, including the configuration file. `draft`: for loadAgents. */
export type LoadedFile = Loaded & { files: FileFingerprints; draft?: Draft }

const maxBytes = 1024 * 1024

/**
 * Loads a configuration file. Relative paths in it are taken from its folder.
 * Never rejects for a mistake in it. The clock is used for the expiry of certificates.
 * `running`: the configuration to be replaced without a restart.
 */
export async function loadConfig(
  file: string,
  env: NodeJS.ProcessEnv,
  clock: Clock = systemClock,
  running?: Config,
): Promise<LoadedFile> {
  const files = new Map([[resolve(file), fileFingerprint(file)]])
  const reader = recordingReader(createReader({ folder: dirname(resolve(file)), env }), files)
  const read = await readBounded(file)
  if ('problem' in read) return { ...unusable(file, read.problem), files }
  const draft = draftOf(read.text, { file, reader, now: clock.now(), running, env })
  if ('problems' in draft) return { ...draft, files }
  // At a start nobody waits for this process.
  const failed = running && (await parseAgentsFiles(draft, files))
  return { ...(failed ?? validate(draft)), files, draft }
}

/**
 * The same when only agents files have changed since `previous`, which runs: nothing else is read or parsed again.
 * Undefined when more has changed, or less, or one of them cannot be read: loadConfig then says what.
 */
export async function loadAgents(previous: LoadedFile, running: Config): Promise<LoadedFile | undefined> {
  const { draft } = previous
  if (!('config' in previous) || !draft || !saysTheSame(previous.config, running)) return undefined
  const changed = await changedFiles(previous.files)
  const named = new Set(running.agents.flatMap(source => ('file' in source ? [source.file.path] : [])))
  if (changed.size === 0 || [...changed.keys()].some(path => !named.has(path))) return undefined
  const files = new Map([...previous.files, ...changed])
  const texts = readAll([...changed.keys()])
  if (!texts) return undefined
  const agents = running.agents.map(source => {
    const text = 'file' in source ? texts.get(source.file.path) : undefined
    return text && 'file' in source && text.text !== source.file.text ? { file: text } : source
  })
  const partial = { ...draft.partial, value: { ...running, agents } }
  const next = { ...draft, partial, options: { ...draft.options, running, now: systemClock.now() } }
  const failed = await parseAgentsFiles(next, files)
  return { ...(failed ?? validate(next)), files, draft: next }
}

function readAll(paths: readonly string[]): Map<string, FileText> | undefined {
  const reader = createReader({ folder: '/', env: {} })
  try {
    return new Map(paths.map(path => [path, reader.file(path)]))
  } catch (error) {
    if (error instanceof Unreadable) return undefined
    throw error
  }
}

interface LoadOptions {
  file: string
  reader: ConfigReader
  now: number
  running?: Config | undefined
  /** Where settings come from beside the text. */
  env?: NodeJS.ProcessEnv
}

/** The same for a text; `file` is the name used in problems, `now` is in milliseconds since the epoch. */
export function loadConfigText(text: string, options: LoadOptions): Loaded {
  const draft = draftOf(text, options)
  return 'problems' in draft ? draft : validate(draft)
}

type Rejected = Extract<Loaded, { problems: Problem[] }>

function unusable(file: string, message: string): Rejected {
  return { problems: [{ file, line: 1, column: 1, key: '(file)', message }], warnings: [] }
}

/** A configuration of which only the schema has been checked. */
interface Draft {
  document: Document
  overlay: ReturnType<typeof overlayEnvironment>
  partial: PartialResult<Config>
  options: LoadOptions
}

function draftOf(text: string, options: LoadOptions): Draft | Rejected {
  if (Buffer.byteLength(text) > maxBytes) return unusable(options.file, 'is larger than 1 MB')
  const { document, problems } = readDocument(text, options.file)
  if (!document) return { problems, warnings: [] }
  if (document.value === null) return unusable(options.file, 'is empty')
  if (!isMapping(document.value)) return unusable(options.file, 'not a mapping of settings')
  const schema = configSchema(options.reader)
  const overlay = overlayEnvironment(document.value, options.env ?? {}, schema)
  return { document, overlay, partial: parsePartially(schema, overlay.value), options }
}

/** In threads; the rules ask for their contents. */
async function parseAgentsFiles({ partial }: Draft, files: Map<string, string>): Promise<Rejected | undefined> {
  for (const source of partial.value?.agents ?? []) {
    if (source === undefined || !('file' in source) || source.file === undefined) continue
    const { path } = source.file
    try {
      await agentsWhileServing(source.file)
    } catch (error) {
      if (!(error instanceof ThreadFailed)) throw error
      // A thread that did not come up is tried again; one that took too much would do so again.
      if (!error.tooCostly) files.set(path, 'not parsed')
      return unusable(path, `cannot be parsed: ${error.message}`)
    }
  }
  return undefined
}

function validate({ document, overlay, partial, options }: Draft): Loaded {
  const place = ({ path, message, hint }: Finding) =>
    problemAt(overlay.place(path) ?? document.place(path), dotted(path), message, hint)
  const written = (path: Path) => valueAt(overlay.value, path)
  const ruleFindings = validateRules(partial.value ?? {}, written, options.now)
  const restart = options.running ? restartFindings(options.running, partial.value ?? {}, written) : []
  // Mistakes of the YAML text are reported already.
  const known = new Set([...document.problems, ...overlay.problems].map(({ key }) => key))
  const own = partial.findings.filter(({ path }) => !known.has(dotted(path)))
  const findings = [...own, ...restart, ...ruleFindings.problems]
  const problems = inOrder([
    ...document.problems,
    ...overlay.problems,
    ...findings.map(place),
    ...ruleFindings.elsewhere,
    ...(options.running ? emptiedFiles(options.running, partial.value ?? {}) : []),
  ])
  const warnings = inOrder(ruleFindings.warnings.map(place))
  if (problems.length > 0) return { problems, warnings }
  // Without findings the partial configuration is complete.
  return { config: freeze(partial.value as Config), warnings, place }
}

function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const inner of Object.values(value)) freeze(inner)
  return Object.freeze(value)
}

/** Reads at most `maxBytes`, also from a pipe or a device. */
async function readBounded(file: string): Promise<{ text: string } | { problem: string }> {
  let handle: FileHandle | undefined
  try {
    handle = await open(file)
    const buffer = Buffer.alloc(maxBytes + 1)
    let length = 0
    while (length < buffer.length) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length)
      if (bytesRead === 0) break
      length += bytesRead
    }
    if (length > maxBytes) return { problem: 'is larger than 1 MB' }
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(buffer.subarray(0, length)) }
  } catch (error) {
    return { problem: whyNot(error) }
  } finally {
    await handle?.close()
  }
}
