// The small values that settings are made of: durations, sizes, secrets, files, URLs, paths. Nothing here opens a file:
// that is the Reader's part, so that the same schema validates, documents itself and loads.

import * as z from 'zod'
import type { Secret } from '../../core/secret.js'

/** A file that a setting names, as it was when the configuration was loaded. */
export interface FileText {
  path: string
  text: string
}

/** Says why a value cannot be had: the sentence becomes a problem at that place. */
export class Unreadable extends Error {
  override name = 'Unreadable'
}

/** How the loader resolves what is outside the YAML. Each throws Unreadable. */
export interface Reader {
  /** The variable's value. */
  env(name: string): string
  /** The file's text, its path taken from the configuration's folder; one trailing line break is dropped from a secret. */
  file(path: string): FileText
  /** Wraps the value so that it masks itself. */
  secret(value: string): Secret
}

const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const bytes = { b: 1, kb: 1024, mb: 1024 * 1024 } as const

/** `500ms`, `30s`, `5m`, `8h`, `7d`: milliseconds when loaded. */
export const duration = () =>
  z
    .string()
    .regex(/^\d{1,9}(ms|s|m|h|d)$/, 'a duration such as 500ms, 30s, 5m, 8h or 7d')
    .transform(text => Number.parseInt(text, 10) * units[text.replace(/^\d+/, '') as keyof typeof units])

/** `256kb`, `10mb`: bytes when loaded. */
export const size = () =>
  z
    .string()
    .regex(/^\d{1,9}(b|kb|mb)$/, 'a size such as 256kb or 10mb')
    .transform(text => Number.parseInt(text, 10) * bytes[text.replace(/^\d+/, '') as keyof typeof bytes])

/** `{ env: NAME }`, `{ file: PATH }` or a literal string: a Secret when loaded. */
export const secret = (read: Reader) =>
  z
    .union([z.strictObject({ env: z.string().min(1) }), z.strictObject({ file: z.string().min(1) }), z.string().min(1)])
    .transform((value, context) => {
      const from = () => {
        if (typeof value === 'string') return value
        return 'env' in value ? read.env(value.env) : read.file(value.file).text.replace(/\r?\n$/, '')
      }
      return attempt(context, () => read.secret(from()))
    })
    .meta({ secret: true })

/** A path, taken from the configuration's folder: path and text when loaded. */
export const file = (read: Reader) =>
  z
    .string()
    .min(1)
    .transform((path, context) => attempt(context, () => read.file(path)))

/** An absolute http or https URL, as written. */
export const url = () => z.url({ protocol: /^https?$/, error: 'an http:// or https:// URL' })

/** A URL to fetch later, or a file that is read now. */
export const urlOrFile = (read: Reader) =>
  z
    .string()
    .min(1)
    .transform((value, context): { url: string } | FileText => {
      if (/^https?:\/\//.test(value)) return { url: value }
      return attempt(context, () => read.file(value))
    })

/** The name of an HTTP header (RFC 9110 5.1). */
export const headerName = () => z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'the name of an HTTP header')

/** `{ ca, cert, key, serverName }`, for a connection that this process opens. */
export const clientTls = (read: Reader) =>
  z.strictObject({
    ca: file(read).optional().meta({ description: "PEM file of the authorities to trust instead of the system's." }),
    cert: file(read).optional().meta({ description: 'PEM file of our client certificate.' }),
    key: file(read).optional().meta({ description: 'PEM file of its key.' }),
    serverName: z.string().optional().meta({ description: "The name that the server's certificate must hold." }),
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
