// A file that lines are appended to, 0600 when it is made. It may be moved away at any time (logrotate): each line goes to
// the file that has the name now. A failure is told, never thrown.

import { closeSync, fstatSync, mkdirSync, openSync, statSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

export interface AppendFile {
  /** Undefined, or the code of what went wrong: then the line is not in the file. */
  append(line: string): string | undefined
  close(): void
}

interface Opened {
  fd: number
  place: string
}

/** Opens nothing before the first line. `path` is absolute. */
export function createAppendFile(path: string): AppendFile {
  let file: Opened | undefined
  /** The last line was cut by a full disk: what follows must not become part of it. */
  let torn = false

  const close = () => {
    if (file) closeSync(file.fd)
    file = undefined
  }
  const current = (): Opened => {
    if (file && placeOf(statSync(path, { throwIfNoEntry: false })) !== file.place) close()
    file ??= open(path)
    return file
  }

  return {
    append(line) {
      try {
        const { fd } = current()
        const rest = Buffer.from(torn ? `\n${line}` : line)
        for (let at = 0; at < rest.length; ) {
          at += writeSync(fd, rest, at)
          torn = at < rest.length
        }
        return undefined
      } catch (error) {
        return (error as NodeJS.ErrnoException).code ?? 'unknown error'
      }
    },
    close,
  }
}

function open(path: string): Opened {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const fd = openSync(path, 'a', 0o600)
  return { fd, place: placeOf(fstatSync(fd)) }
}

/** Which file it is, whatever its name. */
function placeOf(facts: { dev: number; ino: number } | undefined): string {
  return facts ? `${facts.dev}-${facts.ino}` : ''
}
