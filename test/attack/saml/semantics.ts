// What a validly signed assertion says: from whom, for whom, when, once, and who it is.

import { signElement } from '../../../src/demo/idp-messages.js'
import { acsUrl, attempt, encode, idpIssuer, swap, without } from '../../parts/saml-idp.js'
import { type Attack, clock, idp, signing } from './attack.js'

const minutes = (count: number) => new Date(clock.now() + count * 60_000).toISOString()
const before = (from: string | RegExp, to: string) => ({ change: { before: swap(from, to) } })
const assertionSigned = (after: (xml: string) => string) => ({ change: { sign: 'assertion' as const, after } })
const evil = 'https://evil.example.com/acs'
const nameId = /<saml:NameID[^>]*>[^<]*<\/saml:NameID>/
const issuerOfAssertion = /(<saml:Assertion[^>]*><saml:Issuer)>[^<]*/
const data = /<saml:SubjectConfirmationData[^>]*\/>/
const confirmation = /<saml:SubjectConfirmation .*<\/saml:SubjectConfirmation>/
const conditionsTag = /<saml:Conditions [^>]*>/
const attribute = (name: string, ...values: string[]) =>
  `<saml:AttributeStatement><saml:Attribute Name="${name}">${values.map(value => `<saml:AttributeValue>${value}</saml:AttributeValue>`).join('')}</saml:Attribute></saml:AttributeStatement>`
const addAttribute = (name: string, ...values: string[]) =>
  swap('</saml:Assertion>', `${attribute(name, ...values)}</saml:Assertion>`)
const byAttribute = { attributes: { email: 'mail' } }

const senders: Attack[] = [
  {
    name: "another IdP's response",
    reason: 'saml.issuer_unknown',
    check: 'response issuer',
    change: { plan: { issuer: 'https://other.example.com' } },
  },
  {
    name: 'a foreign Issuer in the Response alone',
    reason: 'saml.issuer_unknown',
    check: 'response issuer',
    ...before(`<saml:Issuer>${idpIssuer}`, '<saml:Issuer>https://evil.example.com'),
  },
  {
    name: 'a foreign Issuer in the assertion alone',
    reason: 'saml.issuer_unknown',
    check: 'assertion issuer',
    ...before(issuerOfAssertion, '$1>https://evil.example.com'),
  },
  {
    name: 'two Issuers in the Response',
    reason: 'saml.issuer_unknown',
    check: 'response issuer',
    change: {
      sign: 'assertion',
      before: swap('<saml:Issuer>', `<saml:Issuer>${idpIssuer}</saml:Issuer><saml:Issuer>`),
    },
  },
  {
    name: 'two Issuers in the assertion',
    reason: 'saml.issuer_unknown',
    check: 'assertion issuer',
    change: {
      sign: 'response',
      before: swap(issuerOfAssertion, `$1>${idpIssuer}</saml:Issuer><saml:Issuer>https://evil.example.com`),
    },
  },
  {
    name: 'no Issuer in the assertion',
    reason: 'saml.issuer_unknown',
    check: 'assertion issuer',
    change: { sign: 'response', before: swap(/(<saml:Assertion[^>]*>)<saml:Issuer>[^<]*<\/saml:Issuer>/, '$1') },
  },
  {
    name: 'an issuer in other letters',
    reason: 'saml.issuer_unknown',
    check: 'response issuer',
    change: { plan: { issuer: idpIssuer.toUpperCase() } },
  },
  {
    name: 'an issuer with white space',
    reason: 'saml.issuer_unknown',
    check: 'response issuer',
    change: { plan: { issuer: ` ${idpIssuer}` } },
  },
  {
    name: 'a signed Response without Issuer',
    reason: 'saml.issuer_unknown',
    check: 'issuer of the signed response',
    message: () => {
      const xml = idp
        .xml({ sign: 'assertion' })
        .replace(/(<samlp:Response[^>]*>)<saml:Issuer>[^<]*<\/saml:Issuer>/, '$1')
      return encode(signElement(xml, "/*[local-name(.)='Response']", { ...signing, follows: 'Status' }))
    },
  },
  {
    name: 'status Requester beside a valid assertion',
    reason: 'saml.status_not_success',
    check: 'status',
    ...before('status:Success', 'status:Requester'),
  },
  {
    name: 'status Responder in an unsigned Response without assertion',
    reason: 'saml.status_not_success',
    check: 'status',
    change: {
      sign: 'none',
      before: xml => without(xml, 'saml:Assertion').replace('status:Success', 'status:Responder'),
    },
  },
  {
    name: 'no Status',
    reason: 'saml.status_not_success',
    check: 'status',
    change: { before: xml => without(xml, 'samlp:Status') },
  },
  {
    name: 'two Status',
    reason: 'saml.status_not_success',
    check: 'status',
    ...before(
      '<samlp:Status>',
      '<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:AuthnFailed"/></samlp:Status><samlp:Status>',
    ),
  },
  {
    name: 'two Status, Success first',
    reason: 'saml.status_not_success',
    check: 'status',
    ...before(
      '</samlp:Status>',
      '</samlp:Status><samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:AuthnFailed"/></samlp:Status>',
    ),
  },
  {
    name: 'Success only below another status',
    reason: 'saml.status_not_success',
    check: 'status',
    ...before(
      /<samlp:StatusCode ([^>]*)\/>/,
      '<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Responder"><samlp:StatusCode $1/></samlp:StatusCode>',
    ),
  },
  {
    name: 'a Status in the namespace of assertions',
    reason: 'saml.status_not_success',
    check: 'status',
    change: { before: xml => xml.replaceAll('samlp:Status', 'saml:Status') },
  },
]

