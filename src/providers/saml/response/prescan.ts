// Reads a posted SAMLResponse before any XML library does: bytes, size, structure, and where assertions and signatures
// stand. The result is untrusted: it may refuse a login and select its provider, it never grants access.

import { isUtf8 } from 'node:buffer'
import type { CallbackRequest } from '../../../core/providers.js'
import { MalformedXml, readXml, type XmlLimits } from '../../xml/reader.js'
import { protocol } from '../namespaces.js'
import { createSummaryReader, LogoutRoot, type ResponseSummary } from './summary.js'

export type { ResponseSummary } from './summary.js'

/**
 * A message that may be processed, or why not (a sentence of ours, without anything from the message). `logout`: it is a
 * logout message, which is not for the code that reads responses.
 */
export type Prescan = { xml: string; summary: ResponseSummary } | { malformed: string; logout?: true }

/** The default of the most bytes, decoded. */
const largest = 256 * 1024

/**
 * For 256 kB. Two thousand groups, each a value of an attribute of its own, make 4,000 elements; the libraries' time grows
 * with the square of the elements. Comments split text and cost seconds by the thousand.
 */
export const responseLimits: XmlLimits = {
  elements: 4500,
  attributes: 16_000,
  attributesPerElement: 24,
  depth: 24,
  comments: 32,
  references: 8192,
  sections: 64,
  kind: 'message',
}

const prescans = new WeakMap<CallbackRequest, Prescan>()

/** The prescan of a callback's message. It is made once for all callers: it is the most expensive work on the event loop. */
export function prescanOf(callback: CallbackRequest): Prescan {
  const known = prescans.get(callback)
  if (known) return known
  const prescan = prescanResponse(callback.message, callback.maxBytes)
  prescans.set(callback, prescan)
  return prescan
}

/** A larger message may hold as much more of what groups are made of. `most`: bytes (limits.callback). */
export function limitsFor(most = largest): XmlLimits {
  const more = Math.max(1, most / largest)
  const { elements, attributes, references } = responseLimits
  return {
    ...responseLimits,
    elements: Math.floor(elements * more),
    attributes: Math.floor(attributes * more),
    references: Math.floor(references * more),
  }
}

/** Reads the base64 form field, of at most `most` bytes decoded. Linear in its length; never throws. */
export function prescanResponse(message: unknown, most = largest): Prescan {
  const bytes = decodeBase64(message, most)
  if (!bytes) return { malformed: `not base64, empty, or over ${most / 1024} kB` }
  const xml = decodeUtf8(bytes)
  if (xml === undefined) return { malformed: 'not UTF-8' }
  return prescanXml(xml, { bytes: bytes.length, most })
}

/**
 * Reads a decrypted assertion, with the limits of the message that held it: of at most `most` bytes. The XML that it returns is a Response of ours
 * around it, whose prefix no identity provider uses: namespaces of the message around it do not reach into it.
 */
export function prescanDecrypted(assertion: string, most = largest): Prescan {
  const xml = `<deskgate:Response xmlns:deskgate="${protocol}">${assertion}</deskgate:Response>`
  return prescanXml(xml, { bytes: Buffer.byteLength(assertion), most })
}

function prescanXml(xml: string, { bytes, most }: { bytes: number; most: number }): Prescan {
  try {
    const reader = createSummaryReader(xml)
    const { steps } = readXml(xml, limitsFor(most), reader.events)
    return { xml, summary: { ...reader.summary(), bytes, steps } }
  } catch (error) {
    if (error instanceof LogoutRoot) return { malformed: error.message, logout: true }
    if (error instanceof MalformedXml) return { malformed: error.message }
    throw error
  }
}

/** The Response's InResponseTo, else its assertion's. Untrusted. */
export function inResponseToIn(summary: ResponseSummary): string | undefined {
  return summary.inResponseTo ?? summary.confirmationInResponseTo[0]
}

/** The Response's Issuer, else its assertion's. Untrusted. */
export function issuerIn(summary: ResponseSummary): string | undefined {
  return summary.responseIssuers[0] ?? summary.assertionIssuers[0]
}

/**
 * Strict base64 (RFC 4648 4), but for white space, with which some providers fold and indent it (RFC 2045 6.8).
 * Attack: a lenient decoder skips what it does not know, so that two decoders see two messages.
 */
export function decodeBase64(message: unknown, most = largest): Buffer | undefined {
  if (typeof message !== 'string' || message.length > most * 2 + longestMargin) return undefined
  const text = message.replace(/[\t\n\r ]+/g, '')
  if (text.length === 0 || text.length % 4 !== 0) return undefined
  // Lines of 64 characters that are indented by 30 are half as long again.
  if (message.length - text.length > text.length / 2 + longestMargin) return undefined
  const bytes = Buffer.from(text, 'base64')
  if (bytes.length > most || bytes.toString('base64') !== text) return undefined
  return bytes
}

/** White space around a message, in characters. */
const longestMargin = 1024

/** A byte order mark stays in the text, where the reader refuses it. */
export function decodeUtf8(bytes: Buffer): string | undefined {
  return isUtf8(bytes) ? bytes.toString('utf8') : undefined
}
