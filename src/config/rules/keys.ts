// Secrets, certificates and keys: present where needed, long enough, fit for their use and for each other, and no two providers
// share one. Never shows one.

import type { X509Certificate } from 'node:crypto'
import { isChain, leafOf } from '../../core/certificate-chain.js'
import type { Secret } from '../../core/secret.js'
import { dotted, type Path } from '../problems.js'
import type { FileText } from '../schema/values.js'
import {
  certificateDates,
  certificatesIn,
  fingerprintOf,
  idpCertificatesIn,
  type PemResult,
  privateKeyIn,
  publicKeysIn,
} from './pem.js'
import type { Rules } from './rule.js'
import { plainFingerprint } from './saml.js'

export function keyRules(rules: Rules): void {
  const { config } = rules
  pair(rules, ['tls', 'cert'], config.tls?.cert, ['tls', 'key'], config.tls?.key)
  client(rules, ['desk', 'tls'], config.desk?.tls)
  client(rules, ['sessions', 'store', 'tls'], config.sessions?.store?.tls)
  for (const [index, file] of (config.identity?.assertion?.keys ?? []).entries()) {
    if (file) signingKey(rules, ['identity', 'assertion', 'keys', index], file)
  }
  providerKeys(rules)
}

type ClientTls = { ca?: FileText | undefined; cert?: FileText | undefined; key?: FileText | undefined }

function client(rules: Rules, path: Path, tls: ClientTls | undefined): void {
  if (!tls) return
  if (tls.ca) read(rules, [...path, 'ca'], certificatesIn(tls.ca))
  const [cert, key] = [rules.written([...path, 'cert']), rules.written([...path, 'key'])]
  if ((cert === undefined) !== (key === undefined)) {
    rules.problem([...path, cert === undefined ? 'cert' : 'key'], 'is missing', 'set both cert and key')
  }
  pair(rules, [...path, 'cert'], tls.cert, [...path, 'key'], tls.key)
}

function pair(rules: Rules, certAt: Path, cert: FileText | undefined, keyAt: Path, key: FileText | undefined): void {
  const certificates = cert && read(rules, certAt, certificatesIn(cert))
  const privateKey = key && read(rules, keyAt, privateKeyIn(key.text))
  const leaf = certificates?.[0]
  if (!leaf) return
  inTime(rules, certAt, leaf)
  if (privateKey && !leaf.checkPrivateKey(privateKey)) {
    rules.problem(keyAt, `does not belong to ${dotted(certAt)}`, 'the leaf certificate comes first in its file')
  }
}

function inTime({ now, warning }: Rules, path: Path, certificate: X509Certificate, hint?: string): void {
  const dates = certificateDates(certificate, now)
  if (dates !== undefined) warning(path, dates, hint)
}