const addressed: Attack[] = [
  {
    name: "another service's Destination",
    reason: 'saml.destination_mismatch',
    check: 'destination',
    ...before(`Destination="${acsUrl}"`, `Destination="${evil}"`),
  },
  {
    name: 'a Destination that only begins with the ACS URL',
    reason: 'saml.destination_mismatch',
    check: 'destination',
    ...before(`Destination="${acsUrl}"`, `Destination="${acsUrl}/"`),
  },
  {
    name: 'an empty Destination',
    reason: 'saml.destination_mismatch',
    check: 'destination',
    ...before(`Destination="${acsUrl}"`, 'Destination=""'),
  },
  {
    name: 'a signed Response without Destination',
    reason: 'saml.destination_mismatch',
    check: 'destination',
    ...before(` Destination="${acsUrl}"`, ''),
  },
  {
    name: 'a foreign Destination in an unsigned Response',
    reason: 'saml.destination_mismatch',
    check: 'destination',
    ...assertionSigned(swap(`Destination="${acsUrl}"`, `Destination="${evil}"`)),
  },
  {
    name: "another service's Recipient",
    reason: 'saml.recipient_mismatch',
    check: 'recipient',
    ...before(`Recipient="${acsUrl}"`, `Recipient="${evil}"`),
  },
  {
    name: 'no Recipient',
    reason: 'saml.recipient_mismatch',
    check: 'recipient',
    ...before(` Recipient="${acsUrl}"`, ''),
  },
  {
    name: 'a Recipient in other letters',
    reason: 'saml.recipient_mismatch',
    check: 'recipient',
    ...before(`Recipient="${acsUrl}"`, `Recipient="${acsUrl.toUpperCase()}"`),
  },
  {
    name: "another service's audience",
    reason: 'saml.audience_mismatch',
    check: 'audience',
    change: { plan: { audience: 'other.example.com' } },
  },
  {
    name: 'our entity ID for another provider',
    reason: 'saml.audience_mismatch',
    check: 'audience',
    settings: { entityId: 'mysite' },
  },
  {
    name: 'no AudienceRestriction',
    reason: 'saml.audience_mismatch',
    check: 'audience',
    change: { before: xml => without(xml, 'saml:AudienceRestriction') },
  },
  {
    name: 'an empty AudienceRestriction',
    reason: 'saml.audience_mismatch',
    check: 'audience',
    change: { before: xml => without(xml, 'saml:Audience') },
  },
  {
    name: 'two AudienceRestrictions, one of them foreign',
    reason: 'saml.audience_mismatch',
    check: 'audience',
    ...before(
      '</saml:AudienceRestriction>',
      '</saml:AudienceRestriction><saml:AudienceRestriction><saml:Audience>x</saml:Audience></saml:AudienceRestriction>',
    ),
  },
  {
    name: 'an audience in another namespace',
    reason: 'saml.audience_mismatch',
    check: 'audience',
    change: { before: xml => xml.replaceAll('saml:Audience>', 'samlp:Audience>') },
  },
]

