// Finds changes of the files that a configuration was read from or that it names, by polling, and reports one once the
// files are stable again. Change notifications get lost on network and overlay file systems, and do not follow a swapped
// symlink.

import { type BigIntStats, statSync } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import type { ConfigReader } from './schema/values.js'

interface FileWatch {
  close(): void
}

/** Milliseconds between two polls: files that are equal in both are stable. */
const defaultInterval = 1000

/**
 * `files`: the fingerprints when the files were read last; undefined when they have not been read, which counts as a
 * change. `changed` is not called again before its promise has settled.
 */
export function watchFiles(deps: {
  files(): FileFingerprints | undefined
  changed(): Promise<unknown>
  every?: number
}): FileWatch {
  let timer: NodeJS.Timeout | undefined
  let closed = false
  let before: string | undefined

  const poll = async () => {
    const files = deps.files()
    const read = files && [...files.values()].join('\n')
    const now = files && (await fileFingerprints([...files.keys()])).join('\n')
    const differs = now === undefined || now !== read
    const stable = now === before || now === undefined
    before = now
    if (differs && stable && !closed) await deps.changed()
  }
  const schedule = () => {
    if (closed) return
    timer = setTimeout(() => void poll().finally(schedule), deps.every ?? defaultInterval).unref()
  }
  schedule()

  return {
    close() {
      closed = true
      clearTimeout(timer)
    },
  }
}

export type FileFingerprints = ReadonlyMap<string, string>

/** Differs for any two states of a file. Never throws: a missing file has a fingerprint too. */
export function fileFingerprint(path: string): string {
  try {
    return statFingerprint(statSync(path, { bigint: true }))
  } catch (error) {
    return errorFingerprint(error)
  }
}

/** The same for many files, without blocking: a network file system can be slow. */
function fileFingerprints(paths: readonly string[]): Promise<string[]> {
  return Promise.all(paths.map(path => stat(path, { bigint: true }).then(statFingerprint, errorFingerprint)))
}

/** The files that are not as they were read, with their fingerprints of now. */
export async function changedFiles(files: FileFingerprints): Promise<Map<string, string>> {
  const paths = [...files.keys()]
  const now = await fileFingerprints(paths)
  const changed = new Map<string, string>()
  for (const [index, path] of paths.entries()) {
    const found = now[index] ?? ''
    if (found !== files.get(path)) changed.set(path, found)
  }
  return changed
}

function statFingerprint({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join('-')
}

function errorFingerprint(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown'
}

/** A reader that records the fingerprint of each file just before it reads it. */
export function recordingReader(reader: ConfigReader, fingerprints: Map<string, string>): ConfigReader {
  const record = (path: string) => {
    const absolute = reader.path(path)
    if (!fingerprints.has(absolute)) fingerprints.set(absolute, fileFingerprint(absolute))
  }
  const recorded = <T>(read: (path: string) => T) => {
    return (path: string): T => {
      record(path)
      return read(path)
    }
  }
  // A folder's own changes when a file comes or goes.
  return { ...reader, file: recorded(reader.file), bytes: recorded(reader.bytes), names: recorded(reader.names) }
}

/** A file that could not be read. The message is for the operator. */
class FileUnreadable extends Error {
  override name = 'FileUnreadable'
}

/**
 * The text of a regular file of at most `bytes`, and its fingerprint for the next call; undefined while the fingerprint is
 * the one given. Throws FileUnreadable, and nothing else.
 */
export async function readTextFile(path: string, limits: { bytes: number; fingerprint?: string | undefined }) {
  try {
    return await readChanged(path, limits)
  } catch (error) {
    if (error instanceof FileUnreadable) throw error
    const { code = 'unknown error' } = error as NodeJS.ErrnoException
    throw new FileUnreadable(`${path}: ${code === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? 'is not UTF-8' : code}`)
  }
}

async function readChanged(path: string, { bytes, fingerprint: known }: Parameters<typeof readTextFile>[1]) {
  // One handle for both: stat and text are of the same file, also while a symlink is swapped.
  const file = await open(path, 'r')
  try {
    const stats = await file.stat({ bigint: true })
    if (!stats.isFile()) throw new FileUnreadable(`${path}: not a file`)
    if (stats.size > bytes) throw new FileUnreadable(`${path}: is larger than ${bytes} bytes`)
    const fingerprint = statFingerprint(stats)
    if (fingerprint === known) return undefined
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(await file.readFile()), fingerprint }
  } finally {
    await file.close()
  }
}
