// The small values that settings are made of: durations, sizes, secrets, files, URLs, paths. Nothing here opens a file:
// that is the Reader's part, so that the same schema validates, documents itself and loads.

import * as z from 'zod'
import type { Secret } from '../../core/secret.js'
import { pictureType } from '../picture.js'

/** A file that a setting names, as it was when the configuration was loaded. */
export interface FileText {
  path: string
  text: string
  /** No file exists behind this text, so it cannot be read again. */
  madeUp?: true
}

/** A picture that a setting names, ready for a page that loads nothing. */
interface Picture {
  path: string
  /** A data: URI of the file. */
  uri: string
}

/** Why a value is unavailable: the message becomes a problem at its place. */
export class Unreadable extends Error {
  override name = 'Unreadable'
}

/** How the loader resolves what is outside the YAML. */
export interface ConfigReader {
  /** The variable's value; throws Unreadable. */
  env(name: string): string
  /** The text of a file; its path is relative to the configuration's folder. Throws Unreadable. */
  file(path: string): FileText
  /** The bytes of a file; throws Unreadable. */
  bytes(path: string): { path: string; bytes: Buffer }
  /** The names of the files in a folder, in order, hidden ones left out; throws Unreadable. */
  names(path: string): string[]
  /** The absolute path of a file that need not be there yet. */
  path(path: string): string
  /** Wraps the value so that it masks itself. */
  secret(value: string): Secret
}

/** The problem of a value, then a line break and the hint; the loader's `problems` separates the two. */
export function says(problem: string, hint?: string): string {
  return hint === undefined ? problem : `${problem}\n${hint}`
}

/** A text that is not empty. */
export const text = () => z.string().min(1)

/** A switch that is off where it is left out. */
export const off = (description: string) => z.boolean().default(false).meta({ description })

const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const bytes = { b: 1, kb: 1024, mb: 1024 * 1024 } as const
const durationShape = /^\d{1,9}(ms|s|m|h|d)$/
const sizeShape = /^\d{1,9}(b|kb|mb)$/

/** Milliseconds of a duration as written. */
export function milliseconds(text: string): number {
  return Number.parseInt(text, 10) * units[text.replace(/^\d+/, '') as keyof typeof units]
}

function bytesOf(text: string): number {
  return Number.parseInt(text, 10) * bytes[text.replace(/^\d+/, '') as keyof typeof bytes]
}

/** `500ms`, `30s`, `5m`, `8h`, `7d`: milliseconds when loaded. The bounds are durations too, and inclusive. */
export const duration = (least: string, most: string) => {
  const wrong = says('invalid duration', 'such as 500ms, 30s, 5m, 8h or 7d')
  return z
    .string(wrong)
    .regex(durationShape, { error: wrong, abort: true })
    .refine(text => milliseconds(text) >= milliseconds(least), says(`is shorter than ${least}`))
    .refine(text => milliseconds(text) <= milliseconds(most), says(`is longer than ${most}`))
    .transform(milliseconds)
    .meta({ kind: 'duration' })
}

/** `256kb`, `10mb`: bytes when loaded. The bounds are sizes too, and inclusive. */
export const size = (least: string, most: string) => {
  const wrong = says('invalid size', 'such as 256kb or 10mb')
  return z
    .string(wrong)
    .regex(sizeShape, { error: wrong, abort: true })
    .refine(text => bytesOf(text) >= bytesOf(least), says(`is less than ${least}`))
    .refine(text => bytesOf(text) <= bytesOf(most), says(`is more than ${most}`))
    .transform(bytesOf)
    .meta({ kind: 'size' })
}

/** `{ env: NAME }`, `{ file: PATH }` or a literal string: a Secret when loaded. */
export const secret = (read: ConfigReader) =>
  z
    .union([z.strictObject({ env: text() }), z.strictObject({ file: text() }), text()], {
      error: says('invalid secret', '{ env: NAME }, { file: PATH } or a string'),
    })
    .transform((value, context) => {
      const from = () => {
        if (typeof value === 'string') return value
        return 'env' in value ? read.env(value.env) : secretIn(read.file(value.file))
      }
      return attempt(context, () => read.secret(from()))
    })
    .meta({ kind: 'secret' })

/** Editors add a trailing line break: it is not part of the secret. */
function secretIn({ path, text }: FileText): string {
  const value = text.replace(/\r?\n$/, '')
  if (value === '') throw new Unreadable(`the file ${path} is empty`)
  return value
}

function pictureOf({ path, bytes }: { path: string; bytes: Buffer }, most: number): Picture {
  if (bytes.length > most) {
    const kilobytes = `${Math.ceil(bytes.length / 1024)} kB large; at most ${most / 1024} kB is allowed`
    throw new Unreadable(
      says(`the picture ${path} is ${kilobytes}`, 'pages contain it: make it smaller, or use an SVG'),
    )
  }
  const type = pictureType(bytes)
  if ('problem' in type) throw new Unreadable(says(`the file ${path} ${type.problem}`, type.hint))
  return { path, uri: `data:${type.media};base64,${bytes.toString('base64')}` }
}

