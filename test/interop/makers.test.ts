// Logins by responses that two other libraries make: samlify and samlp. Each reads our own request, and samlify our
// metadata; Deskgate takes what they sign through its real hand-over.

import t from 'tap'
import { scanSaml } from '../../src/providers/saml/scan.js'
import { acsPath, outcome, received, sentTo, startBehindGateway } from '../parts/behind-gateway.js'
import { signingKey } from '../parts/demo-idp.js'
import type { Maker, Signed } from '../parts/makers.js'
import { createSamlifyIdp } from '../parts/samlify-idp.js'
import { claims, createSamlpIdp } from '../parts/samlp-idp.js'

const person = { email: "Zoë.O'Neil+desk@example.com", name: 'Zoë <"&O\'Neil>', role: 'agents' }
const desk = {
  url: '/tickets/7',
  email: "zo%C3%AB.o'neil+desk@example.com",
  name: 'Zo%C3%AB <"&O\'Neil>',
  provider: 'corp',
}
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
    const behind = await startBehindGateway({ ...byHand(maker), attributes }, { files })
    t.teardown(behind.close)
    const spMetadata = await behind.spMetadata()

    for (const signed of ['assertion', 'response', 'both'] as Signed[]) {
      t.test(`logs an agent in, signed: ${signed}`, async t => {
        const agent = behind.newAgent()
        const fields = await maker.answer(await sentTo(agent, '/tickets/7'), { signed, spMetadata, person })
        const scan = scanSaml(fields.SAMLResponse)
        if (!('facts' in scan)) throw new Error(scan.malformed)
        const { responseSignatures, assertionSignatures } = scan.facts
        t.strictSame([responseSignatures > 0, assertionSignatures > 0], [signed !== 'assertion', signed !== 'response'])

        t.equal(outcome(await agent.handOver(acsPath, fields)), '303 /tickets/7')
        t.strictSame(await received(behind, agent, '/tickets/7'), { ...desk, roles })
        t.equal(outcome(await behind.newAgent().handOver(acsPath, fields)), '400 saml.in_response_to_unknown')
      })
    }
  })
}

t.test("samlify's metadata is read as a file", async t => {
  const maker = createSamlifyIdp(signingKey())
  const behind = await startBehindGateway({ metadata: 'idp.xml' }, { files: { 'idp.xml': maker.metadata ?? '' } })
  t.teardown(behind.close)
  const agent = behind.newAgent()
  const how = { signed: 'both', spMetadata: await behind.spMetadata(), person } as const
  const fields = await maker.answer(await sentTo(agent), how)
  t.equal(outcome(await agent.handOver(acsPath, fields)), '303 /')
})

t.test("samlify's own template has no AuthnStatement, which SAML demands: refused for that", async t => {
  const maker = createSamlifyIdp(signingKey(), { statement: 'none' })
  const behind = await startBehindGateway(byHand(maker), { files: { 'idp.crt': maker.certificate } })
  t.teardown(behind.close)
  const agent = behind.newAgent()
  const how = { signed: 'both', spMetadata: await behind.spMetadata(), person } as const
  const fields = await maker.answer(await sentTo(agent), how)
  t.equal(outcome(await agent.handOver(acsPath, fields)), '400 saml.malformed')
})
