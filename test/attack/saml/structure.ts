// Signatures and XML: what is verified is what is used, and nothing that two parsers could read differently gets in.

import { signElement } from '../../../src/demo/idp-messages.js'
import { encode, part, swap, swapAll, without } from '../../parts/saml-idp.js'
import { type Attack, idp, idpOf, signing, stranger } from './attack.js'

const sha1 = {
  signatureAlgorithm: 'http://www.w3.org/2000/09/xmldsig#rsa-sha1',
  digestAlgorithm: 'http://www.w3.org/2000/09/xmldsig#sha1',
}
const signatureOf = (xml: string) => part(xml, 'ds:Signature')
const assertionOf = (xml: string) => part(xml, 'saml:Assertion')
const forge = (xml: string) => xml.replaceAll('Jane@Example.com', 'admin@example.com').replace(/ ID="_a/, ' ID="_evil')
const unsigned = (xml: string) => without(xml, 'ds:Signature')
const algorithm = (from: string, to: string) => ({ after: swap(`Algorithm="${from}"`, `Algorithm="${to}"`) })
const rsaSha256 = 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256'
const exclusive = 'http://www.w3.org/2001/10/xml-exc-c14n#'
const enveloped = 'http://www.w3.org/2000/09/xmldsig#enveloped-signature'
const at = (sign: 'response' | 'assertion' | 'both', after: (xml: string) => string) => ({ change: { sign, after } })

const wrapping: Attack[] = [
  [
    'XSW1: a forged response with the signed one inside its signature',
    'response',
    (xml: string) => {
      const original = unsigned(xml)
      return forge(xml).replace(' ID="_r', ' ID="_evilr').replace('</ds:Signature>', `${original}</ds:Signature>`)
    },
  ],
  [
    'XSW2: the signed response as a detached sibling before the signature',
    'response',
    (xml: string) =>
      forge(xml)
        .replace(' ID="_r', ' ID="_evilr')
        .replace('<ds:Signature', `${unsigned(xml)}<ds:Signature`),
  ],
  [
    'XSW3: a forged assertion before the signed one',
    'assertion',
    (xml: string) => xml.replace('<saml:Assertion', `${forge(unsigned(assertionOf(xml)))}<saml:Assertion`),
  ],
  [
    'XSW4: the signed assertion inside a forged one',
    'assertion',
    (xml: string) => {
      const original = assertionOf(xml)
      return xml.replace(
        original,
        forge(unsigned(original)).replace('</saml:Assertion>', `${original}</saml:Assertion>`),
      )
    },
  ],
  [
    'XSW5: the signed assertion changed, its original without signature at the end',
    'assertion',
    (xml: string) => {
      const original = assertionOf(xml)
      return xml.replace(original, `${forge(original)}${unsigned(original)}`)
    },
  ],
  [
    'XSW6: the original assertion inside the signature of the changed one',
    'assertion',
    (xml: string) => {
      const original = assertionOf(xml)
      return xml.replace(original, forge(original).replace('</ds:Signature>', `${unsigned(original)}</ds:Signature>`))
    },
  ],
  [
    'XSW7: a forged assertion in Extensions',
    'assertion',
    (xml: string) =>
      xml.replace(
        '<samlp:Status>',
        `<samlp:Extensions>${forge(unsigned(assertionOf(xml)))}</samlp:Extensions><samlp:Status>`,
      ),
  ],
  [
    'XSW8: the original assertion in ds:Object of the changed one',
    'assertion',
    (xml: string) => {
      const original = assertionOf(xml)
      const inside = `<ds:Object>${unsigned(original)}</ds:Object></ds:Signature>`
      return xml.replace(original, forge(original).replace('</ds:Signature>', inside))
    },
  ],
  [
    'XSW9: a forged assertion with the ID of the signed one',
    'assertion',
    (xml: string) => {
      const original = assertionOf(xml)
      return xml.replace(original, unsigned(original).replace('Jane@', 'admin@') + original)
    },
  ],
  [
    'an unsigned assertion in an extension of a signed response',
    'response',
    (xml: string) =>
      xml.replace('</saml:Assertion>', `<saml:Advice>${forge(assertionOf(xml))}</saml:Advice></saml:Assertion>`),
  ],
  [
    'two assertions, both signed',
    'assertion',
    (xml: string) => {
      const other = assertionOf(idp.xml({ sign: 'assertion' }))
      return xml.replace('</samlp:Response>', `${other}</samlp:Response>`)
    },
  ],
  [
    'an encrypted assertion beside the signed one',
    'assertion',
    (xml: string) => xml.replace('</samlp:Response>', '<saml:EncryptedAssertion/></samlp:Response>'),
  ],
  [
    'a signature in a namespace of its own, first in the assertion',
    'assertion',
    (xml: string) => xml.replace('<ds:Signature', '<x:Signature xmlns:x="urn:x"/><ds:Signature'),
  ],
  [
    'a signature at the end of Status',
    'assertion',
    (xml: string) => xml.replace('</samlp:Status>', `${signatureOf(xml)}</samlp:Status>`),
  ],
  [
    'the ID of the assertion on an extension too',
    'assertion',
    (xml: string) => {
      const id = / ID="(_a\d+)"/.exec(xml)?.[1]
      return xml.replace('<samlp:Status>', `<samlp:Extensions><x Id="${id}"/></samlp:Extensions><samlp:Status>`)
    },
  ],
].map(([name, sign, after]) => ({
  name: name as string,
  reason: 'saml.signature_invalid',
  check: 'one assertion, signatures in place',
  ...at(sign as 'response', after as (xml: string) => string),
}))

const invalid: Attack[] = [
  { name: 'an e-mail changed after the signing', change: { after: swap('Jane@', 'admin@') } },
  {
    name: 'a changed response around an assertion whose signature holds',
    change: { after: swap('Version="2.0"', 'Version="2.0" Consent="x"') },
  },
  {
    name: 'an assertion changed below a signature of the response alone',
    change: { sign: 'response' as const, after: swap('Jane@', 'admin@') },
  },
  {
    name: 'a response signed by the right key around an assertion signed by a stranger',
    message: () => {
      const inner = idpOf(stranger).xml({ sign: 'assertion' })
      return encode(signElement(inner, "/*[local-name(.)='Response']", signing))
    },
  },
  {
    name: 'an assertion signed by the right key in a response signed by a stranger',
    message: () => {
      const inner = idp.xml({ sign: 'assertion' })
      return encode(signElement(inner, "/*[local-name(.)='Response']", stranger))
    },
  },
  {
    name: "a stranger's key, which KeyInfo brings along",
    message: () => idpOf(stranger).message(),
  },
  {
    name: "a stranger's signature with the right certificate in KeyInfo",
    message: () => idpOf({ ...stranger, certificate: signing.certificate }).message(),
  },
  {
    name: 'an assertion changed after its signing, in a response that was signed after the change',
    message: () => {
      const inner = idp.xml({ sign: 'assertion', after: swap('Jane@', 'admin@') })
      return encode(signElement(inner, "/*[local-name(.)='Response']", signing))
    },
  },
  {
    name: 'an empty SignatureValue',
    change: { after: (xml: string) => xml.replaceAll(/<ds:SignatureValue>[^<]*/g, '<ds:SignatureValue>') },
  },
  {
    name: 'a comment in DigestValue (SAMLStorm)',
    change: {
      sign: 'assertion' as const,
      after: (xml: string) => swap('Jane@', 'admin@')(xml).replace('<ds:DigestValue>', '<ds:DigestValue><!--evil-->'),
    },
  },
  {
    name: 'two SignedInfo in one signature (SAMLStorm)',
    change: {
      sign: 'assertion' as const,
      after: (xml: string) => xml.replace('</ds:SignedInfo>', `</ds:SignedInfo>${part(xml, 'ds:SignedInfo')}`),
    },
  },
  {
    name: 'no Reference',
    change: { sign: 'assertion' as const, after: (xml: string) => without(xml, 'ds:Reference') },
  },
  {
    name: 'a Reference to the whole document',
    change: { sign: 'response' as const, after: swap(/URI="#_r\d+"/, 'URI=""') },
  },
  {
    name: 'a Reference to another element',
    change: { sign: 'assertion' as const, after: swap(/URI="#_a\d+"/, 'URI="#_other"') },
  },
  {
    name: 'two References in one signature',
    change: {
      sign: 'assertion' as const,
      after: (xml: string) => xml.replace('</ds:Reference>', `</ds:Reference>${part(xml, 'ds:Reference')}`),
    },
  },
  {
    name: 'three transforms',
    change: {
      sign: 'assertion' as const,
      after: swap('</ds:Transforms>', `<ds:Transform Algorithm="${exclusive}"/></ds:Transforms>`),
    },
  },
  { name: 'a white-space change inside what is signed', change: { after: swap('<saml:Subject>', ' <saml:Subject>') } },
  { name: 'no certificate configured', certificates: [] },
].map(attack => ({ reason: 'saml.signature_invalid', check: 'signature', ...attack }))

const counted: Attack[] = [
  {
    name: 'two signatures in one assertion',
    reason: 'saml.signature_invalid',
    check: 'one signature per element',
    ...at('assertion', xml => xml.replace('<ds:Signature', `${signatureOf(xml)}<ds:Signature`)),
  },
  { name: 'nothing signed', reason: 'saml.signature_missing', check: 'signature present', change: { sign: 'none' } },
  {
    name: 'every signature taken out',
    reason: 'saml.signature_missing',
    check: 'signature present',
    ...at('both', xml => without(without(xml, 'ds:Signature'), 'ds:Signature')),
  },
  {
    name: 'a signature in another namespace',
    reason: 'saml.signature_invalid',
    check: 'one assertion, signatures in place',
    ...at(
      'assertion',
      swap('xmlns:ds="http://www.w3.org/2000/09/xmldsig#"', 'xmlns:ds="http://www.w3.org/2000/09/xmldsig"'),
    ),
  },
  {
    name: 'an encrypted assertion without a key',
    reason: 'saml.decryption_failed',
    check: 'encryption',
    ...at('response', xml => xml.replace(assertionOf(xml), '<saml:EncryptedAssertion/>')),
  },
  {
    name: 'an encrypted NameID',
    reason: 'saml.decryption_failed',
    check: 'encryption',
    change: { before: swap('<saml:SubjectConfirmation ', '<saml:EncryptedID/><saml:SubjectConfirmation ') },
  },
  {
    name: 'no assertion at all',
    reason: 'saml.malformed',
    check: 'assertion',
    ...at('assertion', xml => without(xml, 'saml:Assertion')),
  },
  {
    name: 'an Assertion in a namespace that only looks right',
    reason: 'saml.malformed',
    check: 'assertion',
    change: {
      sign: 'response',
      before: swapAll('urn:oasis:names:tc:SAML:2.0:assertion', 'urn:oasis:names:tc:SAML:2.0:Assertion'),
      after: swap(
        '<samlp:Status>',
        '<i:Issuer xmlns:i="urn:oasis:names:tc:SAML:2.0:assertion">https://idp.example.com/metadata</i:Issuer><samlp:Status>',
      ),
    },
  },
  {
    name: 'a signed response with something else for an assertion',
    reason: 'saml.malformed',
    check: 'assertion',
    change: {
      sign: 'response',
      before: xml => without(xml, 'saml:Assertion').replace('</samlp:Response>', '<saml:Statement/></samlp:Response>'),
    },
  },
]

const algorithms: Attack[] = [
  { name: 'SHA-1 by the right key', change: { signing: sha1 } },
  { name: 'a SHA-1 digest below a SHA-256 signature', change: { signing: { digestAlgorithm: sha1.digestAlgorithm } } },
  { name: 'RSA-MD5', change: algorithm(rsaSha256, 'http://www.w3.org/2001/04/xmldsig-more#rsa-md5') },
  { name: 'HMAC with the public key', change: algorithm(rsaSha256, 'http://www.w3.org/2000/09/xmldsig#hmac-sha1') },
  { name: 'no algorithm', change: algorithm(rsaSha256, '') },
  { name: 'an XSLT transform', change: algorithm(enveloped, 'http://www.w3.org/TR/1999/REC-xslt-19991116') },
  { name: 'an XPath transform', change: algorithm(enveloped, 'http://www.w3.org/TR/1999/REC-xpath-19991116') },
  { name: 'a base64 transform', change: algorithm(enveloped, 'http://www.w3.org/2000/09/xmldsig#base64') },
  {
    name: 'inclusive canonicalisation',
    change: { signing: { canonicalization: 'http://www.w3.org/TR/2001/REC-xml-c14n-20010315' } },
  },
  {
    name: 'SHA-1 in single quotes',
    change: { signing: sha1, after: (xml: string) => xml.replaceAll(/Algorithm="([^"]*sha1)"/g, "Algorithm='$1'") },
  },
  { name: 'SHA-1 by character references', change: { signing: sha1, after: swapAll('sha1"', 'sh&#97;1"') } },
  { name: 'an allowed algorithm by character references', change: { after: swap('rsa-sha256"', 'rs&#97;-sha256"') } },
  {
    name: 'Algorithm under a prefix',
    change: {
      after: swap(`Algorithm="${rsaSha256}"`, `Algorithm="${rsaSha256}" ds:Algorithm="${sha1.signatureAlgorithm}"`),
    },
  },
  {
    name: 'an allowed algorithm under a prefix',
    change: { after: swap(`Algorithm="${rsaSha256}"`, `ds:Algorithm="${rsaSha256}" Algorithm="${rsaSha256}"`) },
  },
  {
    name: 'algorithm in small letters',
    change: {
      after: swap(`Algorithm="${rsaSha256}"`, `Algorithm="${rsaSha256}" algorithm="${sha1.signatureAlgorithm}"`),
    },
  },
  { name: 'a space behind an allowed algorithm', change: algorithm(exclusive, `${exclusive} `) },
  {
    name: 'a digest algorithm where a signature algorithm belongs',
    change: algorithm(rsaSha256, 'http://www.w3.org/2001/04/xmlenc#sha256'),
  },
  {
    name: 'encryption by 3DES',
    change: { after: swap('</saml:Assertion>', encrypted('http://www.w3.org/2001/04/xmlenc#tripledes-cbc')) },
  },
  {
    name: 'encryption by AES-CBC',
    change: {
      sign: 'assertion' as const,
      after: swap('</saml:Assertion>', encrypted('http://www.w3.org/2001/04/xmlenc#aes256-cbc')),
    },
  },
  {
    name: 'a key encrypted by RSA 1.5',
    change: { after: swap('</saml:Assertion>', encrypted('http://www.w3.org/2001/04/xmlenc#rsa-1_5')) },
  },
].map(attack => ({ reason: 'saml.algorithm_not_allowed', check: 'algorithms', ...attack }))

function encrypted(value: string): string {
  return `</saml:Assertion><saml:EncryptedAssertion><EncryptedData xmlns="http://www.w3.org/2001/04/xmlenc#"><EncryptionMethod Algorithm="${value}"/></EncryptedData></saml:EncryptedAssertion>`
}

const raw = (text: string) => () => Buffer.from(text).toString('base64')
const first = (xml: string) => (text: string) => `${text}${xml}`
const good = () => idp.xml()

const malformed: Attack[] = [
  { name: 'a DOCTYPE that does nothing', change: { after: first('<!DOCTYPE samlp:Response>') } },
  { name: 'a DOCTYPE before the response', change: { after: (xml: string) => `<!DOCTYPE Response>${xml}` } },
  {
    name: 'an internal subset with ATTLIST',
    change: { after: (xml: string) => `<!DOCTYPE r [<!ATTLIST r ID ID #IMPLIED>]>${xml}` },
  },
  {
    name: 'billion laughs',
    change: {
      after: (xml: string) => `<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>${xml}`.replace('Jane@', '&b;@'),
    },
  },
  {
    name: 'an external entity',
    change: {
      after: (xml: string) => `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>${xml}`.replace('Jane@', '&e;@'),
    },
  },
  { name: 'an entity that is not declared', change: { after: swap('Jane@', '&nbsp;Jane@') } },
  { name: 'a processing instruction', change: { after: (xml: string) => `<?xml-stylesheet href="x"?>${xml}` } },
  { name: 'a processing instruction in NameID', change: { after: swap('Jane@', 'Jane<?x?>@') } },
  {
    name: 'a declaration of UTF-16',
    change: { after: (xml: string) => `<?xml version="1.0" encoding="UTF-16"?>${xml}` },
  },
  {
    name: 'a declaration of ISO-8859-1',
    change: { after: (xml: string) => `<?xml version="1.0" encoding="ISO-8859-1"?>${xml}` },
  },
  { name: 'XML 1.1', change: { after: (xml: string) => `<?xml version="1.1"?>${xml}` } },
  { name: 'a declaration after a space', change: { after: (xml: string) => ` <?xml version="1.0"?>${xml}` } },
  { name: 'a byte order mark', change: { after: (xml: string) => `\ufeff${xml}` } },
  { name: 'UTF-16', message: () => Buffer.from(good(), 'utf16le').toString('base64') },
  {
    name: 'overlong UTF-8',
    message: () =>
      Buffer.concat([Buffer.from('<!--'), Buffer.from([0xc0, 0xaf]), Buffer.from(`-->${good()}`)]).toString('base64'),
  },
  { name: 'base64 with a character too many', message: () => `${idp.message().slice(0, -4)}*` },
  { name: 'base64url', message: () => Buffer.from(`${good()}<!--???>>>-->`).toString('base64url') },
  { name: 'base64 with no-break spaces', message: () => idp.message().replace(/(.{76})/, '$1\u00a0') },
  {
    name: 'base64 with set bits at its end',
    message: () =>
      Buffer.from(`${good().padEnd(9000)} `)
        .toString('base64')
        .replace(/IA==$/, 'IB=='),
  },
  { name: 'nothing', message: () => '' },
  { name: 'a number', message: () => 42 as never },
  { name: 'a list of two', message: () => [idp.message(), idp.message()] as never },
  { name: 'no XML', message: raw('hello') },
  { name: 'JSON', message: raw('{"a":1}') },
  { name: 'HTML', message: raw('<html><body>hello</body></html>') },
  { name: 'a LogoutResponse', change: { after: swapAll('samlp:Response', 'samlp:LogoutResponse') } },
  { name: 'a Response in no namespace', message: raw('<Response Version="2.0" ID="_1"/>') },
  {
    name: 'a Response of SAML 1.1',
    change: { after: swap('urn:oasis:names:tc:SAML:2.0:protocol', 'urn:oasis:names:tc:SAML:1.0:protocol') },
  },
  {
    name: 'an assertion alone',
    change: {
      sign: 'assertion' as const,
      after: (xml: string) =>
        assertionOf(xml).replace(
          '<saml:Assertion',
          '<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"',
        ),
    },
  },
  { name: 'two roots', change: { after: (xml: string) => `${xml}${xml}` } },
  { name: 'text behind the root', change: { after: (xml: string) => `${xml}x` } },
  { name: 'an element that is not closed', change: { after: (xml: string) => xml.slice(0, -3) } },
  { name: 'crossed end tags', change: { after: swap('</saml:NameID>', '</saml:NameId>') } },
  { name: 'an attribute twice', change: { after: swap('Version="2.0"', 'Version="2.0" Version="2.0"') } },
  {
    name: 'an attribute twice by two prefixes',
    change: { after: swap('Version="2.0"', 'xmlns:q="urn:q" xmlns:r="urn:q" q:a="1" r:a="2" Version="2.0"') },
  },
  { name: 'an attribute without quotes', change: { after: swap('Version="2.0"', 'Version=2.0') } },
  { name: 'a "<" in an attribute', change: { after: swap('Version="2.0"', 'Version="2.0" a="<"') } },
  { name: 'a line break in an attribute', change: { after: swap('Version="2.0"', 'Version="2.0" a="\n"') } },
  { name: 'attributes without a space', change: { after: swap('Version="2.0" ', 'Version="2.0"') } },
  { name: 'samlp:ID beside ID', change: { after: swap(' ID="_r', ' samlp:ID="_zzz" ID="_r') } },
  { name: 'Id beside ID', change: { after: swap(' ID="_r', ' Id="_zzz" ID="_r') } },
  { name: 'xml:id', change: { after: swap(' ID="_r', ' xml:id="_zzz" ID="_r') } },
  { name: 'a prefix that is not declared', change: { after: swap('<saml:Issuer>', '<q:x/><saml:Issuer>') } },
  { name: 'a namespace undeclared', change: { after: swap('<saml:Issuer>', '<saml:Issuer xmlns="">') } },
  { name: 'a relative namespace', change: { after: swap('<saml:Issuer>', '<saml:Issuer xmlns:x="1">') } },
  {
    name: 'a namespace by character references',
    change: { after: swap('SAML:2.0:protocol"', 'SAML:2.0:proto&#99;ol"') },
  },
  { name: 'the xml prefix bound anew', change: { after: swap('<saml:Issuer>', '<saml:Issuer xmlns:xml="urn:x">') } },
  {
    name: 'the XHTML namespace, where a parser reads script as text',
    change: { after: swap('<saml:Issuer>', '<script xmlns="http://www.w3.org/1999/xhtml"></script><saml:Issuer>') },
  },
  { name: 'NUL', change: { after: swap('Jane@', 'Jane\u0000@') } },
  { name: 'NUL by reference', change: { after: swap('Jane@', 'Jane&#0;@') } },
  { name: 'half a surrogate pair by reference', change: { after: swap('Jane@', 'Jane&#xD800;@') } },
  { name: 'a reference in an upper-case X', change: { after: swap('Jane@', '&#X4A;ane@') } },
  { name: 'U+2028, a line break to one parser alone', change: { after: swap('Jane@', 'Jane\u2028@') } },
  { name: 'U+0085 by reference', change: { after: swap('Jane@', 'Jane&#x85;@') } },
  { name: '"]]>" in text', change: { after: swap('Jane@', ']]>@') } },
  { name: 'a comment with "--"', change: { after: swap('Jane@', 'Jane<!-- a-- b -->@') } },
  { name: 'CDATA that does not end', change: { after: swap('Jane@', '<![CDATA[') } },
].map(attack => ({ reason: 'saml.malformed', check: 'message', ...attack }))

const version: Attack = {
  name: 'Version 1.1',
  reason: 'saml.malformed',
  check: 'response version',
  change: { before: swap('Version="2.0"', 'Version="1.1"') },
}

export const structure: Attack[] = [...wrapping, ...invalid, ...counted, ...algorithms, ...malformed, version]
