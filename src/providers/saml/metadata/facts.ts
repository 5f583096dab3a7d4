// What metadata texts say, each parsed once: a text that comes again costs its hash. While requests are served a thread
// parses a long one, such as that of a federation.

import { hash, X509Certificate } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { runInThread, ThreadFailed, threadEntry } from '../../../runtime/thread.js'
import { MetadataError, signedMetadata } from './document.js'
import { type IdpFacts, readIdpMetadata } from './reader.js'

/** Which metadata is meant, and who must have signed it (none: nobody need have). */
export interface MetadataWanted {
  issuer?: string | undefined
  signers?: readonly X509Certificate[]
}

/** The input and the result of a thread; certificates are in DER. */
export interface MetadataTask {
  text: string
  issuer: string | undefined
  signers: Uint8Array[]
}
export type MetadataSent = { problem: string } | (Omit<IdpFacts, 'certificates'> & { certificates: Uint8Array[] })

/** Characters. One identity provider takes a few milliseconds, signed or not; a federation seconds. */
const longText = 64 * 1024
const limits = { ms: 60_000, megabytes: 1024 }

const entry = threadEntry('facts-thread', import.meta.url)
const parsed = new LRUCache<string, IdpFacts | MetadataError>({ max: 64 })

/** What is in the text, once its signature is verified where one is wanted. `now` in milliseconds. Throws MetadataError. */
export function readMetadata(text: string, wanted: MetadataWanted & { now: number }): IdpFacts {
  const key = keyOf(text, wanted)
  const facts = parsed.get(key) ?? parse(text, wanted)
  parsed.set(key, facts)
  if (facts instanceof MetadataError) throw facts
  if (facts.validUntil !== undefined && facts.validUntil <= wanted.now) {
    throw new MetadataError('the metadata has expired')
  }
  return facts
}

/** Has a long text parsed, so that readMetadata then holds up no request. Never rejects. */
export async function parseAhead(text: string, wanted: MetadataWanted): Promise<void> {
  const key = keyOf(text, wanted)
  if (text.length <= longText || parsed.has(key)) return
  const { issuer, signers = [] } = wanted
  const task: MetadataTask = { text, issuer, signers: signers.map(({ raw }) => raw) }
  try {
    const sent = (await runInThread(entry, task, limits)) as MetadataSent
    parsed.set(key, 'problem' in sent ? new MetadataError(sent.problem) : received(sent))
  } catch (error) {
    if (!(error instanceof ThreadFailed)) throw error
    // One that takes too much would do so again, here.
    if (error.tooCostly) parsed.set(key, new MetadataError(`reading the metadata ${error.message}`))
  }
}

function received({ certificates, ...facts }: Exclude<MetadataSent, { problem: string }>): IdpFacts {
  return { ...facts, certificates: certificates.map(raw => new X509Certificate(raw)) }
}

/** Whether or not it has expired. */
export function parse(text: string, { issuer, signers = [] }: MetadataWanted): IdpFacts | MetadataError {
  try {
    const whole = signers.length === 0 ? text : signedMetadata(text, signers)
    return readIdpMetadata(whole, { issuer, now: Number.NEGATIVE_INFINITY })
  } catch (error) {
    if (error instanceof MetadataError) return error
    throw error
  }
}

function keyOf(text: string, { issuer = '', signers = [] }: MetadataWanted): string {
  return JSON.stringify([issuer, ...signers.map(({ fingerprint256 }) => fingerprint256), hash('sha256', text)])
}
