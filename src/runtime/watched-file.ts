// Files that are looked at again while the process runs: read when they have changed, and only then. By asking again and
// again, because notices of change are lost on network and overlay file systems, and follow no symlink that is swapped.

import { open } from 'node:fs/promises'

export interface ReadText {
  text: string
  /** Names this state of the file; hand it back to learn whether the file has changed. */
  mark: string
}

/** A file that could not be read. The message is for the operator. */
export class FileUnreadable extends Error {
  override name = 'FileUnreadable'
}

/**
 * The text of a regular file of at most `bytes`, or undefined while it is as it was when `mark` was given.
 * Throws FileUnreadable, and nothing else.
 */
export async function readTextFile(path: string, limits: { bytes: number; mark?: string | undefined }) {
  try {
    return await read(path, limits)
  } catch (error) {
    if (error instanceof FileUnreadable) throw error
    const { code = 'unknown error' } = error as NodeJS.ErrnoException
    throw new FileUnreadable(`${path}: ${code === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? 'is not UTF-8' : code}`)
  }
}

async function read(path: string, { bytes, mark: known }: { bytes: number; mark?: string | undefined }) {
  // Opened once and asked through the handle: facts and text are of one file, also while a symlink is swapped.
  const file = await open(path, 'r')
  try {
    const facts = await file.stat({ bigint: true })
    if (!facts.isFile()) throw new FileUnreadable(`${path}: is no file`)
    if (facts.size > bytes) throw new FileUnreadable(`${path}: is larger than ${bytes} bytes`)
    const mark = [facts.dev, facts.ino, facts.size, facts.mtimeNs, facts.ctimeNs].join('-')
    if (mark === known) return undefined
    const text = new TextDecoder('utf-8', { fatal: true }).decode(await file.readFile())
    const result: ReadText = { text, mark }
    return result
  } finally {
    await file.close()
  }
}
