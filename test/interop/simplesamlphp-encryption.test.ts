// SimpleSAMLphp encrypts to the certificate in our metadata, as it imported it: assertions, NameIDs, or both.

import t from 'tap'
import { explain } from '../../src/cli/commands/explain.js'
import { rsaPair } from '../parts/configuration.js'
import {
  acsPath,
  beginLogin,
  entityId,
  type InteropGateway,
  loginOutcome,
  requestAtDesk,
  startInteropGateway,
} from '../parts/interop-gateway.js'
import { noSimpleSamlPhp, type SimpleSamlPhp, startSimpleSamlPhp } from '../parts/simplesamlphp.js'
import { answerOf, visitorOf } from '../parts/simplesamlphp-login.js'

const adminToken = 'the-admin-token-of-this-test-which-is-long-enough'
const ours = rsaPair(Date.UTC(2035, 0, 1))
const own = { key: 'sp.key', certificate: 'sp.crt' }
const files = { 'sp.key': ours.key, 'sp.crt': ours.certificate }
const off = { 'assertion.encryption': undefined, 'nameid.encryption': undefined }
const xml = (message: string | undefined) => Buffer.from(message ?? '', 'base64').toString('utf8')
const algorithm = (name: string, text: string) =>
  new RegExp(`<xenc:${name}[^>]*>.*?<xenc:EncryptionMethod Algorithm="[^"]*#([^"]+)"`, 's').exec(text)?.[1]

/** A whole login as far as the form that goes to Deskgate. */
async function answer(idp: SimpleSamlPhp, behind: InteropGateway, begins: 'here' | 'there' = 'here') {
  const agent = behind.newAgent()
  const from = begins === 'here' ? await beginLogin(agent, '/tickets/7') : idp.initiated(entityId, '/tickets/7')
  const { fields } = await answerOf(idp, visitorOf(idp), 'jane', from)
  return { agent, text: xml(fields.SAMLResponse), send: () => agent.postCrossSite(acsPath, fields) }
}

t.test('encrypted by SimpleSAMLphp, with AES-GCM', { skip: noSimpleSamlPhp() }, async t => {
  const idp = await startSimpleSamlPhp({ cipher: 'AES256_GCM' })
  const how = { files, threads: 'own' } as const
  const behind = await startInteropGateway({ metadata: idp.metadataUrl, ...own, idpInitiated: true }, how)
  t.teardown(async () => {
    await behind.close()
    await idp.stop()
  })
  const metadata = await behind.spMetadata()
  await idp.importSp(metadata)
  const jane = {
    url: '/tickets/7',
    email: 'jane@example.com',
    name: 'Jan%C3%A9 D%C5%93',
    roles: 'agents,admins',
    provider: 'corp',
  }

  const assertion = { 'assertion.encryption': true }
  const nameId = { 'nameid.encryption': true }
  for (const [way, what, signed] of [
    ['the assertion', assertion, 'assertion'],
    ['the assertion', assertion, 'response'],
    ['the assertion', assertion, 'both'],
    ['the NameID', nameId, 'assertion'],
    ['the NameID and the assertion', { ...nameId, ...assertion }, 'both'],
  ] as const) {
    t.test(`logs an agent in, encrypted: ${way}, signed: ${signed}`, async t => {
      const wants = `WantAssertionsSigned="${signed !== 'response'}"`
      await idp.importSp(metadata.replace('WantAssertionsSigned="true"', wants))
      const signing = {
        'saml20.sign.response': signed !== 'assertion',
        'saml20.sign.assertion': signed !== 'response',
      }
      await idp.configure({ ...off, ...what, ...signing })
      const { agent, text, send } = await answer(idp, behind)
      t.equal(algorithm('EncryptedData', text), 'aes256-gcm')
      t.equal(algorithm('EncryptedKey', text), 'rsa-oaep-mgf1p')
      t.notMatch(text, 'jane@example.com</saml:NameID>')
      t.equal(loginOutcome(await send()), '303 /tickets/7')
      t.strictSame(await requestAtDesk(behind, agent, '/tickets/7'), jane)
    })
  }

  t.test('begun at the provider', async t => {
    await idp.configure({ ...off, ...assertion })
    const { agent, send } = await answer(idp, behind, 'there')
    t.equal(loginOutcome(await send()), '303 /tickets/7')
    t.strictSame(await requestAtDesk(behind, agent, '/tickets/7'), jane)
  })

  t.test('wantAssertionsEncrypted takes nothing else', async t => {
    const strict = await startInteropGateway(
      { metadata: idp.metadataUrl, ...own, wantAssertionsEncrypted: true },
      { files },
    )
    t.teardown(strict.close)
    t.equal(loginOutcome(await (await answer(idp, strict)).send()), '303 /tickets/7')
    await idp.configure(off)
    t.equal(loginOutcome(await (await answer(idp, strict)).send()), '400 saml.decryption_failed')
  })

  t.test('to a certificate of another key: it cannot be read', async t => {
    await idp.configure({ 'assertion.encryption': true })
    const other = rsaPair(Date.UTC(2035, 0, 1))
    const swapped = await startInteropGateway(
      { metadata: idp.metadataUrl, ...own },
      { files: { 'sp.key': other.key, 'sp.crt': other.certificate } },
    )
    t.teardown(swapped.close)
    t.equal(loginOutcome(await (await answer(idp, swapped)).send()), '400 saml.decryption_failed')
  })
})

t.test(
  'SimpleSAMLphp 1.19 as it comes encrypts with AES-CBC, which is taken inside a signed response alone',
  { skip: noSimpleSamlPhp() },
  async t => {
    const idp = await startSimpleSamlPhp()
    const behind = await startInteropGateway({ metadata: idp.metadataUrl, ...own }, { files, adminToken })
    t.teardown(async () => {
      await behind.close()
      await idp.stop()
    })
    await idp.importSp(await behind.spMetadata())
    for (const what of ['assertion.encryption', 'nameid.encryption']) {
      for (const assertion of [true, false]) {
        const signing = { 'saml20.sign.response': true, 'saml20.sign.assertion': assertion }
        await idp.configure({ ...off, [what]: true, ...signing })
        const { text, send } = await answer(idp, behind)
        t.equal(algorithm('EncryptedData', text), 'aes128-cbc')
        t.equal(loginOutcome(await send()), '303 /tickets/7', what)
      }
      await idp.configure({ ...off, [what]: true, 'saml20.sign.response': false, 'saml20.sign.assertion': true })
      const { send } = await answer(idp, behind)
      const page = await send()
      t.equal(loginOutcome(page), '400 saml.algorithm_not_allowed', what)
      const told = await explained(behind, page.reference ?? '')
      t.match(told, /EncryptionMethod: http:\/\/www\.w3\.org\/2001\/04\/xmlenc#aes128-cbc/)
      t.match(told, /AES-CBC is accepted only inside a response that is itself signed/)
      t.match(told, /saml20\.sign\.response/)
    }
    await idp.configure({ ...off, 'saml20.sign.response': true })
    t.equal(loginOutcome(await (await answer(idp, behind)).send()), '303 /tickets/7')
  },
)

/** What `deskgate explain REFERENCE` prints. */
async function explained({ gateway }: InteropGateway, reference: string): Promise<string> {
  const lines: string[] = []
  const io = { env: { DESKGATE_ADMIN_TOKEN: adminToken }, out: (line: string) => void lines.push(line), err: () => {} }
  await explain(reference, { ops: gateway.opsUrl }, io)
  return lines.join('\n')
}
