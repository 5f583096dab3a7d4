// Creates files: all of them or none, and never over one that exists.

import { closeSync, lstatSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { printable } from '../config/problems.js'

export interface NewFile {
  path: string
  text: string
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
const taken = 'exists, and is never overwritten'

/** Readable by this user alone. Returns why nothing was created, a line for each reason; empty: all files are there. */
export function createFiles(files: readonly NewFile[]): string[] {
  const created: string[] = []
  let current = ''
  // Without a listener, Ctrl+C between two files would leave half of them.
  const ignore = () => {}
  for (const signal of signals) process.on(signal, ignore)
  try {
    const existing = files.filter(({ path }) => {
      current = path
      return lstatSync(path, { throwIfNoEntry: false }) !== undefined
    })
    if (existing.length > 0) return existing.map(({ path }) => `${shown(path)} ${taken}`)
    for (const { path, text } of files) {
      current = path
      // Exclusive: it does not follow a symbolic link either.
      const handle = openSync(path, 'wx', 0o600)
      created.push(path)
      try {
        writeFileSync(handle, text)
      } finally {
        closeSync(handle)
      }
    }
    return []
  } catch (error) {
    removeFiles(created)
    return [`${shown(current)} ${reason(error)}`]
  } finally {
    for (const signal of signals) process.off(signal, ignore)
  }
}

export function removeFiles(paths: readonly string[]): void {
  for (const path of paths) rmSync(path, { force: true })
}

function reason(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'EEXIST') return taken
  if (code === 'EACCES' || code === 'EPERM') return 'cannot be created: this user may not write into its folder'
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'cannot be created: its folder does not exist'
  if (code === 'EROFS') return 'cannot be created: the file system is read-only'
  return `cannot be created (${code ?? 'unknown reason'})`
}

function shown(path: string): string {
  return printable(path.length > 60 ? `…${path.slice(-59)}` : path)
}
