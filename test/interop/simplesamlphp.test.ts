// Logins by SimpleSAMLphp, a real identity provider: it imports what Deskgate prints, Deskgate reads its metadata by URL,
// and an agent fills in its own login form.

import t from 'tap'
import { explain } from '../../src/cli/commands/explain.js'
import { prescanResponse } from '../../src/providers/saml/response/prescan.js'
import {
  acsPath,
  beginLogin,
  entityId,
  type InteropGateway,
  loginOutcome,
  publicUrl,
  requestAtDesk,
  startInteropGateway,
} from '../parts/interop-gateway.js'
import { emailAsNameId, noSimpleSamlPhp, startSimpleSamlPhp } from '../parts/simplesamlphp.js'
import { answerOf, visitorOf } from '../parts/simplesamlphp-login.js'

const adminToken = 'the-admin-token-of-this-test-which-is-long-enough'
const signatures = 'http://www.w3.org/2000/09/xmldsig'
const ways = {
  'the assertion signed': { response: 0, assertion: 1 },
  'the response signed': { response: 1, assertion: 0 },
  'both signed': { response: 1, assertion: 1 },
}

t.test('SimpleSAMLphp', { skip: noSimpleSamlPhp() }, async t => {
  const idp = await startSimpleSamlPhp()
  const behind = await startInteropGateway({ metadata: idp.metadataUrl }, { threads: 'own' })
  t.teardown(async () => {
    await behind.close()
    await idp.stop()
  })
  const metadata = await behind.spMetadata()
  await idp.importSp(metadata)
  const signs = async ({ response, assertion }: { response: number; assertion: number }) => {
    // What the metadata wants it does: without this it signs every assertion.
    const wants = `WantAssertionsSigned="${assertion === 1}"`
    await idp.importSp(metadata.replace('WantAssertionsSigned="true"', wants))
    await idp.configure({ 'saml20.sign.response': response === 1, 'saml20.sign.assertion': assertion === 1 })
  }
  /** A whole login as far as the form that goes to Deskgate. */
  const answer = async (agent = behind.newAgent(), returnTo = '/') => {
    const form = await answerOf(idp, visitorOf(idp), 'jane', await beginLogin(agent, returnTo))
    return { agent, form, send: () => agent.postCrossSite(acsPath, form.fields) }
  }

  for (const [way, signatures] of Object.entries(ways)) {
    t.test(`logs an agent in with ${way}`, async t => {
      await signs(signatures)
      const { agent, form, send } = await answer(behind.newAgent(), '/tickets/7?from=mail')
      t.equal(form.action, `${publicUrl}${acsPath}`)
      const scan = prescanResponse(form.fields.SAMLResponse)
      if (!('summary' in scan)) throw new Error(scan.malformed)
      const { responseSignatures, assertionSignatures } = scan.summary
      t.strictSame({ response: responseSignatures, assertion: assertionSignatures }, signatures)

      t.equal(loginOutcome(await send()), '303 /tickets/7?from=mail')
      t.strictSame(await requestAtDesk(behind, agent, '/tickets/7?from=mail'), {
        url: '/tickets/7?from=mail',
        email: 'jane@example.com',
        name: 'Jan%C3%A9 D%C5%93',
        roles: 'agents,admins',
        provider: 'corp',
      })
    })
  }

  t.test('logs in without a form if the agent is logged in there already', async t => {
    const visitor = visitorOf(idp)
    for (const agent of [behind.newAgent(), behind.newAgent()]) {
      const form = await answerOf(idp, visitor, 'ben', await beginLogin(agent))
      t.equal(loginOutcome(await agent.postCrossSite(acsPath, form.fields)), '303 /')
      t.equal((await requestAtDesk(behind, agent, '/')).email, 'ben@example.com')
    }
  })

  t.test('Attack: its response is posted once more, or by another browser', async t => {
    const { form, send } = await answer()
    const thief = behind.newAgent()
    t.equal(loginOutcome(await thief.postCrossSite(acsPath, form.fields)), '400 saml.in_response_to_unknown')
    t.equal(loginOutcome(await send()), '303 /')
    const victim = await answer()
    await victim.send()
    victim.agent.cookies.splice(0)
    t.equal(loginOutcome(await victim.send()), '400 saml.in_response_to_unknown')
  })

  t.test('Attack: a login that nobody asked for is refused, unless the provider may begin one', async t => {
    const start = idp.initiated(entityId, '/tickets/9')
    const form = await answerOf(idp, visitorOf(idp), 'jane', start)
    t.equal(loginOutcome(await behind.newAgent().postCrossSite(acsPath, form.fields)), '400 saml.unsolicited')

    const open = await startInteropGateway({ metadata: idp.metadataUrl, idpInitiated: true })
    t.teardown(open.close)
    const agent = open.newAgent()
    t.equal(loginOutcome(await agent.postCrossSite(acsPath, form.fields)), '303 /tickets/9')
    t.equal((await requestAtDesk(open, agent, '/tickets/9')).email, 'jane@example.com')
    t.equal(loginOutcome(await open.newAgent().postCrossSite(acsPath, form.fields)), '400 saml.replayed')
  })

  t.test('a NameID that is not an e-mail address is refused for what it is', async t => {
    await idp.configure({ authproc: undefined })
    const { send } = await answer()
    t.equal(loginOutcome(await send()), '400 saml.email_invalid')
    await idp.configure(emailAsNameId)
  })

  for (const [name, change, reason] of [
    ['nothing signed', { response: 0, assertion: 0 }, 'saml.signature_missing'],
    ['signed with SHA-1', { 'signature.algorithm': `${signatures}#rsa-sha1` }, 'saml.algorithm_not_allowed'],
  ] as const) {
    t.test(`Attack: ${name}, as it can be set up there`, async t => {
      if ('response' in change) await signs(change)
      else await idp.configure(change)
      const { send } = await answer()
      t.equal(loginOutcome(await send()), `400 ${reason}`)
      await signs(ways['both signed'])
      await idp.configure({ 'signature.algorithm': undefined })
      t.equal(loginOutcome(await (await answer()).send()), '303 /')
    })
  }

  t.test('the e-mail address may be an attribute', async t => {
    await idp.configure({ authproc: undefined })
    const byMail = await startInteropGateway({ metadata: idp.metadataUrl, attributes: { email: 'mail' } })
    t.teardown(byMail.close)
    const agent = byMail.newAgent()
    const form = await answerOf(idp, visitorOf(idp), 'jane', await beginLogin(agent))
    t.equal(loginOutcome(await agent.postCrossSite(acsPath, form.fields)), '303 /')
    t.equal((await requestAtDesk(byMail, agent, '/')).email, 'jane@example.com')
    await idp.configure(emailAsNameId)
  })

  for (const [name, hours, reason] of [
    ['ahead', 1, 'saml.expired'],
    ['behind', -1, 'saml.not_yet_valid'],
  ] as const) {
    t.test(`a gateway whose clock is an hour ${name} says how far`, async t => {
      const clock = { now: () => Date.now() + hours * 3_600_000 }
      const wrong = await startInteropGateway({ metadata: idp.metadataUrl }, { clock, adminToken })
      t.teardown(wrong.close)
      const agent = wrong.newAgent()
      const form = await answerOf(idp, visitorOf(idp), 'jane', await beginLogin(agent))
      const page = await agent.postCrossSite(acsPath, form.fields)
      t.equal(loginOutcome(page), `400 ${reason}`)
      const told = await explained(wrong, page.reference ?? '')
      t.match(told, new RegExp(`identity provider's clock +3[56]\\d\\d s ${hours > 0 ? 'behind' : 'ahead'}`))
    })
  }
})

