// The logout side of an identity provider for tests: real signed messages by both bindings, and a strict reader of what
// the gateway sends. Written apart from the gateway's own writers, so that they check each other.

import { createPublicKey, createSign, createVerify } from 'node:crypto'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { DOMParser } from '@xmldom/xmldom'
import { SignedXml } from 'xml-crypto'
import type { Clock } from '../../src/core/clock.js'
import type { Navigation } from '../../src/core/providers.js'
import { type SigningKey, signElement } from '../../src/demo/idp-messages.js'
import { idpIssuer, sloUrl } from './saml-idp.js'

export interface LogoutPlan {
  issuer: string
  destination: string
  id: string
  /** Milliseconds since the epoch. */
  at: number
  /** Milliseconds since the epoch; undefined: none. */
  notOnOrAfter: number | undefined
  nameId: string
  sessionIndexes: string[]
  inResponseTo: string
  status: string
}

export type Kind = 'request' | 'response'

export interface LogoutChange {
  kind?: Kind
  plan?: Partial<LogoutPlan>
  /** Before the signing. */
  before?: (xml: string) => string
  signing?: SigningKey
  relayState?: string
}

export interface RedirectChange extends LogoutChange {
  sigAlg?: string
  /** As node:crypto calls it. */
  digest?: string
  /** After the signing, on the query. */
  after?: (query: string) => string
  /** Writes a value into the query; encodeURIComponent unless told otherwise. */
  written?: (value: string) => string
}

export interface PostChange extends LogoutChange {
  sign?: 'no'
  signatureAlgorithm?: string
  /** After the signing, on the XML. */
  after?: (xml: string) => string
}

export interface LogoutIdp {
  xml(change?: LogoutChange): string
  /** The query that a browser brings. */
  query(change?: RedirectChange): string
  /** The form that a browser posts. */
  form(change?: PostChange): Record<string, string>
}

const rsaSha256 = 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256'
const names = 'xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"'
let count = 0

/** Every message has a new ID and is good until the change. */
export function createLogoutIdp(deps: { signing: SigningKey; clock: Clock; plan?: Partial<LogoutPlan> }): LogoutIdp {
  const xml = ({ kind = 'request', plan: changes = {}, before = same }: LogoutChange = {}) => {
    const at = changes.at ?? deps.clock.now()
    const plan: LogoutPlan = {
      issuer: idpIssuer,
      destination: sloUrl,
      id: `_l${process.pid}${++count}`,
      at,
      notOnOrAfter: at + 300_000,
      nameId: 'Jane@Example.com',
      sessionIndexes: [],
      inResponseTo: '_1',
      status: 'urn:oasis:names:tc:SAML:2.0:status:Success',
      ...deps.plan,
      ...changes,
    }
    return before(kind === 'request' ? requestXml(plan) : responseXml(plan))
  }
  const query = (change: RedirectChange = {}) => {
    const { kind = 'request', relayState, sigAlg = rsaSha256, digest = 'sha256', written = encodeURIComponent } = change
    const message = deflateRawSync(Buffer.from(xml(change), 'utf8')).toString('base64')
    const relay = relayState === undefined ? '' : `&RelayState=${written(relayState)}`
    const field = kind === 'request' ? 'SAMLRequest' : 'SAMLResponse'
    const octets = `${field}=${written(message)}${relay}&SigAlg=${written(sigAlg)}`
    const signature = createSign(digest)
      .update(octets)
      .sign((change.signing ?? deps.signing).key, 'base64')
    return (change.after ?? same)(`${octets}&Signature=${written(signature)}`)
  }
  const form = (change: PostChange = {}) => {
    const { kind = 'request', relayState, signing = deps.signing, sign, signatureAlgorithm } = change
    const how = { ...signing, ...(signatureAlgorithm === undefined ? {} : { signatureAlgorithm }) }
    const signed = sign === 'no' ? xml(change) : signElement(xml(change), '/*', how)
    const message = Buffer.from((change.after ?? same)(signed), 'utf8').toString('base64')
    const field = kind === 'request' ? 'SAMLRequest' : 'SAMLResponse'
    return { [field]: message, ...(relayState === undefined ? {} : { RelayState: relayState }) }
  }
  return { xml, query, form }
}

function requestXml(plan: LogoutPlan): string {
  const end = plan.notOnOrAfter === undefined ? '' : ` NotOnOrAfter="${instant(plan.notOnOrAfter)}"`
  const indexes = plan.sessionIndexes.map(index => `<samlp:SessionIndex>${index}</samlp:SessionIndex>`).join('')
  const format = 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress'
  return `<samlp:LogoutRequest ${names} ${head(plan)}${end}><saml:Issuer>${plan.issuer}</saml:Issuer><saml:NameID Format="${format}">${plan.nameId}</saml:NameID>${indexes}</samlp:LogoutRequest>`
}

