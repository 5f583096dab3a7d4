// Which files a configuration was made of, and in which state each was when it was read: by comparing the states a change
// is found. Symlinks are followed, so that a folder whose link is swapped (Kubernetes' ..data) counts as changed.

import { type BigIntStats, statSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Reader } from './schema/values.js'

/** The state of each file, by absolute path. */
export type FileMarks = ReadonlyMap<string, string>

/** Names the state of a file; any two states differ. Never throws: a file that is not there is a state too. */
export function markOf(path: string): string {
  try {
    return nameOf(statSync(path, { bigint: true }))
  } catch (error) {
    return codeOf(error)
  }
}

/** The same for many, while others go on: a network file system may think for long. */
export function marksOf(paths: readonly string[]): Promise<string[]> {
  return Promise.all(paths.map(path => stat(path, { bigint: true }).then(nameOf, codeOf)))
}

function nameOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join('-')
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown'
}

/** The same reader, which notes the state of each file just before it reads it. */
export function noting(reader: Reader, marks: Map<string, string>): Reader {
  return {
    ...reader,
    file(path) {
      const absolute = reader.path(path)
      if (!marks.has(absolute)) marks.set(absolute, markOf(absolute))
      return reader.file(path)
    },
  }
}
