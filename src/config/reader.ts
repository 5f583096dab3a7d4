// Reads the environment variables and files that a configuration names: regular files of limited size only.

import { X509Certificate } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { createSecret } from '../core/secret.js'
import { printable } from './problems.js'
import { type ConfigReader, says, Unreadable } from './schema/values.js'

/** Bytes; an agents file of forty thousand people has four million. */
const mostBytes = 4 * 1024 * 1024

/** Relative paths are resolved from `folder`. */
export function createReader(deps: { folder: string; env: NodeJS.ProcessEnv }): ConfigReader {
  return {
    env(name) {
      const value = deps.env[name]
      if (value === undefined) throw new Unreadable(`the variable ${printable(name)} is not set`)
      if (value === '') throw new Unreadable(`the variable ${printable(name)} is empty`)
      return value
    },
    file(path) {
      const absolute = resolve(deps.folder, path)
      return { path: absolute, text: readText(absolute) }
    },
    bytes(path) {
      const absolute = resolve(deps.folder, path)
      return { path: absolute, bytes: readBytes(absolute) }
    },
    names(path) {
      const absolute = resolve(deps.folder, path)
      try {
        const entries = readdirSync(absolute).filter(name => !name.startsWith('.'))
        return entries.filter(name => statSync(resolve(absolute, name)).isFile()).sort()
      } catch (error) {
        throw new Unreadable(`the folder ${printablePath(absolute)} ${whyNot(error)}`)
      }
    },
    path: path => resolve(deps.folder, path),
    secret: createSecret,
  }
}

/** The text of a regular file; throws Unreadable and says why. */
function readText(path: string): string {
  const shown = printablePath(path)
  const bytes = readBytes(path)
  try {
    if (isDerCertificate(bytes)) throw new Unreadable(says(`the file ${shown} is in DER, not PEM`, pemFromDer(shown)))
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    if (error instanceof Unreadable) throw error
    throw new Unreadable(`the file ${shown} ${whyNot(error)}`)
  }
}

function readBytes(path: string): Buffer {
  const shown = printablePath(path)
  try {
    const facts = statSync(path)
    if (!facts.isFile()) throw new Unreadable(`${shown} is not a file`)
    if (facts.size > mostBytes) throw new Unreadable(`the file ${shown} is larger than 4 MB`)
    return readFileSync(path)
  } catch (error) {
    if (error instanceof Unreadable) throw error
    throw new Unreadable(`the file ${shown} ${whyNot(error)}`)
  }
}

/** Windows saves certificates so, as .cer. */
function isDerCertificate(bytes: Buffer): boolean {
  if (bytes[0] !== 0x30 || bytes[1] !== 0x82) return false
  try {
    return new X509Certificate(bytes).subject !== undefined
  } catch {
    return false
  }
}

function pemFromDer(path: string): string {
  return `openssl x509 -inform DER -in ${path} -out ${path}.pem`
}

/** Why a file cannot be read, to follow its name in a message. */
export function whyNot(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'does not exist'
  if (code === 'EACCES' || code === 'EPERM') {
    const user = process.getuid?.()
    return `cannot be read by ${user === undefined ? 'this user' : `user ${user}`}: change its owner or mode, or those of its folder`
  }
  if (code === 'EISDIR') return 'is a folder'
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return 'is not UTF-8 text'
  return `cannot be read (${code ?? 'unknown reason'})`
}

function printablePath(path: string): string {
  return path.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?').slice(0, 300)
}