const confirmed: Attack[] = [
  { name: 'holder-of-key', check: 'bearer confirmation', ...before('cm:bearer', 'cm:holder-of-key') },
  { name: 'sender-vouches', check: 'bearer confirmation', ...before('cm:bearer', 'cm:sender-vouches') },
  { name: 'no SubjectConfirmation', check: 'bearer confirmation', ...before(confirmation, '') },
  { name: 'a bearer confirmation without data', check: 'confirmation data', ...before(data, '') },
  {
    name: 'two SubjectConfirmationData',
    check: 'confirmation data',
    ...before(/(<saml:SubjectConfirmationData[^>]*\/>)/, '$1$1'),
  },
  {
    name: 'a bearer confirmation with NotBefore',
    check: 'confirmation without NotBefore',
    ...before('<saml:SubjectConfirmationData', `<saml:SubjectConfirmationData NotBefore="${minutes(-1)}"`),
  },
  {
    name: 'a confirmation without NotOnOrAfter',
    check: 'confirmation NotOnOrAfter',
    ...before(/(<saml:SubjectConfirmationData) NotOnOrAfter="[^"]*"/, '$1'),
  },
  {
    name: 'a confirmation end without zone',
    check: 'confirmation NotOnOrAfter',
    ...before(/(<saml:SubjectConfirmationData NotOnOrAfter="[^"]*)Z"/, '$1"'),
  },
].map(attack => ({ reason: 'saml.confirmation_invalid' as const, ...attack }))

const conditions = (attributes: string) => before(conditionsTag, `<saml:Conditions ${attributes}>`)
const times: Attack[] = [
  {
    name: 'a confirmation that ended an hour ago in conditions that hold',
    reason: 'saml.expired',
    check: 'confirmation not expired',
    ...before(/(<saml:SubjectConfirmationData NotOnOrAfter=)"[^"]*"/, `$1"${minutes(-60)}"`),
  },
  {
    name: 'conditions that ended an hour ago',
    reason: 'saml.expired',
    check: 'conditions not expired',
    ...conditions(`NotOnOrAfter="${minutes(-60)}"`),
  },
  {
    name: 'conditions that ended exactly the skew ago',
    reason: 'saml.expired',
    check: 'conditions not expired',
    ...conditions(`NotOnOrAfter="${minutes(-1)}"`),
  },
  {
    name: 'conditions that begin in two minutes',
    reason: 'saml.not_yet_valid',
    check: 'conditions begun',
    ...conditions(`NotBefore="${minutes(2)}" NotOnOrAfter="${minutes(5)}"`),
  },
  {
    name: 'an IdP whose clock is an hour ahead',
    reason: 'saml.not_yet_valid',
    check: 'conditions begun',
    change: { plan: { now: clock.now() + 3_600_000 } },
  },
  {
    name: 'an IdP whose clock is an hour behind',
    reason: 'saml.expired',
    check: 'confirmation not expired',
    change: { plan: { now: clock.now() - 3_600_000 } },
  },
  {
    name: 'an assertion issued in two minutes',
    reason: 'saml.not_yet_valid',
    check: 'issued in the past',
    ...before(/(<saml:Assertion[^>]* IssueInstant=)"[^"]*"/, `$1"${minutes(2)}"`),
  },
  {
    name: 'an assertion of an hour ago that says to hold for a year',
    reason: 'saml.expired',
    check: 'issued recently',
    change: { plan: { now: clock.now() - 3_600_000, lifetime: 31_536_000_000 } },
  },
  {
    name: 'no Conditions',
    reason: 'saml.malformed',
    check: 'conditions',
    change: { before: xml => without(xml, 'saml:Conditions') },
  },
  {
    name: 'two Conditions',
    reason: 'saml.malformed',
    check: 'conditions',
    ...before(/(<saml:Conditions .*<\/saml:Conditions>)/, '$1$1'),
  },
  {
    name: 'no end anywhere',
    reason: 'saml.confirmation_invalid',
    check: 'confirmation NotOnOrAfter',
    ...before(/ NotOnOrAfter="[^"]*"/g, ''),
  },
  ...[
    '2026-11-22T10:00:00',
    '2026-11-22T10:00:00+00:00',
    '+275760-01-01T00:00:00Z',
    '99999',
    '2027-02-30T00:00:00Z',
    '2026-11-22',
    'tomorrow',
    '',
    ' 2027-01-01T00:00:00Z',
  ].map(
    (end): Attack => ({
      name: `an end at "${end}"`,
      reason: 'saml.malformed',
      check: 'conditions NotOnOrAfter',
      ...conditions(`NotOnOrAfter="${end}"`),
    }),
  ),
  {
    name: 'a beginning that is no time',
    reason: 'saml.malformed',
    check: 'conditions NotBefore',
    ...conditions(`NotBefore="x" NotOnOrAfter="${minutes(5)}"`),
  },
  {
    name: 'no IssueInstant',
    reason: 'saml.malformed',
    check: 'issue instant',
    ...before(/(<saml:Assertion[^>]*) IssueInstant="[^"]*"/, '$1'),
  },
  {
    name: 'an unknown condition',
    reason: 'saml.malformed',
    check: 'conditions understood',
    ...before('<saml:AudienceRestriction>', '<saml:Condition/><saml:AudienceRestriction>'),
  },
  {
    name: 'a condition of another namespace',
    reason: 'saml.malformed',
    check: 'conditions understood',
    ...before('<saml:AudienceRestriction>', '<d:Delegate xmlns:d="urn:d"/><saml:AudienceRestriction>'),
  },
  {
    name: 'no AuthnStatement',
    reason: 'saml.malformed',
    check: 'authentication statement',
    change: { before: xml => without(xml, 'saml:AuthnStatement') },
  },
  {
    name: 'a session that has ended',
    reason: 'saml.expired',
    check: 'session end',
    change: { plan: { sessionNotOnOrAfter: clock.now() } },
  },
  {
    name: 'a session end that is no time',
    reason: 'saml.malformed',
    check: 'session end 1',
    ...before('<saml:AuthnStatement ', '<saml:AuthnStatement SessionNotOnOrAfter="never" '),
  },
  {
    name: 'an assertion of Version 1.1',
    reason: 'saml.malformed',
    check: 'assertion version',
    ...before(/(<saml:Assertion[^>]* Version=)"2.0"/, '$1"1.1"'),
  },
]

