// SimpleSAMLphp changes its certificate as its own guide says: the next one beside the old, then the next one signs, then
// the old one goes. A running gateway picks each step up from the metadata URL.

import t from 'tap'
import { acsPath, beginLogin, loginOutcome, startInteropGateway } from '../parts/interop-gateway.js'
import { noSimpleSamlPhp, startSimpleSamlPhp } from '../parts/simplesamlphp.js'
import { answerOf, visitorOf } from '../parts/simplesamlphp-login.js'

t.test('a certificate rollover at SimpleSAMLphp', { skip: noSimpleSamlPhp() }, async t => {
  const idp = await startSimpleSamlPhp()
  let ahead = 0
  const clock = { now: () => Date.now() + ahead }
  const behind = await startInteropGateway({ metadata: idp.metadataUrl }, { clock })
  t.teardown(async () => {
    await behind.close()
    await idp.stop()
  })
  await idp.importSp(await behind.spMetadata())
  await idp.newKey('next')
  await idp.newKey('stranger')
  /** A whole login as far as the form; sends it. */
  const answer = async () => {
    const agent = behind.newAgent()
    const { fields } = await answerOf(idp, visitorOf(idp), 'jane', await beginLogin(agent))
    return async () => loginOutcome(await agent.postCrossSite(acsPath, fields))
  }
  const signsWith = (key: string, certificate: string, other?: string) =>
    idp.configure({ privatekey: `${key}.key`, certificate: `${certificate}.crt`, new_certificate: other })

  t.equal(await (await answer())(), '303 /')
  await idp.configure({ new_privatekey: 'next.key', new_certificate: 'next.crt' })
  t.equal(await (await answer())(), '303 /', 'overlap: the old one signs')
  const underWay = await answer()
  const late = await answer()

  await signsWith('next', 'next', 'idp.crt')
  t.equal(await (await answer())(), '303 /', 'overlap: the next one signs, and was never seen before')
  t.equal(await underWay(), '303 /', 'a login under way loses nothing')

  await signsWith('next', 'next')
  t.equal(await (await answer())(), '303 /', 'the old one is gone')

  // A key that nobody knows makes the gateway look, but not twice within half a minute.
  await signsWith('stranger', 'next')
  const unknown = await answer()
  ahead = 31_000
  t.equal(await unknown(), '400 saml.signature_invalid', 'Attack: a key that its metadata does not name')
  t.equal(await late(), '400 saml.signature_invalid', 'what the old one signed is not good for ever')
  await signsWith('next', 'next')
  t.equal(await (await answer())(), '303 /')
})
