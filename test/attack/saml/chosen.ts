// Which attacks of the tables stand in files/ too, one file each, and the few that only show behind the provider. The
// tables are where they are made; scripts/attack-files.ts writes them, and a test holds the two together.

import { swap } from '../../parts/saml-idp.js'
import type { Attack } from './attack.js'
import { semantics } from './semantics.js'
import { size } from './size.js'
import { structure } from './structure.js'

/** What nobody refuses before the directory: the text is read whole, so that it is nobody's address. */
const behind: Attack[] = [
  {
    name: 'a comment that cuts the NameID short',
    reason: 'agent.unknown',
    check: 'agent is known',
    // IDs of their own: what is refused behind the claim is used up.
    change: {
      plan: { assertionId: '_a-comment', nameId: 'jane@example.com.evil.example' },
      after: swap('jane@example.com.evil', 'jane@example.com<!-- x -->.evil'),
    },
  },
  {
    name: 'a look-alike letter in the NameID',
    reason: 'agent.unknown',
    check: 'agent is known',
    change: { plan: { assertionId: '_a-look-alike', nameId: 'jane@ex\u0430mple.com' } },
  },
]

const all = [...structure, ...semantics, ...size, ...behind]

/** File name → the attack's name in the tables. */
const chosen: Record<string, string> = {
  'xsw1.xml': 'XSW1: a forged response with the signed one inside its signature',
  'xsw2.xml': 'XSW2: the signed response as a detached sibling before the signature',
  'xsw3.xml': 'XSW3: a forged assertion before the signed one',
  'xsw4.xml': 'XSW4: the signed assertion inside a forged one',
  'xsw5.xml': 'XSW5: the signed assertion changed, its original without signature at the end',
  'xsw6.xml': 'XSW6: the original assertion inside the signature of the changed one',
  'xsw7.xml': 'XSW7: a forged assertion in Extensions',
  'xsw8.xml': 'XSW8: the original assertion in ds:Object of the changed one',
  'xsw9-same-id.xml': 'XSW9: a forged assertion with the ID of the signed one',
  'assertion-in-advice.xml': 'an unsigned assertion in an extension of a signed response',
  'two-assertions.xml': 'two assertions, both signed',
  'encrypted-beside-signed.xml': 'an encrypted assertion beside the signed one',
  'foreign-signature-element.xml': 'a signature in a namespace of its own, first in the assertion',
  'signature-out-of-place.xml': 'a signature at the end of Status',
  'duplicate-id.xml': 'the ID of the assertion on an extension too',
  'email-changed.xml': 'an e-mail changed after the signing',
  'response-changed.xml': 'a changed response around an assertion whose signature holds',
  'stranger-in-signed-response.xml': 'a response signed by the right key around an assertion signed by a stranger',
  'signed-in-stranger-response.xml': 'an assertion signed by the right key in a response signed by a stranger',
  'stranger-key.xml': "a stranger's key, which KeyInfo brings along",
  'stranger-with-our-certificate.xml': "a stranger's signature with the right certificate in KeyInfo",
  'empty-signature-value.xml': 'an empty SignatureValue',
  'comment-in-digest.xml': 'a comment in DigestValue (SAMLStorm)',
  'two-signed-infos.xml': 'two SignedInfo in one signature (SAMLStorm)',
  'no-reference.xml': 'no Reference',
  'reference-to-document.xml': 'a Reference to the whole document',
  'reference-to-other.xml': 'a Reference to another element',
  'two-references.xml': 'two References in one signature',
  'three-transforms.xml': 'three transforms',
  'two-signatures.xml': 'two signatures in one assertion',
  'nothing-signed.xml': 'nothing signed',
  'no-assertion.xml': 'no assertion at all',
  'assertion-wrong-namespace.xml': 'an Assertion in a namespace that only looks right',
  'signature-wrong-namespace.xml': 'a signature in another namespace',
  'sha1.xml': 'SHA-1 by the right key',
  'hmac.xml': 'HMAC with the public key',
  'xslt.xml': 'an XSLT transform',
  'xpath.xml': 'an XPath transform',
  'inclusive-canonicalisation.xml': 'inclusive canonicalisation',
  'disguised-algorithm.xml': 'SHA-1 by character references',
  'doctype.xml': 'a DOCTYPE before the response',
  'billion-laughs.xml': 'billion laughs',
  'external-entity.xml': 'an external entity',
  'processing-instruction.xml': 'a processing instruction in NameID',
  'declared-utf16.xml': 'a declaration of UTF-16',
  'byte-order-mark.xml': 'a byte order mark',
  'utf16.txt': 'UTF-16',
  'base64url.txt': 'base64url',
  'saml11.xml': 'a Response of SAML 1.1',
  'logout-response.xml': 'a LogoutResponse',
  'assertion-alone.xml': 'an assertion alone',
  'two-roots.xml': 'two roots',
  'second-id.xml': 'samlp:ID beside ID',
  'xhtml.xml': 'the XHTML namespace, where a parser reads script as text',
  'many-elements.xml': '5,000 elements',
  'many-comments.xml': '33 comments',
  'version-1.1.xml': 'Version 1.1',
  'other-idp.xml': "another IdP's response",
  'other-response-issuer.xml': 'a foreign Issuer in the Response alone',
  'other-assertion-issuer.xml': 'a foreign Issuer in the assertion alone',
  'status-requester.xml': 'status Requester beside a valid assertion',
  'status-below.xml': 'Success only below another status',
  'other-destination.xml': "another service's Destination",
  'other-recipient.xml': "another service's Recipient",
  'no-recipient.xml': 'no Recipient',
  'other-audience.xml': "another service's audience",
  'no-audience.xml': 'no AudienceRestriction',
  'second-audience-restriction.xml': 'two AudienceRestrictions, one of them foreign',
  'holder-of-key.xml': 'holder-of-key',
  'confirmation-not-before.xml': 'a bearer confirmation with NotBefore',
  'confirmation-expired.xml': 'a confirmation that ended an hour ago in conditions that hold',
  'clock-ahead.xml': 'an IdP whose clock is an hour ahead',
  'clock-behind.xml': 'an IdP whose clock is an hour behind',
  'holds-for-a-year.xml': 'an assertion of an hour ago that says to hold for a year',
  'no-conditions.xml': 'no Conditions',
  'no-end.xml': 'no end anywhere',
  'time-without-zone.xml': 'an end at "2026-11-22T10:00:00"',
  'unknown-condition.xml': 'an unknown condition',
  'no-authn-statement.xml': 'no AuthnStatement',
  'session-ended.xml': 'a session that has ended',
  'never-asked.xml': 'the answer to a request that nobody sent',
  'two-requests.xml': 'Response and confirmation that answer different requests',
  'unsolicited.xml': 'InResponseTo stripped from everywhere',
  'stolen-and-tied.xml': 'a stolen unsolicited assertion, tied by an unsigned Response to a login of the thief',
  'in-response-to-stripped.xml': 'InResponseTo stripped from an unsigned Response, the confirmation unknown',
  'two-name-ids.xml': 'two NameIDs',
  'two-subjects.xml': 'two Subjects',
  'attribute-as-name-id.xml': 'an attribute nameID for a NameID that is not there',
  'two-emails.xml': 'two e-mails in one attribute',
  'line-break-in-email.xml': 'NameID "a@b&#13;&#10;X-Admin: 1"',
  'comment-in-name-id.xml': 'a comment that cuts the NameID short',
  'look-alike-letter.xml': 'a look-alike letter in the NameID',
}

