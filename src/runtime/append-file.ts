// A file that lines are appended to, created with mode 0600. It may be moved away at any time (logrotate): each line
// goes to the file that has the name now. A failure is returned, never thrown.

import { closeSync, fstatSync, mkdirSync, openSync, statSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

export interface AppendFile {
  /** Undefined, or an error code: then the line is not in the file. */
  append(line: string): string | undefined
  close(): void
}

interface OpenFile {
  fd: number
  inode: string
}

/** Opens nothing before the first line. `path` is absolute. */
export function createAppendFile(path: string): AppendFile {
  let file: OpenFile | undefined
  /** A full disk cut the last line: the next one must not become part of it. */
  let torn = false

  const close = () => {
    if (file) closeSync(file.fd)
    file = undefined
  }
  const current = (): OpenFile => {
    if (file && inodeOf(statSync(path, { throwIfNoEntry: false })) !== file.inode) close()
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

function open(path: string): OpenFile {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const fd = openSync(path, 'a', 0o600)
  return { fd, inode: inodeOf(fstatSync(fd)) }
}

/** Which file it is, whatever its name. */
function inodeOf(facts: { dev: number; ino: number } | undefined): string {
  return facts ? `${facts.dev}-${facts.ino}` : ''
}
