// What runs in a thread: parses the metadata of one provider.

import { X509Certificate } from 'node:crypto'
import { workBehindRequests } from '../../../runtime/thread-priority.js'
import { MetadataError } from './document.js'
import { type MetadataSent, type MetadataTask, parse } from './facts.js'

workBehindRequests()

export function run({ text, issuer, signers }: MetadataTask): MetadataSent {
  const facts = parse(text, { issuer, signers: signers.map(raw => new X509Certificate(raw)) })
  if (facts instanceof MetadataError) return { problem: facts.message }
  return { ...facts, certificates: facts.certificates.map(({ raw }) => raw) }
}
