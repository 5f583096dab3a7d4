// What reaches an XML library before a trusted key is known to have signed it: the signature alone. The library's work
// grows with the square of the elements, so that the rest must wait.

import { DOMParser } from '@xmldom/xmldom'
import t from 'tap'
import { prescanResponse } from '../../../src/providers/saml/response/prescan.js'
import { findCertificate } from '../../../src/providers/saml/signature/verify.js'
import { createSamlIdp, encode, type ResponseChange, swap } from '../../parts/saml-idp.js'
import { clock, idp, judge, signing, stranger } from './refusals.js'

const bulk = (count: number) => swap('</saml:Subject>', `${'a<x/>'.repeat(count)}</saml:Subject>`)
const foreign = createSamlIdp({ signing: stranger, clock })

/** The longest text that xmldom was given meanwhile. */
async function longestParsed(run: () => Promise<unknown>): Promise<number> {
  const { parseFromString } = DOMParser.prototype
  let longest = 0
  DOMParser.prototype.parseFromString = function (source: string, type?: string) {
    longest = Math.max(longest, source.length)
    return parseFromString.call(this, source, type)
  }
  try {
    await run()
  } finally {
    DOMParser.prototype.parseFromString = parseFromString
  }
  return longest
}

t.test('a good response is read whole, so that the measure means something', async t => {
  const message = idp.message()
  t.ok((await longestParsed(() => judge({ message: () => message }))) > 5000)
})

for (const sign of ['response', 'assertion', 'both'] as const) {
  t.test(`Attack: 4,000 elements around a stranger's signature of the ${sign}`, async t => {
    const change: ResponseChange = { sign, before: bulk(4000) }
    const message = foreign.message(change)
    let reason: string | undefined
    const longest = await longestParsed(async () => {
      ;({ reason } = await judge({ message: () => message }))
    })
    t.equal(reason, 'saml.signature_invalid')
    t.ok(longest < 5000, `${longest} characters`)
  })
}

t.test('Attack: a signature of 50 elements', async t => {
  const { reason } = await judge({ change: { after: swap('<ds:KeyInfo>', `<ds:KeyInfo>${'<x/>'.repeat(40)}`) } })
  t.equal(reason, 'saml.malformed')
})

t.test('the signer is found among several certificates', async t => {
  for (const sign of ['response', 'assertion', 'both'] as const) {
    const scan = prescanResponse(idp.message({ sign }))
    if (!('summary' in scan)) throw new Error('malformed')
    t.equal(scan.summary.signatures.length, sign === 'both' ? 2 : 1)
    for (const signature of scan.summary.signatures) {
      t.equal(findCertificate(signature, [stranger.certificate, signing.certificate]), signing.certificate)
      t.equal(findCertificate(signature, [stranger.certificate]), undefined)
      t.equal(
        findCertificate(signature.replace('Algorithm="http://www.w3.org/2001/10', 'Algorithm="x'), [
          signing.certificate,
        ]),
        undefined,
      )
      t.equal(findCertificate(signature.replace(/rsa-sha256/, 'rsa-sha384'), [signing.certificate]), undefined)
    }
  }
  t.equal(findCertificate('<x', [signing.certificate]), undefined)
  t.equal(findCertificate('<x/>', ['no certificate']), undefined)
})

t.test('RSA-PSS logs in', async t => {
  const pss = 'http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1'
  t.equal((await judge({ change: { signing: { signatureAlgorithm: pss } } })).reason, undefined)
  // Attack: PKCS #1 1.5 passed off as PSS.
  const xml = idp.xml({ sign: 'assertion' }).replace('http://www.w3.org/2001/04/xmldsig-more#rsa-sha256', pss)
  t.equal((await judge({ message: () => encode(xml) })).reason, 'saml.signature_invalid')
})

t.test('namespaces that the signature takes from around it do not disturb it', async t => {
  const before = (xml: string) =>
    xml.replace('<samlp:Response ', '<samlp:Response xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:x="urn:x" ')
  for (const sign of ['response', 'assertion', 'both'] as const) {
    t.equal((await judge({ change: { sign, before } })).reason, undefined)
  }
})
