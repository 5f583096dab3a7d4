// Logins by responses that two other libraries make: samlify and samlp. Each reads our own request, and samlify our
// metadata; Deskgate takes what they sign and encrypt through its real hand-over.

import t from 'tap'
import { prescanResponse } from '../../src/providers/saml/response/prescan.js'
import { rsaPair } from '../parts/configuration.js'
import { signingKey } from '../parts/demo-idp.js'
import { acsPath, beginLogin, loginOutcome, requestAtDesk, startInteropGateway } from '../parts/interop-gateway.js'
import type { Maker, Signed } from '../parts/saml-makers.js'
import { createSamlifyIdp } from '../parts/samlify-idp.js'
import { claims, createSamlpIdp } from '../parts/samlp-idp.js'

const person = { email: "Zoë.O'Neil+desk@example.com", name: 'Zoë <"&O\'Neil>', role: 'agents' }
const desk = {
  url: '/tickets/7',
  email: "zo%C3%AB.o'neil+desk@example.com",
  name: 'Zo%C3%AB <"&O\'Neil>',
  provider: 'corp',
}
const ours = rsaPair(Date.UTC(2035, 0, 1))
const makers: Array<{ maker: Maker; attributes: Record<string, string>; roles: string }> = [
  {
    maker: createSamlifyIdp(signingKey()),
    attributes: { email: 'NameID', name: 'displayName', roles: 'groups' },
    roles: 'agents',
  },
  {
    maker: createSamlpIdp(signingKey()),
    attributes: { email: `${claims}/emailaddress`, name: `${claims}/name` },
    roles: '',
  },
]
const byHand = ({ issuer, loginUrl }: Maker) => ({ issuer, loginUrl, certificates: ['idp.crt'] })

for (const { maker, attributes, roles } of makers) {
  t.test(maker.name, async t => {
    const files = { 'idp.crt': maker.certificate }
    const behind = await startInteropGateway({ ...byHand(maker), attributes }, { files })
    t.teardown(behind.close)
    const spMetadata = await behind.spMetadata()
    // Where logins may begin there too, and we have a key of our own.
    const open = await startInteropGateway(
      { ...byHand(maker), attributes, idpInitiated: true, signRequests: true, key: 'sp.key', certificate: 'sp.crt' },
      { files: { ...files, 'sp.key': ours.key, 'sp.crt': ours.certificate } },
    )
    t.teardown(open.close)

    for (const signed of ['assertion', 'response', 'both'] as Signed[]) {
      t.test(`logs an agent in, signed: ${signed}`, async t => {
        const agent = behind.newAgent()
        const fields = await maker.answer(await beginLogin(agent, '/tickets/7'), { signed, spMetadata, person })
        const scan = prescanResponse(fields.SAMLResponse)
        if (!('summary' in scan)) throw new Error(scan.malformed)
        const { responseSignatures, assertionSignatures } = scan.summary
        t.strictSame([responseSignatures > 0, assertionSignatures > 0], [signed !== 'assertion', signed !== 'response'])

        t.equal(loginOutcome(await agent.postCrossSite(acsPath, fields)), '303 /tickets/7')
        t.strictSame(await requestAtDesk(behind, agent, '/tickets/7'), { ...desk, roles })
        t.equal(loginOutcome(await behind.newAgent().postCrossSite(acsPath, fields)), '400 saml.in_response_to_unknown')
      })
    }

    for (const signed of ['assertion', 'response', 'both'] as Signed[]) {
      t.test(`begins a login itself, signed: ${signed}`, async t => {
        const fields = await maker.answer(undefined, { signed, spMetadata, person })
        t.equal(loginOutcome(await behind.newAgent().postCrossSite(acsPath, fields)), '400 saml.unsolicited')
        const agent = open.newAgent()
        t.equal(
          loginOutcome(await agent.postCrossSite(acsPath, { ...fields, RelayState: '/tickets/9' })),
          '303 /tickets/9',
        )
        t.strictSame(await requestAtDesk(open, agent, '/tickets/9'), { ...desk, url: '/tickets/9', roles })
        t.equal(loginOutcome(await open.newAgent().postCrossSite(acsPath, fields)), '400 saml.replayed')
      })

      t.test(`encrypts the assertion to the certificate in our metadata, signed: ${signed}`, async t => {
        const ours = await open.spMetadata()
        for (const begun of ['here', 'there']) {
          const agent = open.newAgent()
          const asked = begun === 'here' ? await beginLogin(agent, '/tickets/7') : undefined
          const fields = await maker.answer(asked, { signed, spMetadata: ours, person, encrypted: true })
          const scan = prescanResponse(fields.SAMLResponse)
          if (!('summary' in scan)) throw new Error(scan.malformed)
          const { encryptedAssertions, assertions, responseSignatures } = scan.summary
          t.strictSame([encryptedAssertions, assertions, responseSignatures > 0], [1, 0, signed !== 'assertion'])
          t.equal(
            loginOutcome(await agent.postCrossSite(acsPath, fields)),
            begun === 'here' ? '303 /tickets/7' : '303 /',
          )
          t.strictSame(await requestAtDesk(open, agent, '/tickets/7'), { ...desk, roles })
        }
      })
    }

    t.test('verifies our request, and answers it', async t => {
      const [ours, agent] = [await open.spMetadata(), open.newAgent()]
      const how = { signed: 'both', spMetadata: ours, person, verified: true } as const
      const asked = await beginLogin(agent)
      t.equal(loginOutcome(await agent.postCrossSite(acsPath, await maker.answer(asked, how))), '303 /')
      const changed = asked.replace(/RelayState=./, 'RelayState=~')
      await t.rejects(maker.answer(changed, how), 'Attack: another RelayState under the same signature')
      await t.rejects(maker.answer(await beginLogin(behind.newAgent()), how), 'one without a signature')
    })
  })
}

t.test("samlify's metadata is read as a file", async t => {
  const maker = createSamlifyIdp(signingKey())
  const behind = await startInteropGateway({ metadata: 'idp.xml' }, { files: { 'idp.xml': maker.metadata ?? '' } })
  t.teardown(behind.close)
  const agent = behind.newAgent()
  const how = { signed: 'both', spMetadata: await behind.spMetadata(), person } as const
  const fields = await maker.answer(await beginLogin(agent), how)
  t.equal(loginOutcome(await agent.postCrossSite(acsPath, fields)), '303 /')
})

t.test("samlify's own template has no AuthnStatement, which SAML demands: refused for that", async t => {
  const maker = createSamlifyIdp(signingKey(), { statement: 'none' })
  const behind = await startInteropGateway(byHand(maker), { files: { 'idp.crt': maker.certificate } })
  t.teardown(behind.close)
  const agent = behind.newAgent()
  const how = { signed: 'both', spMetadata: await behind.spMetadata(), person } as const
  const fields = await maker.answer(await beginLogin(agent), how)
  t.equal(loginOutcome(await agent.postCrossSite(acsPath, fields)), '400 saml.malformed')
})
