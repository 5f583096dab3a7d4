// Bearer tokens at the level of the provider: what is remembered of them, for how long, and what empties the memory.

import { generateKeyPairSync } from 'node:crypto'
import { exportJWK } from 'jose'
import t from 'tap'
import { createSecret } from '../../../src/core/secret.js'
import { createLog } from '../../../src/ops/log.js'
import { compileRoles } from '../../../src/providers/attributes.js'
import { createBearer } from '../../../src/providers/jwt/bearer-token.js'
import type { ProviderKeys } from '../../../src/providers/jwt/key-set.js'
import { createProviderKeys } from '../../../src/providers/jwt/keys.js'
import { createTestClock } from '../../parts/clock.js'
import { jwtSettings } from '../../parts/jwt-provider.js'
import { type Claims, ecdsa, forged, secret } from '../../parts/tokens.js'

const log = createLog({ level: 'silent' })

/** A judge that counts how often a key is looked for. */
function judge(options: { remembered?: number; published?: () => Promise<string> } = {}) {
  const clock = createTestClock()
  const { published } = options
  const jwks = published
    ? { jwks: { url: 'https://idp.example/jwks' }, secrets: [] }
    : { secrets: [createSecret(secret)] }
  const settings = jwtSettings({ ...jwks, bearer: true, bearerAudience: 'api' })
  const fetchText = async () => ({ text: (await published?.()) ?? '' })
  const keys = createProviderKeys(settings, { clock, fetchText, log })
  let looked = 0
  const counting: ProviderKeys = {
    ...keys,
    find(header) {
      looked++
      return keys.find(header)
    },
  }
  const { remembered } = options
  const algorithms = published ? ['ES256'] : ['HS256']
  const accept = createBearer({
    ...{ settings, keys: counting, algorithms, clock, audience: 'api' },
    subject: { attributes: settings.attributes, roleMapping: compileRoles(settings.roles) },
    ...(remembered === undefined ? {} : { maxCached: remembered }),
  })
  const claims = (changes: Claims = {}) => {
    const iat = clock.now() / 1000
    return { email: 'ada@example.com', iat, exp: iat + 600, aud: 'api', ...changes }
  }
  return { accept, clock, claims, keys, looked: () => looked }
}

t.test('a token is verified once, and remembered until its exp and no longer', async t => {
  const { accept, clock, claims, looked } = judge()
  const token = forged({ alg: 'HS256' }, claims())
  for (let i = 0; i < 5; i++) t.equal((await accept(token)).identity?.email, 'ada@example.com')
  t.equal(looked(), 1)
  clock.move(599_999)
  t.ok((await accept(token)).identity)
  t.equal(looked(), 1)
  clock.move(1)
  t.ok((await accept(token)).identity, 'the clock skew')
  t.equal(looked(), 2, 'after exp nothing is taken from memory')
  clock.move(60_000)
  t.equal((await accept(token)).reason, 'jwt.expired')
})

t.test('memory is bounded, and a refused token is not kept', async t => {
  const { accept, claims, looked } = judge({ remembered: 2 })
  const tokens = ['a', 'b', 'c'].map(jti => forged({ alg: 'HS256' }, claims({ jti })))
  for (const token of tokens) await accept(token)
  await accept(tokens[2] ?? '')
  t.equal(looked(), 3)
  await accept(tokens[0] ?? '')
  t.equal(looked(), 4, 'the oldest was forgotten')
  const bad = forged({ alg: 'HS256' }, claims({ aud: 'crm' }))
  t.equal((await accept(bad)).reason, 'jwt.audience_mismatch')
  t.equal((await accept(bad)).reason, 'jwt.audience_mismatch')
  t.equal(looked(), 6)
})

t.test('one character more is another token', async t => {
  const { accept, claims } = judge()
  const token = forged({ alg: 'HS256' }, claims())
  t.ok((await accept(token)).identity)
  t.equal((await accept(`${token}A`)).reason, 'jwt.signature_invalid')
})

t.test('when the keys change, what the old ones verified is forgotten', async t => {
  const [one, two] = [0, 1].map(() => generateKeyPairSync('ec', { namedCurve: 'P-256' }))
  if (!one || !two) throw new Error('no keys')
  const setOf = async (...pairs: (typeof one)[]) =>
    JSON.stringify({ keys: await Promise.all(pairs.map(async ({ publicKey }) => exportJWK(publicKey))) })
  let published = await setOf(one)
  let away = false
  const { accept, clock, claims } = judge({
    published: async () => {
      if (away) throw new Error('away')
      return published
    },
  })
  const tokenOf = (pair: typeof one) =>
    forged({ alg: 'ES256' }, claims({ exp: clock.now() / 1000 + 3600 }), ecdsa(pair.privateKey))
  const token = tokenOf(one)
  t.ok((await accept(token)).identity)
  published = await setOf(one, two)
  clock.move(600_000)
  t.ok((await accept(token)).identity, 'both are published: a rotation')
  t.ok((await accept(tokenOf(two))).identity)
  published = await setOf(two)
  clock.move(600_000)
  t.equal((await accept(token)).reason, 'jwt.signature_invalid', 'ten minutes after its key was taken back')
  away = true
  clock.move(600_000)
  t.ok((await accept(tokenOf(two))).identity, 'the endpoint is down: the last copy')
  clock.move(86_400_000)
  t.equal((await accept(tokenOf(two))).reason, 'jwt.keys_unavailable', 'but for a day only')
})