function responseXml(plan: LogoutPlan): string {
  return `<samlp:LogoutResponse ${names} ${head(plan)} InResponseTo="${plan.inResponseTo}"><saml:Issuer>${plan.issuer}</saml:Issuer><samlp:Status><samlp:StatusCode Value="${plan.status}"/></samlp:Status></samlp:LogoutResponse>`
}

function head({ id, at, destination }: LogoutPlan): string {
  return `ID="${id}" Version="2.0" IssueInstant="${instant(at)}" Destination="${destination}"`
}

function instant(at: number): string {
  return new Date(at).toISOString()
}

function same(text: string): string {
  return text
}

/** What the gateway sent, as a provider reads it. */
export interface Received {
  kind: Kind
  address: string
  relayState: string | undefined
  signed: boolean
  id: string
  root: Element
  /** Of the first element of that local name. */
  text(name: string): string | undefined
  attribute(name: string, attribute: string): string | undefined
}

/** Reads a message of the gateway; a signature that does not verify with `certificate` is an error. */
export function receive(leave: Navigation | undefined, certificate: string): Received {
  if (!leave) throw new Error('it went nowhere')
  return 'redirect' in leave ? fromQuery(leave.redirect, certificate) : fromForm(leave.post, leave.fields, certificate)
}

function fromQuery(url: string, certificate: string): Received {
  const [address = '', query = ''] = [
    url.slice(0, url.search(/SAMLRe(quest|sponse)=/) - 1),
    url.slice(url.indexOf('?') + 1),
  ]
  const raw = query.slice(query.search(/SAMLRe(quest|sponse)=/))
  const values = new URLSearchParams(raw)
  const kind = values.has('SAMLRequest') ? 'request' : 'response'
  const message = values.get(kind === 'request' ? 'SAMLRequest' : 'SAMLResponse') ?? ''
  const xml = inflateRawSync(Buffer.from(message, 'base64')).toString('utf8')
  const signature = values.get('Signature')
  if (signature !== null) {
    const octets = raw.slice(0, raw.indexOf('&Signature='))
    const order = octets.split('&').map(part => part.split('=')[0])
    const expected = [kind === 'request' ? 'SAMLRequest' : 'SAMLResponse', 'RelayState', 'SigAlg']
    if (order.join() !== expected.filter(name => values.has(name)).join()) throw new Error(`order: ${order}`)
    if (values.get('SigAlg') !== rsaSha256) throw new Error('SigAlg')
    const key = createPublicKey(certificate)
    if (!createVerify('sha256').update(octets).verify(key, signature, 'base64')) throw new Error('Signature')
  }
  const relayState = values.get('RelayState') ?? undefined
  return received({ kind, address, relayState, signed: signature !== null }, xml)
}

function fromForm(address: string, fields: Record<string, string>, certificate: string): Received {
  const kind = 'SAMLRequest' in fields ? 'request' : 'response'
  const xml = Buffer.from(fields.SAMLRequest ?? fields.SAMLResponse ?? '', 'base64').toString('utf8')
  const document = new DOMParser().parseFromString(xml, 'text/xml')
  const [signature] = [document.getElementsByTagNameNS('http://www.w3.org/2000/09/xmldsig#', 'Signature').item(0)]
  if (signature) {
    const verifier = new SignedXml({ publicCert: certificate })
    verifier.loadSignature(signature)
    if (!verifier.checkSignature(xml)) throw new Error('Signature')
    if (signature.previousSibling?.nodeName !== 'saml:Issuer') throw new Error('the Signature must follow the Issuer')
  }
  return received({ kind, address, relayState: fields.RelayState, signed: signature !== null }, xml)
}

function received(base: Pick<Received, 'kind' | 'address' | 'relayState' | 'signed'>, xml: string): Received {
  const root = new DOMParser().parseFromString(xml, 'text/xml').documentElement
  const first = (name: string) => (root.localName === name ? root : root.getElementsByTagNameNS('*', name).item(0))
  return {
    ...base,
    root,
    id: root.getAttribute('ID') ?? '',
    text: name => first(name)?.textContent ?? undefined,
    attribute: (name, attribute) => {
      const found = first(name)
      return found?.hasAttribute(attribute) ? (found.getAttribute(attribute) ?? undefined) : undefined
    },
  }
}

/** The form of a page of ours that posts itself. */
export function formOn(body: string): Navigation {
  const plain = (text: string) =>
    text.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code))).replaceAll('&amp;', '&')
  const post = /<form method="post" action="([^"]*)"/.exec(body)?.[1] ?? ''
  const inputs = [...body.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)]
  return {
    post: plain(post),
    fields: Object.fromEntries(inputs.map(([, name = '', value = '']) => [name, plain(value)])),
  }
}