const answers: Attack[] = [
  {
    name: 'the answer to a request that nobody sent',
    reason: 'saml.in_response_to_unknown',
    check: 'InResponseTo',
    change: { plan: { inResponseTo: '_never-issued' } },
  },
  {
    name: "the answer to another browser's request",
    reason: 'saml.in_response_to_unknown',
    check: 'InResponseTo',
    attempts: [],
  },
  {
    name: "the answer to another provider's request",
    reason: 'saml.in_response_to_unknown',
    check: 'InResponseTo',
    attempts: [{ ...attempt, provider: 'other' }],
  },
  {
    name: 'an attempt without the underscore',
    reason: 'saml.in_response_to_unknown',
    check: 'InResponseTo',
    change: { plan: { inResponseTo: attempt.id } },
  },
  {
    name: 'an empty InResponseTo',
    reason: 'saml.unsolicited',
    check: 'solicited',
    change: { plan: { inResponseTo: '' } },
  },
  {
    name: 'Response and confirmation that answer different requests',
    reason: 'saml.in_response_to_unknown',
    check: 'InResponseTo agrees',
    ...before(/(Recipient="[^"]*" InResponseTo=)"[^"]*"/, '$1"_zzz"'),
  },
  {
    name: 'InResponseTo stripped from an unsigned Response, the confirmation unknown',
    reason: 'saml.in_response_to_unknown',
    check: 'InResponseTo',
    settings: { idpInitiated: true },
    change: {
      sign: 'assertion',
      plan: { inResponseTo: '_stolen' },
      after: swap(/(<samlp:Response[^>]*) InResponseTo="[^"]*"/, '$1'),
    },
  },
  {
    name: 'InResponseTo stripped from everywhere',
    reason: 'saml.unsolicited',
    check: 'solicited',
    change: { before: xml => xml.replaceAll(/ InResponseTo="[^"]*"/g, '') },
  },
  {
    name: 'a stolen unsolicited assertion, tied by an unsigned Response to a login of the thief',
    reason: 'saml.unsolicited',
    check: 'solicited',
    change: {
      sign: 'assertion',
      before: xml => xml.replaceAll(/ InResponseTo="[^"]*"/g, ''),
      after: swap('<samlp:Response ', `<samlp:Response InResponseTo="_${attempt.id}" `),
    },
  },
  {
    name: 'an unknown InResponseTo where logins may begin at the IdP',
    reason: 'saml.in_response_to_unknown',
    check: 'InResponseTo',
    settings: { idpInitiated: true },
    change: { plan: { inResponseTo: '_old' } },
  },
]

const persons: Attack[] = [
  {
    name: 'two NameIDs',
    reason: 'saml.malformed',
    check: 'NameID',
    ...before(nameId, '<saml:NameID>jane@example.com</saml:NameID><saml:NameID>admin@example.com</saml:NameID>'),
  },
  {
    name: 'two Subjects',
    reason: 'saml.malformed',
    check: 'subject',
    ...before(/(<saml:Subject>.*<\/saml:Subject>)/, '$1$1'),
  },
  {
    name: 'no Subject',
    reason: 'saml.malformed',
    check: 'subject',
    change: { before: xml => without(xml, 'saml:Subject') },
  },
  {
    name: 'a BaseID instead of a NameID',
    reason: 'saml.decryption_failed',
    check: 'subject in clear',
    ...before(nameId, '<saml:BaseID/>'),
  },
  { name: 'no NameID', reason: 'saml.email_missing', check: 'NameID', ...before(nameId, '') },
  {
    name: 'an attribute nameID for a NameID that is not there',
    reason: 'saml.email_missing',
    check: 'NameID',
    change: { before: xml => addAttribute('nameID', 'root@example.com')(swap(nameId, '')(xml)) },
  },
  {
    name: 'an attribute __proto__ that brings the e-mail',
    reason: 'saml.email_missing',
    check: 'e-mail stated',
    settings: { attributes: { email: 'email' } },
    change: { before: addAttribute('__proto__', '<email>root@example.com</email>') },
  },
  {
    name: 'an e-mail attribute called constructor',
    reason: 'saml.email_missing',
    check: 'e-mail stated',
    settings: { attributes: { email: 'constructor' } },
  },
  { name: 'an empty NameID', reason: 'saml.email_missing', check: 'NameID', ...before('>Jane@Example.com<', '><') },
  {
    name: 'no NameID beside an e-mail attribute',
    reason: 'saml.malformed',
    check: 'NameID',
    settings: byAttribute,
    change: { before: xml => addAttribute('mail', 'jane@example.com')(swap(nameId, '')(xml)) },
  },
  { name: 'no e-mail attribute', reason: 'saml.email_missing', check: 'e-mail stated', settings: byAttribute },
  {
    name: 'an e-mail attribute without values',
    reason: 'saml.email_missing',
    check: 'e-mail stated',
    settings: byAttribute,
    change: { before: addAttribute('mail') },
  },
  {
    name: 'an e-mail attribute in other letters',
    reason: 'saml.email_missing',
    check: 'e-mail stated',
    settings: byAttribute,
    change: { before: addAttribute('Mail', 'jane@example.com') },
  },
  {
    name: 'two e-mails in one attribute',
    reason: 'saml.email_invalid',
    check: 'e-mail',
    settings: byAttribute,
    change: { before: addAttribute('mail', 'jane@example.com', 'admin@example.com') },
  },
  {
    name: 'two e-mail attributes',
    reason: 'saml.email_invalid',
    check: 'e-mail',
    settings: byAttribute,
    change: { before: xml => addAttribute('mail', 'admin@example.com')(addAttribute('mail', 'jane@example.com')(xml)) },
  },
  {
    name: 'elements for an e-mail',
    reason: 'saml.email_invalid',
    check: 'e-mail',
    settings: byAttribute,
    change: { before: addAttribute('mail', '<b>admin@example.com</b>') },
  },
  ...[
    'Jane',
    'a@b@example.com',
    'a@b&#13;&#10;X-Admin: 1',
    '\u00a0jane@example.com',
    'jane @example.com',
    'a@example.com,b@example.com',
    '&lt;a@example.com&gt;',
    `${'a'.repeat(300)}@example.com`,
    'jane@exa\u200bmple.com',
    'jose\u0301@example.com',
  ].map(
    (value): Attack => ({
      name: `NameID ${JSON.stringify(value.slice(0, 40))}`,
      reason: 'saml.email_invalid',
      check: 'e-mail',
      ...before('>Jane@Example.com<', `>${value}<`),
    }),
  ),
]

export const semantics: Attack[] = [...senders, ...addressed, ...confirmed, ...times, ...answers, ...persons]
