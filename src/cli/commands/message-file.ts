// A SAML response or a token in a file, in whatever form somebody saved it: the XML, the base64, the compact form, or the
// whole form as the browser posted it. Byte for byte: what is odd in the message must still be odd when it is checked.

import { readFile } from 'node:fs/promises'

export interface MessageFile {
  /** As the field of the form holds it. */
  message: string
  bytes: number
  /** A SAML response's own IssueInstant, as written; untrusted. */
  issued: string | undefined
}

/** Throws when the file cannot be read. */
export async function readMessageFile(file: string, kind: 'saml' | 'jwt'): Promise<MessageFile> {
  const bytes = await readFile(file)
  const message = messageIn(bytes, kind)
  const xml = kind === 'saml' ? Buffer.from(message, 'base64').toString('utf8') : ''
  return { message, bytes: bytes.length, issued: /\bIssueInstant=["']([^"']{1,40})["']/.exec(xml)?.[1] }
}

function messageIn(bytes: Buffer, kind: 'saml' | 'jwt'): string {
  const text = bytes.toString('utf8')
  const trimmed = text.trim()
  // A byte order mark is part of the message: trim() takes it for white space.
  if (kind === 'saml' && trimmed.startsWith('<')) return bytes.toString('base64')
  const form = new URLSearchParams(trimmed)
  const field = kind === 'saml' ? form.get('SAMLResponse') : (form.get('jwt') ?? form.get('token'))
  return field || trimmed
}
