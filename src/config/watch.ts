// Looks at the files of the configuration again and again, and tells when they have changed and come to rest. By asking,
// because notices of change are lost on network and overlay file systems, and follow no symlink that is swapped.

import { type FileMarks, marksOf } from './file-fingerprints.js'

export interface FileWatch {
  close(): void
}

/** Milliseconds between two looks: what has not changed from one to the next has come to rest. */
const usual = 1000

/**
 * `files`: as they were when they were read last; undefined: not read yet, which counts as changed. `changed` is not
 * called again before it has settled.
 */
export function watchFiles(deps: {
  files(): FileMarks | undefined
  changed(): Promise<unknown>
  every?: number
}): FileWatch {
  let timer: NodeJS.Timeout | undefined
  let closed = false
  let before: string | undefined

  const look = async () => {
    const files = deps.files()
    const read = files && [...files.values()].join('\n')
    const now = files && (await marksOf([...files.keys()])).join('\n')
    const moved = now === undefined || now !== read
    const atRest = now === before || now === undefined
    before = now
    if (moved && atRest && !closed) await deps.changed()
  }
  const later = () => {
    if (closed) return
    timer = setTimeout(() => void look().finally(later), deps.every ?? usual).unref()
  }
  later()

  return {
    close() {
      closed = true
      clearTimeout(timer)
    },
  }
}
