// Reads IdP metadata (SAML Metadata 2.4): who the IdP is, where browsers go, and which certificates sign. The text comes
// from where the operator said, and is still read with care; what is ambiguous is an error that says what to set.

import type { X509Certificate } from 'node:crypto'
import { XMLSerializer } from '@xmldom/xmldom'
import { certificatesIn } from '../../certificates.js'
import { samlDuration, samlTime } from '../datetime.js'
import { postBinding, redirectBinding, signature } from '../namespaces.js'
import { children, isOf, MetadataError, parseMetadata } from './document.js'
import { endpoint, type LogoutService, logoutServices } from './endpoints.js'

export interface IdpFacts {
  entityId: string
  /** SingleSignOnService, HTTP-Redirect binding; this or the next is there. */
  loginUrl?: string
  /** The same, HTTP-POST binding. */
  loginPostUrl?: string
  /** WantAuthnRequestsSigned: our requests should be signed. */
  wantsSignedRequests?: boolean
  /** All that may sign; several during a rollover. */
  certificates: X509Certificate[]
  /** SingleLogoutService, HTTP-Redirect binding. */
  sloUrl?: string
  /** SingleLogoutService with a binding that browsers speak, in the order of the metadata. */
  logoutServices?: LogoutService[]
  /** Milliseconds since the epoch: not to be used from then on. */
  validUntil?: number
  /** Milliseconds: how long a copy may go unread again, by the IdP's word. */
  cacheDuration?: number
  /** The IdP's own part of the metadata with its end, to be saved: it reads as the whole did. */
  own?: string
}

/** The one IdP of the text, or the one with this issuer. `now` in milliseconds. Throws MetadataError. */
export function readIdpMetadata(text: string, expected: { issuer?: string | undefined; now: number }): IdpFacts {
  const root = parseMetadata(text)
  const found = entities(root).filter(entity => children(entity, 'IDPSSODescriptor').length > 0)
  const entity = pick(found, expected.issuer)
  const validUntil = expiryOf(root, entity)
  if (validUntil !== undefined && validUntil <= expected.now) throw new MetadataError('the metadata has run out')
  const descriptor = children(entity, 'IDPSSODescriptor').filter(speaksSaml2)[0]
  if (!descriptor) throw new MetadataError('the identity provider does not speak SAML 2.0')
  const loginUrl = endpoint(descriptor, 'SingleSignOnService', redirectBinding)
  const loginPostUrl = endpoint(descriptor, 'SingleSignOnService', postBinding)
  if (loginUrl === undefined && loginPostUrl === undefined) {
    throw new MetadataError('there is no SingleSignOnService with the HTTP-Redirect or HTTP-POST binding')
  }
  const certificates = signingCertificates(descriptor)
  if (certificates.length === 0) throw new MetadataError('there is no signing certificate')
  const cacheDuration = cachedFor(root, entity)
  const sloUrl = endpoint(descriptor, 'SingleLogoutService', redirectBinding)
  const services = logoutServices(descriptor)
  return {
    entityId: entity.getAttribute('entityID') ?? '',
    certificates,
    wantsSignedRequests: ['true', '1'].includes(descriptor.getAttribute('WantAuthnRequestsSigned') ?? ''),
    ...(loginUrl === undefined ? {} : { loginUrl }),
    ...(loginPostUrl === undefined ? {} : { loginPostUrl }),
    ...(sloUrl === undefined ? {} : { sloUrl }),
    ...(services.length === 0 ? {} : { logoutServices: services }),
    ...(validUntil === undefined ? {} : { validUntil }),
    ...(cacheDuration === undefined ? {} : { cacheDuration }),
    own: standalone(entity, validUntil),
  }
}

function entities(root: Element): Element[] {
  if (isOf(root, 'EntityDescriptor')) return [root]
  if (!isOf(root, 'EntitiesDescriptor')) throw new MetadataError('the text is no SAML metadata')
  return [...children(root, 'EntityDescriptor'), ...children(root, 'EntitiesDescriptor').flatMap(entities)]
}

function pick(found: Element[], issuer: string | undefined): Element {
  const matching = issuer === undefined ? found : found.filter(entity => entity.getAttribute('entityID') === issuer)
  const [entity] = matching
  if (entity && matching.length === 1) return entity
  const ids = found.slice(0, 5).map(one => one.getAttribute('entityID'))
  if (found.length === 0) throw new MetadataError('the metadata holds no identity provider')
  if (!entity) throw new MetadataError(`no identity provider is named like issuer; there is ${ids.join(', ')}`)
  throw new MetadataError(
    `the metadata holds ${matching.length} identity providers: set issuer to one of ${ids.join(', ')}`,
  )
}

/** The earliest validUntil of the entity and of all that is around it. */
function expiryOf(root: Element, entity: Element): number | undefined {
  const times = around(root, entity, 'validUntil').map(text => {
    const at = samlTime(text)
    if (at === undefined) throw new MetadataError('validUntil is no UTC time')
    return at
  })
  return times.length === 0 ? undefined : Math.min(...times)
}

/** The shortest cacheDuration; one that cannot be read is only a wish that cannot be met. */
function cachedFor(root: Element, entity: Element): number | undefined {
  const times = around(root, entity, 'cacheDuration').flatMap(text => samlDuration(text) ?? [])
  return times.length === 0 ? undefined : Math.min(...times)
}

/** The values of an attribute of the entity and of all that is around it. */
function around(root: Element, entity: Element, name: string): string[] {
  const found: string[] = []
  for (let node: Element | null = entity; node; node = node === root ? null : (node.parentNode as Element | null)) {
    if (node.hasAttribute(name)) found.push(node.getAttribute(name) ?? '')
  }
  return found
}

function standalone(entity: Element, validUntil: number | undefined): string {
  if (validUntil !== undefined) entity.setAttribute('validUntil', new Date(validUntil).toISOString())
  return new XMLSerializer().serializeToString(entity)
}

function speaksSaml2(descriptor: Element): boolean {
  const protocols = descriptor.getAttribute('protocolSupportEnumeration') ?? ''
  return protocols.split(/\s+/).includes('urn:oasis:names:tc:SAML:2.0:protocol')
}

/** KeyDescriptor for signing, or for anything (SAML Metadata 2.4.1.1). */
function signingCertificates(descriptor: Element): X509Certificate[] {
  const keys = children(descriptor, 'KeyDescriptor').filter(key =>
    ['', 'signing'].includes(key.getAttribute('use') ?? ''),
  )
  const texts = keys.flatMap(key => {
    const found = key.getElementsByTagNameNS(signature, 'X509Certificate')
    return Array.from({ length: found.length }, (_, index) => found.item(index)?.textContent ?? '')
  })
  return [...new Set(texts.map(text => text.replace(/\s+/g, '')))].map(text => {
    try {
      return certificatesIn(text)[0] as X509Certificate
    } catch {
      throw new MetadataError('a signing certificate cannot be read')
    }
  })
}
