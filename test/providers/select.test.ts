// Which provider an answer goes to: by path, attempt, issuer, key ID, or by trying; and SAML by issuer.

import { generateKeyPairSync } from 'node:crypto'
import { exportJWK } from 'jose'
import t from 'tap'
import type { JwtSettings } from '../../src/config/schema/providers.js'
import type { Provider } from '../../src/core/providers.js'
import { createSecret } from '../../src/core/secret.js'
import { handleJwtCallback, selectJwtProviders, selectSamlProvider } from '../../src/providers/select.js'
import { attemptOf, createPortal, holding } from '../parts/jwt-provider.js'
import { signed } from '../parts/tokens.js'

const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const jwks = { path: 'k', text: JSON.stringify({ keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'k1' }] }) }

/** A provider with a secret of its own. */
const provider = (id: string, changes: Partial<JwtSettings> = {}): Provider =>
  createPortal({ id, ...(changes.jwks ? {} : { secrets: [createSecret(secretOf(id))] }), ...changes }).provider
const secretOf = (id: string) => id.padEnd(40, '.')

const plain = provider('plain')
const other = provider('other')
const issued = provider('issued', { issuer: 'https://issued' })
const keyed = provider('keyed', { jwks, issuer: 'https://keyed' })
const saml = { ...plain, id: 'corp', type: 'saml' } as Provider
const all = [saml, plain, other, issued, keyed]
const idsOf = (providers: readonly Provider[]) => providers.map(({ id }) => id)

const { claims } = createPortal()
const by = (id: string, changes: object = {}) =>
  signed(claims({ ...changes }), { key: new TextEncoder().encode(secretOf(id)) })

t.test('the ID in the path decides alone', async t => {
  const token = await by('issued', { iss: 'https://issued' })
  t.strictSame(idsOf(selectJwtProviders(token, { path: 'plain', attempt: 'other' }, all)), ['plain'])
  t.strictSame(idsOf(selectJwtProviders(token, { path: 'none' }, all)), [])
  t.strictSame(idsOf(selectJwtProviders(token, { path: 'corp' }, all)), [], 'not a SAML provider')
})

t.test('else the attempt, then iss, then kid, then those that set no issuer', async t => {
  const foreign = await by('plain', { iss: 'https://elsewhere' })
  const header = { alg: 'ES256', kid: 'k1' }
  const kid = await signed(claims(), { key: pair.privateKey, header })
  t.strictSame(idsOf(selectJwtProviders(await by('issued', { iss: 'https://issued' }), { attempt: 'other' }, all)), [
    'other',
  ])
  t.strictSame(idsOf(selectJwtProviders(await by('issued', { iss: 'https://issued' }), {}, all)), ['issued'])
  t.strictSame(idsOf(selectJwtProviders(kid, {}, all)), ['keyed'])
  t.strictSame(idsOf(selectJwtProviders(foreign, {}, all)), ['plain', 'other'])
  t.strictSame(
    idsOf(selectJwtProviders(foreign, { attempt: 'corp' }, all)),
    ['plain', 'other'],
    'an attempt by SAML is none',
  )
  t.strictSame(
    idsOf(selectJwtProviders(foreign, {}, [issued, keyed])),
    ['issued', 'keyed'],
    'for the sake of the reason',
  )
  t.strictSame(idsOf(selectJwtProviders('not a token', {}, all)), ['plain', 'other'])
  t.strictSame(idsOf(selectJwtProviders('not a token', {}, [saml])), [])
})

const accept = (message: string, providers = all, ids = {}, browser = {}) =>
  handleJwtCallback({ message, attempt: () => undefined, ...browser }, ids, providers)

t.test('trying finds the one whose key verifies', async t => {
  t.match(await accept(await by('plain')), { provider: 'plain', reason: undefined })
  t.match(await accept(await by('other')), { provider: 'other', reason: undefined })
})