/** A path, relative to the configuration's folder: path and text when loaded. */
export const file = (read: ConfigReader) =>
  text()
    .transform((path, context) => attempt(context, () => read.file(path)))
    .meta({ kind: 'file' })

/** A file whose text must stay secret: printing and serialising the settings leaves it out. */
export const keyFile = (read: ConfigReader) =>
  text()
    .transform((path, context) => attempt(context, () => hidden(read.file(path))))
    .meta({ kind: 'key file' })

function hidden({ path, text }: FileText): FileText {
  // Attack: %o in a log line shows hidden properties too, but calls no getter.
  return Object.defineProperty({ path }, 'text', { get: () => text, enumerable: false }) as FileText
}

/** A PNG, JPEG, GIF, WebP, ICO or SVG file of at most `most` bytes: a Picture when loaded. */
export const picture = (read: ConfigReader, most: number) =>
  text()
    .transform((path, context) => attempt(context, () => pictureOf(read.bytes(path), most)))
    .meta({ kind: 'file' })

/** The files of a folder with one of these endings: their texts when loaded, in order. */
export const folder = (read: ConfigReader, endings: readonly string[]) =>
  text()
    .transform((path, context): { path: string; files: FileText[] } =>
      attempt(context, () => {
        const names = read.names(path).filter(name => endings.some(ending => name.endsWith(ending)))
        if (names.length > mostFiles) throw new Unreadable(`the folder ${path} holds more than ${mostFiles} files`)
        return { path: read.path(path), files: names.map(name => read.file(`${path}/${name}`)) }
      }),
    )
    .meta({ kind: 'folder' })

const mostFiles = 100

/** An absolute http or https URL, as written. */
export const url = () => z.url({ protocol: /^https?$/, error: says('invalid http or https URL') })

/** The origin of an http or https URL without path, query or user. */
export const origin = (example: string) => {
  const wrong = says('invalid origin', `scheme, host and port only, such as ${example}`)
  return z
    .url({ protocol: /^https?$/, error: wrong, abort: true })
    .refine(isOrigin, wrong)
    .transform(value => new URL(value).origin)
}

function isOrigin(value: string): boolean {
  const { username, password, pathname } = new URL(value)
  return username === '' && password === '' && pathname === '/' && !/[?#\s]/.test(value)
}

/** A URL to fetch later, or a file that is read now. */
export const urlOrFile = (read: ConfigReader) =>
  text()
    .transform((value, context): { url: string } | FileText => {
      if (!/^[a-z]+:\/\//i.test(value)) return attempt(context, () => read.file(value))
      return attempt(context, () => {
        if (!/^https?:\/\//.test(value) || !URL.canParse(value)) throw new Unreadable('invalid http or https URL')
        return { url: value }
      })
    })
    .meta({ kind: 'file' })

/** host:port or unix:/path. */
export const address = () => {
  const wrong = says('invalid address', 'host:port or unix:/path')
  const shape = /^(unix:\/.+|\[[0-9a-fA-F:.]+\]:\d{1,5}|[^:[\]\s/]+:\d{1,5})$/
  return z
    .string(wrong)
    .regex(shape, { error: wrong, abort: true })
    .refine(
      value => value.startsWith('unix:') || Number(value.slice(value.lastIndexOf(':') + 1)) <= 65_535,
      says('has a port above 65535'),
    )
}

/** The name of an HTTP header (RFC 9110 5.1). */
export const headerName = () => {
  const wrong = says('invalid header name', 'letters, digits and hyphens, such as X-Agent-Email')
  return z.string(wrong).regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/, wrong)
}

/** The name of a cookie (RFC 9110 5.6.2). */
export const cookieName = () => {
  const wrong = says('invalid cookie name', 'letters, digits, _ and -, such as _desk_session')
  return z.string(wrong).regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/, wrong)
}

/** `{ ca, cert, key, serverName }`, for a connection that this process opens. */
export const clientTls = (read: ConfigReader) =>
  z.strictObject({
    ca: file(read).optional().meta({ description: "PEM file of the authorities to trust instead of the system's." }),
    cert: file(read).optional().meta({ description: 'PEM file of our client certificate.' }),
    key: keyFile(read).optional().meta({ description: 'PEM file of its key.' }),
    serverName: text()
      .optional()
      .meta({ description: "The name that the server's certificate must hold; default: the host." }),
  })

function attempt<T>(context: z.core.$RefinementCtx, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    context.issues.push({ code: 'custom', message: error.message, input: context.value })
    return z.NEVER
  }
}
