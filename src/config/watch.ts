// Polls the files of the configuration, and reports a change once the files are stable again. Polling, because change
// notifications get lost on network and overlay file systems, and do not follow a swapped symlink.

import { type FileFingerprints, fileFingerprints } from './file-fingerprints.js'

export interface FileWatch {
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