function signingKey(rules: Rules, path: Path, file: FileText): void {
  const key = read(rules, path, privateKeyIn(file.text))
  if (!key || (key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1')) return
  rules.problem(path, 'not a P-256 key; assertions are signed with ES256', 'deskgate keys generate')
}

// Attack: anyone who has a key that two providers trust can log in as the people of both.
function providerKeys(rules: Rules): void {
  const owners = new Map<string, { index: number; path: Path }>()
  const claim = (index: number, path: Path, name: string) => {
    const owner = owners.get(name)
    if (!owner) owners.set(name, { index, path })
    else if (owner.index !== index) {
      rules.problem(path, `same key as ${dotted(owner.path)}`, 'use a separate one for each provider')
    }
  }
  for (const [index, provider] of (rules.config.providers ?? []).entries()) {
    const path = ['providers', index]
    if (provider?.type === 'saml') {
      pair(rules, [...path, 'certificate'], provider.certificate, [...path, 'key'], provider.key)
      // It signs only metadata, and a federation signs that of many providers with one.
      if (provider.metadataCertificate)
        idpCertificate(rules, [...path, 'metadataCertificate'], provider.metadataCertificate)
      if (provider.key) ownKey(rules, [...path, 'key'], provider.key)
      for (const [at, other] of (provider.otherKeys ?? []).entries()) {
        const place = [...path, 'otherKeys', at]
        pair(rules, [...place, 'certificate'], other?.certificate, [...place, 'key'], other?.key)
        if (other?.key) ownKey(rules, [...place, 'key'], other.key)
      }
      for (const [at, file] of (provider.certificates ?? []).entries()) {
        const place = [...path, 'certificates', at]
        const leaf = file && idpCertificate(rules, place, file)
        if (!leaf) continue
        claim(index, place, fingerprintOf(leaf.publicKey))
        for (const one of [leaf.fingerprint, leaf.fingerprint256]) {
          claim(index, place, `certificate ${plainFingerprint(one)}`)
        }
      }
      for (const [at, written] of (provider.certificateFingerprints ?? []).entries()) {
        const digits = written === undefined ? undefined : plainFingerprint(written)
        if (digits) claim(index, [...path, 'certificateFingerprints', at], `certificate ${digits}`)
      }
    }
    const revocationKeys = provider?.revocation?.jwks
    if (revocationKeys && 'text' in revocationKeys)
      read(rules, [...path, 'revocation', 'jwks'], publicKeysIn(revocationKeys.text))
    if (provider?.type !== 'jwt' || !provider.jwks) continue
    const place = [...path, 'jwks']
    if (!('text' in provider.jwks)) claim(index, place, provider.jwks.url ?? '')
    else
      for (const key of read(rules, place, publicKeysIn(provider.jwks.text)) ?? [])
        claim(index, place, fingerprintOf(key))
  }
}

/** The one that may sign: several in a file are one key with its chain. */
function idpCertificate(rules: Rules, path: Path, file: FileText): X509Certificate | undefined {
  const found = read(rules, path, idpCertificatesIn(file)) ?? []
  const leaf = leafOf(found)
  if (!leaf) return undefined
  if (!isChain(found)) {
    const message = `contains ${found.length} certificates that do not form a chain: only the one of ${leaf.subject} is trusted`
    rules.warning(path, message.replaceAll('\n', ', '), 'put each certificate into its own file')
  }
  const hint = path.includes('certificates')
    ? 'add the next one beside it, and remove this one after the change'
    : undefined
  inTime(rules, path, leaf, hint)
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = leaf.publicKey
  if (type === 'rsa' || (type === 'ec' && ['prime256v1', 'secp384r1'].includes(details?.namedCurve ?? ''))) return leaf
  rules.problem(
    path,
    'contains a key that is neither RSA nor P-256 nor P-384',
    'other SAML signatures are not supported',
  )
  return leaf
}

/** RSA signs requests and unwraps the keys of assertions. An unreadable key is reported with its certificate. */
function ownKey(rules: Rules, path: Path, file: FileText): void {
  const found = privateKeyIn(file.text)
  if (!('value' in found)) return
  const { asymmetricKeyType, asymmetricKeyDetails } = found.value
  if (asymmetricKeyType === 'rsa' && (asymmetricKeyDetails?.modulusLength ?? 0) >= 2048) return
  rules.problem(path, 'not an RSA key of at least 2048 bits', 'openssl req -x509 -newkey rsa:3072 -nodes')
}

function read<T>(rules: Rules, path: Path, found: PemResult<T>): T | undefined {
  if ('value' in found) return found.value
  rules.problem(path, found.problem, found.hint)
  return undefined
}

/** RFC 7518 3.2: an HMAC-SHA256 key has at least the size of the hash. */
const least = 32

interface Placed {
  path: Path
  secret: Secret
  /** Secrets of one group may repeat: that is useless, but harmless. */
  group: string
}

export function secretRules(rules: Rules): void {
  const placed = placedSecrets(rules)
  for (const { path, secret } of placed) {
    tooShort(rules, path, secret)
    oddEdges(rules, path, secret)
  }
  repeated(rules, placed)
  ringNeeded(rules)
}

function placedSecrets({ config }: Rules): Placed[] {
  const placed: Placed[] = []
  const add = (path: Path, secret: Secret | undefined, group: string) => {
    if (secret !== undefined) placed.push({ path, secret, group })
  }
  for (const [index, secret] of (config.secrets ?? []).entries()) add(['secrets', index], secret, 'secrets')
  for (const [index, provider] of (config.providers ?? []).entries()) {
    if (provider?.type !== 'jwt') continue
    const group = `providers[${index}]`
    for (const [at, secret] of (provider.secrets ?? []).entries()) {
      add(['providers', index, 'secrets', at], secret, group)
    }
  }
  add(['ops', 'adminToken'], config.ops?.adminToken, 'ops')
  return placed
}

function tooShort({ written, problem, warning }: Rules, path: Path, secret: Secret): void {
  const bytes = Buffer.byteLength(secret.reveal())
  if (bytes >= least) return
  // A token from a file or a variable may come from another system with its own rules.
  const issued = path[0] === 'ops' && typeof written(path) !== 'string'
  const say = issued ? warning : problem
  say(path, `has ${bytes} bytes: at least ${least} are needed`, 'openssl rand -base64 32')
}

function oddEdges({ warning }: Rules, path: Path, secret: Secret): void {
  const value = secret.reveal()
  if (value !== value.trim()) warning(path, 'begins or ends with white space', 'the white space is part of the secret')
  if (value.length >= least && new Set(value).size < 8) {
    warning(path, 'too little variety to be random', 'generate one with `openssl rand -base64 48`')
  }
}

// Attack: a provider that knows another's secret can log in as its agents; with the key ring's it can make sessions.
function repeated({ problem, warning }: Rules, placed: Placed[]): void {
  const first = new Map<string, Placed>()
  for (const { path, secret, group } of placed) {
    const before = first.get(secret.reveal())
    if (!before) first.set(secret.reveal(), { path, secret, group })
    else if (before.group === group) warning(path, `same secret as ${dotted(before.path)}`)
    else problem(path, `same secret as ${dotted(before.path)}`, 'use a separate one for each purpose')
  }
}

function ringNeeded({ config, written, problem }: Rules): void {
  const store = config.sessions?.store?.url?.reveal()
  if (store === undefined || store === 'memory') return
  const ring = written(['secrets'])
  if (ring !== undefined && !(Array.isArray(ring) && ring.length === 0)) return
  const hint = 'secrets: [{ env: DESKGATE_SECRET }]'
  problem(['secrets'], 'required unless the store is memory: all processes need the same keys', hint)
}
