// SAML providers: complete, with different issuers, and with the keys that their options need.

import type { DeepPartial } from '../partial-config.js'
import type { Path } from '../problems.js'
import type { SamlSettings } from '../schema/providers.js'
import type { Rules } from './rule.js'

export function samlRules(rules: Rules): void {
  const issuers = new Map<string, number>()
  for (const [index, provider] of (rules.config.providers ?? []).entries()) {
    if (provider?.type !== 'saml') continue
    const path = ['providers', index]
    complete(rules, path)
    keyAndCertificate(rules, path, provider)
    fingerprints(rules, path, provider)
    logout(rules, path, provider)
    const { issuer, allowSha1 } = provider
    if (allowSha1)
      rules.warning(
        [...path, 'allowSha1'],
        'is set: SHA-1 signatures can be forged',
        'choose SHA-256 at the identity provider',
      )
    sameMetadata(rules, index, provider)
    if (issuer === undefined) continue
    const before = issuers.get(issuer)
    if (before === undefined) issuers.set(issuer, index)
    else
      rules.problem([...path, 'issuer'], `same issuer as providers[${before}]`, 'use one entry per identity provider')
  }
}

/** A metadata URL may repeat only if each entry names its issuer. */
function sameMetadata(
  { config, problem }: Rules,
  index: number,
  { metadata, issuer }: DeepPartial<SamlSettings>,
): void {
  const url = urlOf(metadata)
  if (url === undefined) return
  const before = (config.providers ?? []).slice(0, index).findIndex(other => {
    if (other?.type !== 'saml' || urlOf(other.metadata) !== url) return false
    return issuer === undefined || other.issuer === undefined
  })
  if (before < 0) return
  const hint = 'use one entry per identity provider; set issuer if the metadata has several'
  problem(['providers', index, 'metadata'], `same metadata as providers[${before}]`, hint)
}

function urlOf(metadata: DeepPartial<SamlSettings>['metadata']): string | undefined {
  return metadata && 'url' in metadata ? metadata.url : undefined
}

function complete({ written, problem, warning }: Rules, path: Path): void {
  const has = (key: string) => {
    const value = written([...path, key])
    return value !== undefined && !(Array.isArray(value) && value.length === 0)
  }
  const manual = ['issuer', 'loginUrl', 'certificates']
  if (has('metadata')) {
    // The issuer selects one of several providers in the metadata.
    const idle = manual.filter(key => key !== 'issuer' && has(key))
    for (const key of idle) warning([...path, key], 'has no effect: metadata is set')
    // An operator who sets them expects that no other key of the metadata is trusted.
    const pinned = [...path, 'certificateFingerprints']
    if (has('certificateFingerprints'))
      problem(pinned, 'cannot be combined with metadata', 'the certificates come from the metadata')
    return
  }
  if (has('metadataCertificate')) {
    problem([...path, 'metadataCertificate'], 'has no effect without metadata')
  }
  const lacking = manual.filter(key => !has(key) && !(key === 'certificates' && has('certificateFingerprints')))
  if (lacking.length === 0) return
  if (lacking.length === manual.length) {
    problem([...path, 'metadata'], 'is missing', 'set metadata, or issuer, loginUrl and certificates')
  } else {
    for (const key of lacking) problem([...path, key], 'is missing', 'required without metadata')
  }
}

type Saml = DeepPartial<SamlSettings>

function keyAndCertificate({ problem }: Rules, path: Path, provider: Saml): void {
  const { signRequests, wantAssertionsEncrypted, key, certificate } = provider
  const needsKey = signRequests ? 'signRequests' : wantAssertionsEncrypted ? 'wantAssertionsEncrypted' : 'certificate'
  const wanted = signRequests || wantAssertionsEncrypted || certificate !== undefined
  if (wanted && key === undefined) problem([...path, 'key'], 'is missing', `${needsKey} needs it`)
  if ((provider.otherKeys ?? []).length > 0 && (key === undefined || certificate === undefined)) {
    problem([...path, 'otherKeys'], 'needs key and certificate', 'key is the one that signs')
  }
  if (signRequests && certificate === undefined) {
    problem([...path, 'certificate'], 'is missing', 'signRequests needs it')
  }
}

/** As administration pages and openssl show them: hex, in either case, with or without colons and spaces. */
function fingerprints({ problem, warning }: Rules, path: Path, provider: Saml): void {
  for (const [index, written] of (provider.certificateFingerprints ?? []).entries()) {
    if (written === undefined) continue
    const place = [...path, 'certificateFingerprints', index]
    const digits = plainFingerprint(written)
    if (digits === undefined) {
      problem(place, 'invalid fingerprint', 'SHA-256 in 64 hex digits, or SHA-1 in 40; colons and spaces do not matter')
    } else if (digits.length === 40) {
      warning(place, 'SHA-1 is weak', 'openssl x509 -noout -fingerprint -sha256 -in idp.crt')
    }
  }
}

/** The hex digits in lower case; undefined when it is neither SHA-1 nor SHA-256. */
export function plainFingerprint(written: string): string | undefined {
  const digits = written.replace(/[:\s]/g, '').toLowerCase()
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(digits) ? digits : undefined
}

function logout({ warning }: Rules, path: Path, { sloUrl, key, certificate }: Saml): void {
  if (sloUrl === undefined || (key !== undefined && certificate !== undefined)) return
  const hint = 'most identity providers refuse logout requests that are not signed'
  warning([...path, 'sloUrl'], 'set without key and certificate', hint)
}
