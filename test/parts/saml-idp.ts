// An identity provider for tests: makes real signed responses, good ones first, and lets a test alter any part before or
// after the signing.

import { generateKeyPairSync } from 'node:crypto'
import type { Clock } from '../../src/core/clock.js'
import type { Attempt, CallbackRequest } from '../../src/core/providers.js'
import { selfSignedCertificate } from '../../src/demo/certificate.js'
import {
  encodeSamlMessage,
  type SamlResponsePlan,
  type SamlSigning,
  type SigningKey,
  samlResponseXml,
  signSamlResponse,
} from '../../src/demo/idp-messages.js'

export const idpIssuer = 'https://idp.example.com/metadata'
export const acsUrl = 'https://desk.example.com/auth/saml/acs'
export const sloUrl = 'https://desk.example.com/auth/saml/slo'
export const entityId = 'desk.example.com'

export interface ResponseChange {
  plan?: Partial<SamlResponsePlan>
  /** What is signed; default both. */
  sign?: SamlSigning['what'] | 'none'
  signing?: Partial<SamlSigning>
  before?: (xml: string) => string
  after?: (xml: string) => string
}

export interface SamlIdp {
  xml(change?: ResponseChange): string
  /** The form field. */
  message(change?: ResponseChange): string
}

let count = 0

/** A fresh RSA key and its certificate; making one takes a tenth of a second, so share it. */
export function newSigningKey(commonName = 'idp.example.com', notAfter = Date.UTC(2030, 0, 1)): SigningKey {
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const plan = { commonName, serial: ++count, notBefore: Date.UTC(2025, 0, 1), notAfter, ...pair }
  const key = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  return { key, certificate: selfSignedCertificate(plan) }
}

export interface SamlIdpDeps {
  signing: SigningKey
  clock: Clock
  plan?: Partial<SamlResponsePlan>
  /** Numbers the responses; by default all of this process. */
  next?: () => number
}

/** Every response has new IDs and is good until the change. */
export function createSamlIdp(deps: SamlIdpDeps): SamlIdp {
  const xml = (change: ResponseChange = {}) => {
    const id = deps.next?.() ?? ++count
    const plan: SamlResponsePlan = {
      now: deps.clock.now(),
      lifetime: 300_000,
      issuer: idpIssuer,
      acsUrl,
      audience: entityId,
      responseId: `_r${id}`,
      assertionId: `_a${id}`,
      nameId: 'Jane@Example.com',
      inResponseTo: `_${attempt.id}`,
      sessionIndex: `_s${id}`,
      ...deps.plan,
      ...change.plan,
    }
    const written = (change.before ?? same)(samlResponseXml(plan))
    const what = change.sign ?? 'both'
    const signing = { ...deps.signing, ...change.signing }
    const signed = what === 'none' ? written : signSamlResponse(written, { ...signing, what })
    return (change.after ?? same)(signed)
  }
  return { xml, message: change => encodeSamlMessage(xml(change)) }
}

/** The one login that the test's browser has under way. */
export const attempt: Attempt = {
  id: 'A1b2C3d4E5f6G7h8I9j0-w',
  provider: 'corp',
  returnTo: '/tickets/7',
  startedAt: 0,
  used: false,
}

/** What the web floor hands over: the message, and this browser's attempts. */
export function callbackOf(message: string, attempts: Attempt[] = [attempt]): CallbackRequest {
  return { message, attempt: id => attempts.find(one => one.id === id) }
}

/** A replacement that fails the test when there is nothing to replace: an attack that changes nothing proves nothing. */
export function swap(from: string | RegExp, to: string): (xml: string) => string {
  return xml => {
    const changed = typeof from === 'string' ? xml.replace(from, () => to) : xml.replace(from, to)
    if (changed === xml) throw new Error(`nothing to replace: ${from}`)
    return changed
  }
}

/** The same, everywhere. */
export function swapAll(from: string, to: string): (xml: string) => string {
  return xml => {
    if (!xml.includes(from)) throw new Error(`nothing to replace: ${from}`)
    return xml.replaceAll(from, to)
  }
}

function same(xml: string): string {
  return xml
}

export const encode = encodeSamlMessage

/** The first element of that name, from its start tag to its end tag. It must not hold another of its name. */
export function part(xml: string, name: string): string {
  const start = xml.search(new RegExp(`<${name}[\\s>]`))
  const end = xml.indexOf(`</${name}>`, start)
  if (start < 0 || end < 0) throw new Error(`there is no ${name}`)
  return xml.slice(start, end + name.length + 3)
}

/** The XML without that first element. */
export function without(xml: string, name: string): string {
  return xml.replace(part(xml, name), '')
}
