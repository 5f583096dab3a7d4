// Reads files that may change while the process runs, only when they have changed. By polling: change events are lost
// on network and overlay file systems, and do not follow a symlink that is swapped.

import { open } from 'node:fs/promises'

export interface FileContent {
  text: string
  /** Identifies this state of the file; pass it to the next call, which reads only a changed file. */
  fingerprint: string
}

/** A file that could not be read. The message is for the operator. */
export class FileUnreadable extends Error {
  override name = 'FileUnreadable'
}

/**
 * The text of a regular file of at most `bytes`, or undefined while its fingerprint is the one given.
 * Throws FileUnreadable, and nothing else.
 */
export async function readTextFile(path: string, limits: { bytes: number; fingerprint?: string | undefined }) {
  try {
    return await read(path, limits)
  } catch (error) {
    if (error instanceof FileUnreadable) throw error
    const { code = 'unknown error' } = error as NodeJS.ErrnoException
    throw new FileUnreadable(`${path}: ${code === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? 'is not UTF-8' : code}`)
  }
}

async function read(path: string, { bytes, fingerprint: known }: { bytes: number; fingerprint?: string | undefined }) {
  // One handle for both: stat and text are of the same file, also while a symlink is swapped.
  const file = await open(path, 'r')
  try {
    const stats = await file.stat({ bigint: true })
    if (!stats.isFile()) throw new FileUnreadable(`${path}: not a file`)
    if (stats.size > bytes) throw new FileUnreadable(`${path}: is larger than ${bytes} bytes`)
    const fingerprint = [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join('-')
    if (fingerprint === known) return undefined
    const text = new TextDecoder('utf-8', { fatal: true }).decode(await file.readFile())
    const result: FileContent = { text, fingerprint }
    return result
  } finally {
    await file.close()
  }
}
