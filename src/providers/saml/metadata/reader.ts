// Reads IdP metadata (SAML Metadata 2.4): who the IdP is, where browsers go, and which certificates sign. The text comes
// from where the operator said, and is still read with care; what is ambiguous is an error that says what to set.

import type { X509Certificate } from 'node:crypto'
import { XMLSerializer } from '@xmldom/xmldom'
import { hasIssued, leafOf } from '../../../core/certificate-chain.js'
import { certificatesIn } from '../../certificates.js'
import { samlDuration, samlTime } from '../datetime.js'
import { postBinding, redirectBinding } from '../namespaces.js'
import { children, elementsOf, isOf, MetadataError, parseMetadata } from './document.js'

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
  /** What was passed over, for the operator. */
  warnings?: string[]
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
  if (validUntil !== undefined && validUntil <= expected.now) throw new MetadataError('the metadata has expired')
  const descriptor = children(entity, 'IDPSSODescriptor').filter(speaksSaml2)[0]
  if (!descriptor) throw new MetadataError('the identity provider does not speak SAML 2.0')
  const loginUrl = endpoint(descriptor, 'SingleSignOnService', redirectBinding)
  const loginPostUrl = endpoint(descriptor, 'SingleSignOnService', postBinding)
  if (loginUrl === undefined && loginPostUrl === undefined) {
    throw new MetadataError('there is no SingleSignOnService with the HTTP-Redirect or HTTP-POST binding')
  }
  const { certificates, warnings } = signingKeys(descriptor)
  if (certificates.length === 0) {
    throw new MetadataError(warnings[0] ?? 'there is no signing certificate')
  }
  const cacheDuration = cachedFor(root, entity)
  const sloUrl = endpoint(descriptor, 'SingleLogoutService', redirectBinding)
  const services = logoutServices(descriptor)
  return {
    entityId: entity.getAttribute('entityID') ?? '',
    certificates,
    wantsSignedRequests: ['true', '1'].includes(descriptor.getAttribute('WantAuthnRequestsSigned') ?? ''),
    ...(warnings.length === 0 ? {} : { warnings }),
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
  if (!isOf(root, 'EntitiesDescriptor')) throw new MetadataError('the text is not SAML metadata')
  return [...children(root, 'EntityDescriptor'), ...children(root, 'EntitiesDescriptor').flatMap(entities)]
}

function pick(found: Element[], issuer: string | undefined): Element {
  const matching = issuer === undefined ? found : found.filter(entity => entity.getAttribute('entityID') === issuer)
  const [entity] = matching
  if (entity && matching.length === 1) return entity
  const ids = found.slice(0, 5).map(one => one.getAttribute('entityID'))
  if (found.length === 0) throw new MetadataError('the metadata holds no identity provider')
  if (!entity)
    throw new MetadataError(`the metadata has no identity provider with this issuer; it has ${ids.join(', ')}`)
  throw new MetadataError(
    `the metadata holds ${matching.length} identity providers: set issuer to one of ${ids.join(', ')}`,
  )
}

/** The earliest validUntil of the entity and of all that is around it. */
function expiryOf(root: Element, entity: Element): number | undefined {
  const times = around(root, entity, 'validUntil').map(text => {
    const at = samlTime(text)
    if (at === undefined) throw new MetadataError('validUntil is not a UTC time')
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

interface SigningKeys {
  certificates: X509Certificate[]
  /** Why something was passed over, for the operator. */
  warnings: string[]
}

/** KeyDescriptor for signing, or for anything (SAML Metadata 2.4.1.1). One that cannot be read keeps no other from signing. */
function signingKeys(descriptor: Element): SigningKeys {
  const keys = children(descriptor, 'KeyDescriptor').filter(key =>
    ['', 'signing'].includes(key.getAttribute('use') ?? ''),
  )
  const read = keys.map(keysOf)
  const unreadable = read.reduce((sum, one) => sum + one.unreadable, 0)
  const warnings = unreadable === 0 ? [] : [`signing certificates that cannot be read: ${unreadable}`]
  const distinct = new Map(read.flatMap(({ leaves }) => leaves).map(one => [one.fingerprint256, one]))
  return { certificates: [...distinct.values()], warnings }
}

/**
 * The certificates of a KeyDescriptor that may sign. Attack: anyone who holds the key of an authority signs for its customers.
 * An X509Data holds one key, with its chain (XML Signature 4.5.4), and what has issued another certificate of the KeyInfo
 * is an authority wherever it stands.
 */
function keysOf(descriptor: Element): { leaves: X509Certificate[]; unreadable: number } {
  const chains = elementsOf(descriptor, 'X509Data').map(data =>
    elementsOf(data, 'X509Certificate').flatMap(({ textContent }) => readable(textContent ?? '')),
  )
  const all = chains.flat()
  const known = all.filter(one => one !== undefined)
  const leaves = chains.flatMap(chain => {
    const certificates = chain.filter(one => one !== undefined)
    const leaf = leafOf(certificates)
    // The one that cannot be read may be the leaf, unless another stands first.
    if (!leaf || (certificates.length < chain.length && chain[0] !== leaf)) return []
    return known.some(other => hasIssued(leaf, other)) ? [] : [leaf]
  })
  return { leaves, unreadable: all.length - known.length }
}

/** Base64, in lines or not, or PEM as some programs write it; several PEM blocks are a chain. */
function readable(text: string): Array<X509Certificate | undefined> {
  try {
    return certificatesIn(text)
  } catch {
    return [undefined]
  }
}

/** Where logout messages go to (SAML Metadata 2.4.2). */
export interface LogoutService {
  binding: 'redirect' | 'post'
  location: string
  /** Where answers go to, when it is not the same (SAML Metadata 2.2.2). */
  responseLocation?: string
}

const bindings: Readonly<Record<string, LogoutService['binding']>> = {
  [redirectBinding]: 'redirect',
  [postBinding]: 'post',
}

/** The address of the first service of that name with that binding. Throws MetadataError. */
function endpoint(descriptor: Element, name: string, binding: string): string | undefined {
  const found = children(descriptor, name).find(one => one.getAttribute('Binding') === binding)
  return found && address(found, 'Location')
}

/** SingleLogoutService with a binding that browsers speak. Throws MetadataError. */
function logoutServices(descriptor: Element): LogoutService[] {
  return children(descriptor, 'SingleLogoutService').flatMap(service => {
    const binding = bindings[service.getAttribute('Binding') ?? '']
    const location = address(service, 'Location')
    if (binding === undefined || location === undefined) return []
    const responseLocation = address(service, 'ResponseLocation')
    return [{ binding, location, ...(responseLocation === undefined ? {} : { responseLocation }) }]
  })
}

function address(service: Element, attribute: string): string | undefined {
  const location = service.getAttribute(attribute)
  if (!location) return undefined
  // Attack: a javascript: address that our own page would send browsers to.
  if (!/^https?:\/\/[^\s]+$/.test(location))
    throw new MetadataError(`the ${attribute} of ${service.localName} is not an http or https URL`)
  return location
}
