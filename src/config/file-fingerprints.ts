// Fingerprints of the files that a configuration was read from, to find changes. Symlinks are followed, so that a swapped
// link to a folder (Kubernetes' ..data) counts as a change.

import { type BigIntStats, statSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { ConfigReader } from './schema/values.js'

/** The fingerprint of each file, by absolute path. */
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
export function fileFingerprints(paths: readonly string[]): Promise<string[]> {
  return Promise.all(paths.map(path => stat(path, { bigint: true }).then(statFingerprint, errorFingerprint)))
}

function statFingerprint({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join('-')
}

function errorFingerprint(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown'
}

/** A reader that records the fingerprint of each file just before it reads it. */
export function recordingReader(reader: ConfigReader, fingerprints: Map<string, string>): ConfigReader {
  return {
    ...reader,
    file(path) {
      const absolute = reader.path(path)
      if (!fingerprints.has(absolute)) fingerprints.set(absolute, fileFingerprint(absolute))
      return reader.file(path)
    },
  }
}
