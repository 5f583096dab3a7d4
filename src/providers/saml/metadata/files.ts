// Metadata in files, looked at before it is used: a file is there to be read, so that what is wrong with it is a mistake in
// the configuration, as with a certificate. Metadata behind a URL is not known yet, and no matter of this file.

import type { X509Certificate } from 'node:crypto'
import type { Finding, Path } from '../../../config/problems.js'
import { certificateDates } from '../../../config/rules/pem.js'
import type { ProviderSettings, SamlSettings } from '../../../config/schema/providers.js'
import { plainHex, signingCertificateIn } from '../../certificates.js'
import { MetadataError } from './document.js'
import { type MetadataWanted, parseAhead, readMetadata } from './facts.js'
import type { IdpFacts } from './reader.js'

export interface MetadataFindings {
  /** What no gateway may start with. */
  problems: Finding[]
  /** Files that cannot be used: nobody can log in by them, but other providers start all the same. */
  unusable: Finding[]
  /** Metadata or certificates that have expired or soon will: the other providers start all the same. */
  warnings: Finding[]
}

/** What tells one provider from another. */
interface ProviderIdentifiers {
  index: number
  path: Path
  issuer: string | undefined
  keys: string[]
}

/** What is wrong with the metadata in files, and what of it another provider has too. `now` in milliseconds. */
export function metadataFindings(providers: readonly ProviderSettings[], now: number): MetadataFindings {
  const found: MetadataFindings = { problems: [], unusable: [], warnings: [] }
  const before: ProviderIdentifiers[] = []
  for (const [index, provider] of providers.entries()) {
    if (provider.type !== 'saml') continue
    const { metadata } = provider
    if (metadata === undefined) {
      before.push(fromSettings(provider, index))
    } else if ('text' in metadata) {
      const path = ['providers', index, 'metadata']
      const facts = read(provider, metadata.text, { now, path, found })
      if (facts) before.push({ index, path, issuer: facts.entityId, keys: facts.certificates.flatMap(namesOf) })
    }
  }
  for (const [at, one] of before.entries()) compare(one, before.slice(0, at), found)
  return found
}

function fromSettings(
  { issuer, certificates, certificateFingerprints }: SamlSettings,
  index: number,
): ProviderIdentifiers {
  const keys = certificates.flatMap(({ text }) => namesOf(signingCertificateIn(text)))
  return { index, path: ['providers', index], issuer, keys: [...keys, ...certificateFingerprints.map(plainHex)] }
}

/** By what a trusted certificate may be named: its key, and its fingerprints. */
function namesOf({ publicKey, fingerprint, fingerprint256 }: X509Certificate): string[] {
  const key = publicKey.export({ format: 'der', type: 'spki' }).toString('base64')
  return [key, plainHex(fingerprint), plainHex(fingerprint256)]
}

/** Has long files parsed, so that metadataFindings then holds up no request. */
export async function parseFilesAhead(providers: readonly ProviderSettings[]): Promise<void> {
  for (const provider of providers) {
    if (provider.type !== 'saml' || !provider.metadata || !('text' in provider.metadata)) continue
    await parseAhead(provider.metadata.text, wanted(provider))
  }
}

function wanted({ issuer, metadataCertificate }: SamlSettings): MetadataWanted {
  return { issuer, signers: metadataCertificate ? [signingCertificateIn(metadataCertificate.text)] : [] }
}

function read(
  provider: SamlSettings,
  text: string,
  { now, path, found }: { now: number; path: Path; found: MetadataFindings },
): IdpFacts | undefined {
  try {
    // As of long ago nothing has expired.
    const facts = readMetadata(text, { ...wanted(provider), now: Number.NEGATIVE_INFINITY })
    if (facts.validUntil !== undefined && facts.validUntil <= now) {
      const message = `expired on ${new Date(facts.validUntil).toISOString()}: nobody can log in with this provider`
      found.warnings.push({ path, message, hint: 'get new metadata from the identity provider' })
    }
    for (const warning of facts.warnings ?? []) {
      found.warnings.push({
        path,
        message: warning,
        hint: 'the other certificates are used; ask the provider for new metadata',
      })
    }
    for (const certificate of facts.certificates) {
      const dates = certificateDates(certificate, now)
      if (dates !== undefined)
        found.warnings.push({
          path,
          message: `contains a signing certificate that ${dates}`,
          hint: 'get new metadata from the identity provider',
        })
    }
    return facts
  } catch (error) {
    if (!(error instanceof MetadataError)) throw error
    found.unusable.push({ path, message: `cannot be used: ${error.message}` })
    return undefined
  }
}

// Attack: anyone who holds a key that two providers trust can speak for the people of both.
function compare(
  one: ProviderIdentifiers,
  others: readonly ProviderIdentifiers[],
  { problems }: MetadataFindings,
): void {
  const { path } = one
  const issuer = others.find(other => other.issuer === one.issuer)
  if (issuer) {
    const hint = 'use one entry per identity provider'
    problems.push({ path, message: `same issuer as providers[${issuer.index}]`, hint })
  }
  const key = others.find(other => other.keys.some(name => one.keys.includes(name)))
  if (key) {
    const message = `has a key of providers[${key.index}]`
    problems.push({ path, message, hint: 'use a separate one for each provider' })
  }
}
