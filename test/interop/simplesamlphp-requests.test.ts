// SimpleSAMLphp demands signed requests: because our metadata says that we sign, or because it says so itself.

import t from 'tap'
import { rsaPair } from '../parts/configuration.js'
import {
  acsPath,
  beginLogin,
  type InteropGateway,
  loginOutcome,
  startInteropGateway,
} from '../parts/interop-gateway.js'
import { noSimpleSamlPhp, type SimpleSamlPhp, startSimpleSamlPhp } from '../parts/simplesamlphp.js'
import { answerOf, visitorOf } from '../parts/simplesamlphp-login.js'

const ours = rsaPair(Date.UTC(2035, 0, 1))
const own = { key: 'sp.key', certificate: 'sp.crt' }
const files = { 'sp.key': ours.key, 'sp.crt': ours.certificate }

/** A whole login; how it ended. */
async function logIn(idp: SimpleSamlPhp, behind: InteropGateway): Promise<string> {
  const agent = behind.newAgent()
  const { fields } = await answerOf(idp, visitorOf(idp), 'jane', await beginLogin(agent))
  return loginOutcome(await agent.postCrossSite(acsPath, fields))
}

t.test('SimpleSAMLphp demands signed requests', { skip: noSimpleSamlPhp() }, async t => {
  const idp = await startSimpleSamlPhp()
  t.teardown(idp.stop)
  const open = async (provider: Record<string, unknown>) => {
    const behind = await startInteropGateway({ metadata: idp.metadataUrl, ...provider }, { files })
    t.teardown(behind.close)
    return behind
  }
  const asked = async (behind: InteropGateway) => new URL(await beginLogin(behind.newAgent())).searchParams

  t.test('because our metadata says that we sign: signRequests', async t => {
    const behind = await open({ ...own, signRequests: true })
    const metadata = await behind.spMetadata()
    t.match(metadata, 'AuthnRequestsSigned="true"')
    await idp.importSp(metadata)
    t.equal((await asked(behind)).has('Signature'), true)
    t.equal(await logIn(idp, behind), '303 /')

    const unsigned = await open({})
    t.equal((await asked(unsigned)).has('Signature'), false)
    await t.rejects(logIn(idp, unsigned), { message: /refuses: .*no signature found on message/ })
  })

  t.test('because it says so itself', async t => {
    await idp.configure({ 'validate.authnrequest': true })
    const behind = await open(own)
    await idp.importSp(await behind.spMetadata())
    t.match(await publishedBy(idp), 'WantAuthnRequestsSigned="true"')
    t.equal((await asked(behind)).has('Signature'), true)
    t.equal(await logIn(idp, behind), '303 /')
  })

  t.test('a request signed by a key that it does not know is refused there', async t => {
    const behind = await open({ ...own, signRequests: true })
    await idp.importSp((await behind.spMetadata()).replaceAll(leafOf(ours.certificate), leafOf(rsaPair().certificate)))
    await t.rejects(logIn(idp, behind), { message: /refuses: .*Unable to validate signature/ })
    await idp.importSp(await behind.spMetadata())
    t.equal(await logIn(idp, behind), '303 /')
  })
})

function leafOf(pem: string): string {
  return pem.replace(/-----[^-]+-----|\s/g, '')
}

async function publishedBy(idp: SimpleSamlPhp): Promise<string> {
  return (await visitorOf(idp).fetch(new URL(idp.metadataUrl).pathname)).body
}
