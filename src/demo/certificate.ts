// A self-signed certificate for an RSA key, made in process: the demo and the tests need one without openssl and
// without a file. It is DER by hand (RFC 5280 4.1, X.690) and carries no extensions; it must never serve TLS.

import { generateKeyPair, type KeyObject, sign } from 'node:crypto'
import { promisify } from 'node:util'
import type { Clock } from '../core/clock.js'

/** `notBefore` and `notAfter` in milliseconds since the epoch; the certificate as PEM. */
export function selfSignedCertificate(plan: {
  commonName: string
  serial: number
  notBefore: number
  notAfter: number
  privateKey: KeyObject
  publicKey: KeyObject
}): string {
  const algorithm = sequence(objectId(rsaSha256), Buffer.from([0x05, 0x00]))
  const name = sequence(tlv(0x31, sequence(objectId(commonName), tlv(0x0c, Buffer.from(plan.commonName, 'utf8')))))
  const body = sequence(
    tlv(0x02, unsigned(plan.serial)),
    algorithm,
    name,
    sequence(time(plan.notBefore), time(plan.notAfter)),
    name,
    plan.publicKey.export({ type: 'spki', format: 'der' }),
  )
  const signature = sign('sha256', body, plan.privateKey)
  const der = sequence(body, algorithm, tlv(0x03, Buffer.concat([Buffer.from([0]), signature])))
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}

/** 1.2.840.113549.1.1.11 and 2.5.4.3, as DER has them. */
const rsaSha256 = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b]
const commonName = [0x55, 0x04, 0x03]

function tlv(tag: number, content: Buffer): Buffer {
  const size = content.length
  if (size < 0x80) return Buffer.concat([Buffer.from([tag, size]), content])
  const bytes = unsigned(size, 'bare')
  return Buffer.concat([Buffer.from([tag, 0x80 | bytes.length]), bytes, content])
}

function sequence(...parts: Buffer[]): Buffer {
  return tlv(0x30, Buffer.concat(parts))
}

function objectId(bytes: number[]): Buffer {
  return tlv(0x06, Buffer.from(bytes))
}

/** Big-endian; an INTEGER keeps a leading zero so that it is not read as negative. */
function unsigned(value: number, as: 'integer' | 'bare' = 'integer'): Buffer {
  const hex = value.toString(16)
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
  return as === 'integer' && (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes
}

/** UTCTime with two digits of the year through 2049, GeneralizedTime from then on (RFC 5280 4.1.2.5). */
function time(at: number): Buffer {
  const digits = new Date(at)
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replace(/[-:T]/g, '')
  const far = digits >= '2050'
  return tlv(far ? 0x18 : 0x17, Buffer.from(far ? digits : digits.slice(2), 'ascii'))
}

/** An RSA key and its certificate, good from yesterday for a year. */
export async function newSigningKey(clock: Clock): Promise<{ key: string; certificate: string }> {
  const { privateKey, publicKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 })
  const day = 86_400_000
  const certificate = selfSignedCertificate({
    commonName: 'Deskgate demo identity provider',
    serial: 1,
    notBefore: clock.now() - day,
    notAfter: clock.now() + 365 * day,
    privateKey,
    publicKey,
  })
  return { key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), certificate }
}