/** The configuration in files/ that has an attack's settings. */
function configOf({ settings = {} }: Attack): string {
  if (settings.idpInitiated) return 'idp-initiated.yaml'
  if (settings.attributes?.email === 'mail') return 'email-attribute.yaml'
  if (Object.keys(settings).length > 0) throw new Error('no configuration has these settings')
  return 'deskgate.yaml'
}

/** Checks that only a browser's cookies decide: from a file alone such a response looks good. */
const onlyLive = new Set(['InResponseTo'])

/** With several providers, another's issuer finds none: the gateway says so before any provider is asked. */
const beforeProviders: Record<string, string> = { 'response issuer': 'issuer' }

export interface Chosen {
  file: string
  attack: Attack
  /** The check that fails in a whole gateway. */
  check: string
  config: string
  /** Whether `explain --saml` can see it; else `explain REFERENCE` does. */
  seenInFile: boolean
}

/** Throws when the tables no longer have an attack of that name. */
export const files: Chosen[] = Object.entries(chosen).map(([file, name]) => {
  const attack = all.find(one => one.name === name)
  if (!attack) throw new Error(`no attack is called ${name}`)
  const check = beforeProviders[attack.check] ?? attack.check
  return { file, attack, check, config: configOf(attack), seenInFile: !onlyLive.has(attack.check) }
})
