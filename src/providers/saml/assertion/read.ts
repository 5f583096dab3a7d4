// Reads a verified assertion into plain data. It is given the bytes whose signature was verified and nothing else, so
// that no claim comes from elsewhere; it checks nothing.

import { DOMParser } from '@xmldom/xmldom'
import { trimSpace } from '../../xml/characters.js'
import { assertion as namespace } from '../namespaces.js'

/** A verified assertion as plain data: it crosses threads as it is. Times as written. */
export interface AssertionFacts {
  id: string
  version: string
  issueInstant: string
  issuers: string[]
  subjects: number
  nameIds: string[]
  /** The first NameID's attributes. */
  nameId: { nameIdFormat?: string; nameQualifier?: string; spNameQualifier?: string }
  /** EncryptedID, EncryptedAttribute or BaseID: somebody that cannot be read here. */
  unreadable: string[]
  confirmations: ConfirmationFacts[]
  conditions: ConditionsFacts[]
  authnStatements: AuthnStatementFacts[]
  attributes: AttributeFacts[]
}

export interface AuthnStatementFacts {
  authnInstant?: string
  sessionIndex?: string
  sessionNotOnOrAfter?: string
  /** The classes that it names: one, or it says nothing. */
  contexts: string[]
}

export interface ConfirmationFacts {
  method: string
  /** SubjectConfirmationData elements; the values are the first's. */
  data: number
  recipient?: string
  notBefore?: string
  notOnOrAfter?: string
  inResponseTo?: string
}

export interface ConditionsFacts {
  notBefore?: string
  notOnOrAfter?: string
  /** One list per AudienceRestriction: all of them must hold (SAML Core 2.5.1.4). */
  audiences: string[][]
  /** Conditions that are not understood: the assertion's validity is then indeterminate (SAML Core 2.5.1). */
  unknown: string[]
}

export interface AttributeFacts {
  name: string
  friendlyName?: string
  /** The text of each value; undefined for a value with elements in it, which is not a text. */
  values: Array<string | undefined>
}

/** Undefined when the XML is not a SAML 2.0 Assertion. `xml` must be what a signature was verified over. */
export function readAssertion(xml: string): AssertionFacts | undefined {
  const root = new DOMParser({ errorHandler: stop }).parseFromString(xml, 'text/xml').documentElement
  if (!root || root.namespaceURI !== namespace || root.localName !== 'Assertion') return undefined
  const subjects = children(root, 'Subject')
  const within = (name: string) => subjects.flatMap(subject => children(subject, name))
  const statements = children(root, 'AttributeStatement')
  const unreadable = [
    ...within('EncryptedID'),
    ...within('BaseID'),
    ...statements.flatMap(one => children(one, 'EncryptedAttribute')),
  ]
  return {
    id: root.getAttribute('ID') ?? '',
    version: root.getAttribute('Version') ?? '',
    issueInstant: root.getAttribute('IssueInstant') ?? '',
    issuers: children(root, 'Issuer').map(whole),
    subjects: subjects.length,
    nameIds: within('NameID').map(text),
    nameId: nameIdFacts(within('NameID')[0]),
    unreadable: unreadable.map(({ localName }) => localName),
    confirmations: within('SubjectConfirmation').map(confirmation),
    conditions: children(root, 'Conditions').map(conditions),
    authnStatements: children(root, 'AuthnStatement').map(authnStatement),
    attributes: statements.flatMap(statement => children(statement, 'Attribute')).map(attributeFacts),
  }
}

const refuse = (message: string) => {
  throw new Error(message)
}
const stop = { warning: refuse, error: refuse, fatalError: refuse }

function nameIdFacts(element: Element | undefined): AssertionFacts['nameId'] {
  if (!element) return {}
  return given({
    nameIdFormat: attribute(element, 'Format'),
    nameQualifier: attribute(element, 'NameQualifier'),
    spNameQualifier: attribute(element, 'SPNameQualifier'),
  })
}

function authnStatement(element: Element): AuthnStatementFacts {
  const contexts = children(element, 'AuthnContext').flatMap(one => children(one, 'AuthnContextClassRef'))
  return {
    contexts: contexts.map(text),
    ...given({
      authnInstant: attribute(element, 'AuthnInstant'),
      sessionIndex: attribute(element, 'SessionIndex'),
      sessionNotOnOrAfter: attribute(element, 'SessionNotOnOrAfter'),
    }),
  }
}

function confirmation(element: Element): ConfirmationFacts {
  const data = children(element, 'SubjectConfirmationData')
  const [first] = data
  const of = (name: string) => (first ? attribute(first, name) : undefined)
  return {
    method: element.getAttribute('Method') ?? '',
    data: data.length,
    ...given({
      recipient: trimmed(of('Recipient')),
      notBefore: of('NotBefore'),
      notOnOrAfter: of('NotOnOrAfter'),
      // Some providers write an empty one where there was no request.
      inResponseTo: of('InResponseTo') || undefined,
    }),
  }
}

function conditions(element: Element): ConditionsFacts {
  const known = ['AudienceRestriction', 'OneTimeUse', 'ProxyRestriction']
  const all = elements(element)
  return {
    audiences: children(element, 'AudienceRestriction').map(restriction => children(restriction, 'Audience').map(text)),
    unknown: all
      .filter(one => one.namespaceURI !== namespace || !known.includes(one.localName))
      .map(({ localName }) => localName),
    ...given({ notBefore: attribute(element, 'NotBefore'), notOnOrAfter: attribute(element, 'NotOnOrAfter') }),
  }
}

function attributeFacts(element: Element): AttributeFacts {
  return {
    name: element.getAttribute('Name') ?? '',
    values: children(element, 'AttributeValue').map(value => (elements(value).length > 0 ? undefined : text(value))),
    ...given({ friendlyName: attribute(element, 'FriendlyName') }),
  }
}

/** Child elements of that name in SAML's namespace; others are not seen. */
function children(element: Element, name: string): Element[] {
  return elements(element).filter(child => child.localName === name && child.namespaceURI === namespace)
}

function elements(element: Element): Element[] {
  const found: Element[] = []
  for (let node = element.firstChild; node; node = node.nextSibling) {
    if (node.nodeType === 1) found.push(node as Element)
  }
  return found
}

/** Attack: a comment splits a text into two nodes; the whole of it counts, never the first part. */
function whole(element: Element): string {
  return element.textContent ?? ''
}

/** The same without what indents it. */
function text(element: Element): string {
  return trimSpace(whole(element))
}

function trimmed(value: string | undefined): string | undefined {
  return value === undefined ? undefined : trimSpace(value)
}

function attribute(element: Element, name: string): string | undefined {
  return element.hasAttribute(name) ? (element.getAttribute(name) ?? undefined) : undefined
}

/** Without the keys that have no value. */
function given<T extends Record<string, string | undefined>>(values: T): { [K in keyof T]?: string } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: string
  }
}