/** What `deskgate explain REFERENCE` prints. */
async function explained({ gateway }: InteropGateway, reference: string): Promise<string> {
  const lines: string[] = []
  const io = { env: { DESKGATE_ADMIN_TOKEN: adminToken }, out: (line: string) => void lines.push(line), err: () => {} }
  await explain(reference, { ops: gateway.opsUrl }, io)
  return lines.join('\n')
}

t.test('without metadata: issuer, login URL and certificate typed by hand', { skip: noSimpleSamlPhp() }, async t => {
  const idp = await startSimpleSamlPhp()
  t.teardown(idp.stop)
  const loginUrl = `${idp.url}/saml2/idp/SSOService.php`
  const byHand = { issuer: idp.entityId, loginUrl, certificates: ['idp.crt'] }
  const behind = await startInteropGateway(byHand, { files: { 'idp.crt': idp.certificate } })
  t.teardown(behind.close)
  await idp.importSp(await behind.spMetadata())
  const agent = behind.newAgent()
  const form = await answerOf(idp, visitorOf(idp), 'jane', await beginLogin(agent))
  t.equal(loginOutcome(await agent.postCrossSite(acsPath, form.fields)), '303 /')

  t.test('the next certificate is refused until it is configured', async t => {
    await idp.newKey('next')
    await idp.configure({ privatekey: 'next.key', certificate: 'next.crt' })
    const other = behind.newAgent()
    const signed = await answerOf(idp, visitorOf(idp), 'jane', await beginLogin(other))
    t.equal(loginOutcome(await other.postCrossSite(acsPath, signed.fields)), '400 saml.signature_invalid')
  })
})