t.test('of refusals the one that says most is kept', async t => {
  const nobodys = await by('nobody')
  t.match(await accept(nobodys), { reason: 'jwt.signature_invalid' })
  t.match(await accept(await by('other', { email: 'x' })), { provider: 'other', reason: 'jwt.claim_invalid' })
  t.match(await accept('x.y'), { reason: 'jwt.malformed' })
  t.match(await accept(nobodys, [provider('strict', { jwks }), plain]), {
    provider: 'plain',
    reason: 'jwt.signature_invalid',
  })
  const cold = provider('cold', { jwks: { url: 'https://idp.example/jwks' }, algorithms: ['ES256', 'HS256'] })
  const unknown = await signed(claims(), { key: pair.privateKey, header: { alg: 'ES256', kid: 'k9' } })
  const verdict = await accept(unknown, [plain, cold, provider('strict', { jwks })])
  t.match(verdict, { provider: 'cold', reason: 'jwt.keys_unavailable' }, 'it may be a good token')
})

t.test('no provider, no verdict', async t => {
  t.equal(await accept(await by('plain'), [saml]), undefined)
  t.equal(await accept(await by('plain'), all, { path: 'none' }), undefined)
})

t.test('Attack: a hint cannot make another provider accept', async t => {
  const lying = await by('plain', { iss: 'https://issued' })
  t.match(await accept(lying), { provider: 'issued', reason: 'jwt.signature_invalid', identity: undefined })
  const header = { alg: 'HS256', kid: 'k1' }
  const kid = await signed(claims(), { key: new TextEncoder().encode(secretOf('plain')), header })
  t.match(await accept(kid), { provider: 'keyed', reason: 'jwt.algorithm_not_allowed' })
  const wrongIssuer = await by('issued', { iss: 'https://elsewhere' })
  t.match(await accept(wrongIssuer, [issued]), { provider: 'issued', reason: 'jwt.issuer_mismatch' })
})

t.test('Attack: a token of one provider with the state of another’s attempt', async t => {
  const browser = { state: 's1', ...holding(attemptOf('s1', { provider: 'other' })) }
  t.match(await accept(await by('plain'), all, { attempt: 'other' }, browser), { reason: 'jwt.signature_invalid' })
  t.match(await accept(await by('plain'), all, { path: 'plain' }, browser), { reason: 'jwt.state_mismatch' })
  const corp = { state: 's1', ...holding(attemptOf('s1', { provider: 'corp' })) }
  t.match(await accept(await by('plain'), all, { attempt: 'corp' }, corp), { reason: 'jwt.state_mismatch' })
})

function samlProvider(id: string, issuer: string | undefined): Provider {
  return { ...plain, id, type: 'saml', issuer: () => issuer }
}

t.test('SAML: the issuer decides, and must be the attempt’s where there is one', async t => {
  const [a, b] = [samlProvider('a', 'https://a'), samlProvider('b', 'https://b')]
  const providers = [plain, a, b]
  const idOf = (issuer: string | undefined, attempt?: string) => selectSamlProvider(issuer, attempt, providers)?.id
  t.equal(idOf('https://a'), 'a')
  t.equal(idOf('https://b', 'b'), 'b')
  t.equal(idOf('https://a', 'b'), undefined)
  t.equal(idOf('https://c'), undefined)
  t.equal(idOf('https://a/'), undefined)
  t.equal(idOf(undefined), undefined)
  t.equal(idOf(undefined, 'a'), 'a', 'the assertion still has to name it')
  t.equal(idOf('https://a', 'gone'), undefined)
  t.equal(idOf('https://a', 'plain'), undefined, 'an attempt by JWT')
  t.equal(
    selectSamlProvider('https://a', undefined, [a, samlProvider('a2', 'https://a')]),
    undefined,
    'two could be meant',
  )
})

t.test('SAML: a provider whose metadata is not there yet answers for itself', async t => {
  const [a, cold] = [samlProvider('a', 'https://a'), samlProvider('cold', undefined)]
  t.equal(selectSamlProvider('https://x', 'cold', [a, cold])?.id, 'cold')
  t.equal(selectSamlProvider('https://x', undefined, [a, cold])?.id, 'cold')
  t.equal(selectSamlProvider('https://a', undefined, [a, cold])?.id, 'a')
  t.equal(selectSamlProvider('https://x', undefined, [cold, samlProvider('cold2', undefined)]), undefined)
})
