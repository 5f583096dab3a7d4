import { createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { calculateJwkThumbprint, createLocalJWKSet, importPKCS8, type JSONWebKeySet, jwtVerify } from 'jose'
import t from 'tap'
import { createReader } from '../../../src/config/reader.js'
import { identity as identitySchema } from '../../../src/config/schema/identity.js'
import type { Session } from '../../../src/core/sessions.js'
import { deriveSigningKeys, newSigningKey, signingKeysOf } from '../../../src/keys/assertion-keys.js'
import { createIdentityWriter } from '../../../src/web/identity/headers.js'
import { createTestClock } from '../../parts/clock.js'

const reader = createReader({ folder: '.', env: {} })
const seeds = [Buffer.alloc(48, 1), Buffer.alloc(48, 2)]

function writer(settings: object = {}, keys = deriveSigningKeys(seeds), attributeHeaders: string[] = []) {
  const clock = createTestClock()
  const deps = {
    publicUrl: 'https://desk.example.com',
    deskOrigin: 'http://desk.internal:3000',
    keys,
    clock,
    attributeHeaders,
  }
  return { clock, ...createIdentityWriter({ settings: identitySchema(reader).parse(settings), ...deps }) }
}

const session: Session = {
  handle: 'h'.repeat(43),
  agent: { email: 'alice@example.com', id: '7', name: 'Alice', roles: ['agent', 'admin'] },
  provider: 'corp',
  createdAt: 0,
  endsAt: 1e15,
  seenAt: 0,
  from: { address: '', browser: '' },
}

function written(write: ReturnType<typeof writer>, agent: Partial<Session['agent']> = {}): Record<string, string> {
  const flat: string[] = []
  write.append(flat, { ...session, agent: { ...session.agent, ...agent } })
  t.equal(new Set(flat.filter((_, i) => i % 2 === 0)).size, flat.length / 2, 'one of each')
  return Object.fromEntries(Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]]))
}

t.test('each identity header is written once, and empty when there is no value', async t => {
  const { 'X-Agent-Assertion': token, ...plain } = written(writer())
  t.strictSame(plain, {
    'X-Agent-Id': '7',
    'X-Agent-Email': 'alice@example.com',
    'X-Agent-Name': 'Alice',
    'X-Agent-Roles': 'agent,admin',
    'X-Agent-Provider': 'corp',
  })
  t.match(token, /^[\w-]+\.[\w-]+\.[\w-]{86}$/)
  const { agent } = { agent: { email: 'bob@example.com', roles: [] } }
  const flat: string[] = []
  writer().append(flat, { ...session, agent })
  t.strictSame(flat.slice(0, 10), [
    'X-Agent-Id',
    '',
    'X-Agent-Email',
    'bob@example.com',
    'X-Agent-Name',
    '',
    'X-Agent-Roles',
    '',
    'X-Agent-Provider',
    'corp',
  ])
})

t.test('Attack: headers kept for one session are sent for no other provider and no changed agent', async t => {
  const write = writer()
  const plain = (who: Session) => {
    const flat: string[] = []
    write.append(flat, who)
    return flat.slice(0, 10)
  }
  const first = plain(session)
  t.strictSame(plain(session), first)
  t.equal(plain({ ...session, provider: 'portal' })[9], 'portal')
  t.equal(plain({ ...session, agent: { ...session.agent, roles: ['agent'] } })[7], 'agent')
  t.strictSame(plain(session), first)
})

t.test('one decoding gives every value back, whatever it holds', async t => {
  const write = writer()
  const name = (value: string) => written(write, { name: value })['X-Agent-Name'] ?? ''
  t.equal(name('Zoë 100% 日本'), 'Zo%C3%AB 100%25 %E6%97%A5%E6%9C%AC')
  t.equal(name('a\r\nX-Admin: 1\0'), 'a%0D%0AX-Admin: 1%00')
  t.equal(written(write, { roles: ['a,b', 'c%2C', 'd e'] })['X-Agent-Roles'], 'a%2Cb,c%252C,d e')
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      fc.array(fc.string({ unit: 'binary', minLength: 1 })),
      (value, roles) => {
        const headers = written(write, { name: value, roles })
        const [sent, list] = [headers['X-Agent-Name'] ?? '', headers['X-Agent-Roles'] ?? '']
        const back = list === '' ? [] : list.split(',').map(decodeURIComponent)
        // A server trims the value that it receives.
        return (
          /^[\x20-\x7e]*$/.test(sent + list) &&
          decodeURIComponent(sent.trim()) === value &&
          back.join('\0') === roles.join('\0')
        )
      },
    ),
  )
})

t.test('names that only the gateway may send are known in every spelling', async t => {
  const write = writer({ headers: { email: 'Remote-User' }, assertion: { header: 'Desk_Proof' } })
  for (const name of [
    'X-Agent-Email',
    'x-agent-email',
    'X_Agent_Email',
    'X.Agent.Email',
    'x-AGENT_email',
    'X-Agent-Anything',
    'X~Agent!Name',
    'remote-user',
    'REMOTE_USER',
    'Remote.User',
    'desk-proof',
    'DESK_PROOF',
    'X-Agent-Assertion',
  ]) {
    t.equal(write.isReserved(name), true, name)
  }
  for (const name of ['X-Agent', 'X-Agents', 'User-Agent', 'X-AgentEmail', 'Remote-Users', 'X-My-Agent-Email'])
    t.equal(write.isReserved(name), false, name)
})

t.test('Attack: a role under a name that a Desk reads beside a name of the gateway', async t => {
  const families: [own: string, forged: string[], free: string][] = [
    ['Remote-User', ['Remote-Groups', 'REMOTE_EMAIL', 'remote.name'], 'Remote-Control'],
    [
      'X-Auth-Request-Email',
      ['X-Auth-Request-Groups', 'X_Auth_Request_Roles', 'X-Auth-Request-Access-Token'],
      'X-Auth',
    ],
    [
      'X-authentik-username',
      ['X-authentik-groups', 'X_AUTHENTIK_ENTITLEMENTS', 'x.authentik.jwt'],
      'X-Authentic-Groups',
    ],
    ['X-WEBAUTH-USER', ['X-WEBAUTH-ROLE', 'x_webauth_org_role', 'X-WebAuth-Groups'], 'X-Web-Role'],
    ['Cf-Access-Authenticated-User-Email', ['CF_Access_Jwt_Assertion', 'Cf-Access-Groups'], 'Cf-Ray'],
    ['X-Goog-Authenticated-User-Email', ['X-Goog-Authenticated-User-Id', 'x_goog_iap_jwt_assertion'], 'X-Goog-Hash'],
    ['X-Amzn-Oidc-Identity', ['X-Amzn-Oidc-Data', 'X_AMZN_OIDC_ACCESSTOKEN'], 'X-Amzn-Trace-Id'],
    ['X-MS-CLIENT-PRINCIPAL-NAME', ['X-MS-CLIENT-PRINCIPAL', 'X_MS_Client_Principal_Id'], 'X-MS-Version'],
    ['OIDC_CLAIM_email', ['OIDC-CLAIM-groups', 'oidc_access_token'], 'X-Oidc'],
    ['Tailscale-User-Login', ['Tailscale-User-Name', 'tailscale_user_roles'], 'Tailscale-Version'],
  ]
  const none = writer()
  for (const [own, forged, free] of families) {
    const write = writer({ headers: { id: own } })
    for (const name of forged) t.equal(write.isReserved(name), true, `${name} beside ${own}`)
    t.equal(write.isReserved(free), false, free)
    for (const name of [own, ...forged]) t.equal(none.isReserved(name), false, `${name}, where none is ours`)
  }
})

t.test('case: lower folds A to Z alone: two agents stay two', async t => {
  const write = writer({ format: { case: 'lower', encoding: 'utf8' } })
  const sent = (email: string, id: string) => {
    const { 'X-Agent-Email': address, 'X-Agent-Id': name } = written(write, { email, id })
    return JSON.stringify([address, name])
  }
  for (const [one, other] of [
    ['Éva', 'éva'],
    ['Ωmega', 'ωmega'],
    ['ẞtein', 'ßtein'],
    ['Ǆ', 'ǆ'],
  ] as const)
    t.not(sent(`${one}@example.com`, one), sent(`${other}@example.com`, other), one)
  t.equal(sent('ana@example.com', 'AB-7'), sent('ana@example.com', 'ab-7'))
})

t.test('the assertion verifies against the published keys and has subject, audience and expiry', async t => {
  const write = writer()
  const { 'X-Agent-Assertion': token = '' } = written(write)
  const keys = createLocalJWKSet(write.jwks() as JSONWebKeySet)
  const seconds = Math.floor(write.clock.now() / 1000)
  const { payload, protectedHeader } = await jwtVerify(token, keys, {
    issuer: 'https://desk.example.com',
    audience: 'http://desk.internal:3000',
    algorithms: ['ES256'],
    currentDate: new Date(write.clock.now()),
  })
  t.strictSame(payload, {
    iss: 'https://desk.example.com',
    aud: 'http://desk.internal:3000',
    sub: 'alice@example.com',
    agent_id: '7',
    email: 'alice@example.com',
    name: 'Alice',
    roles: ['agent', 'admin'],
    provider: 'corp',
    sid: session.handle,
    iat: seconds,
    exp: seconds + 60,
  })
  const [jwk] = write.jwks().keys as { kid: string; [key: string]: unknown }[]
  t.equal(protectedHeader.kid, jwk?.kid)
  t.equal(jwk?.kid, await calculateJwkThumbprint(jwk as never), 'RFC 7638')
  t.notOk('d' in (jwk ?? {}), 'only the public half is published')
  t.equal(write.jwks().keys.length, 2, 'every key of the ring is published')
})

t.test('an assertion is kept while half of its time is left, and made anew for changed people and clocks', async t => {
  const write = writer({ assertion: { ttl: '60s', audience: 'desk' } })
  const token = () => written(write)['X-Agent-Assertion']
  const first = token()
  write.clock.move(29_000)
  t.equal(token(), first)
  write.clock.move(2_000)
  const second = token()
  t.not(second, first)
  const { exp } = JSON.parse(Buffer.from(second?.split('.')[1] ?? '', 'base64url').toString())
  t.ok(exp * 1000 <= write.clock.now() + 60_000 && exp * 1000 >= write.clock.now() + 30_000)
  t.not(written(write, { roles: ['agent'] })['X-Agent-Assertion'], second)
  const third = token()
  write.clock.move(-3_600_000)
  t.not(token(), third, 'iat does not lie ahead')
})

t.test('keys from the ring are the same on every replica, and each is a sound P-256 key', async t => {
  t.strictSame(deriveSigningKeys(seeds).publish, deriveSigningKeys(seeds).publish)
  t.strictSame(
    deriveSigningKeys([...seeds].reverse())
      .publish.map(key => key.kid)
      .sort(),
    deriveSigningKeys(seeds)
      .publish.map(key => key.kid)
      .sort(),
  )
  for (const seed of [Buffer.alloc(48), Buffer.alloc(48, 255), randomBytes(48)]) {
    const { sign, publish } = deriveSigningKeys([seed])
    t.equal(publish[0]?.kid, sign.kid)
    t.equal(createPublicKey(sign.key).export({ format: 'jwk' }).x, publish[0]?.x)
  }
  t.throws(() => deriveSigningKeys([Buffer.alloc(40)]))
  t.throws(() => deriveSigningKeys([]))
})

t.test('keys from files: the first signs, all are published, and what is not a P-256 key is named', async t => {
  const [one, two] = [newSigningKey(), newSigningKey()]
  t.ok(await importPKCS8(one, 'ES256'))
  const both = [
    { path: 'one.pem', text: one },
    { path: 'two.pem', text: two },
  ]
  const keys = signingKeysOf(both)
  t.equal(keys.publish.length, 2)
  t.equal(keys.publish[0]?.kid, keys.sign.kid)
  t.equal(signingKeysOf([...both, ...both]).publish.length, 2)
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString()
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString()
  const publicOnly = createPublicKey(one).export({ type: 'spki', format: 'pem' }).toString()
  for (const text of [p384, rsa, 'nonsense', publicOnly])
    t.throws(() => signingKeysOf([{ path: 'bad.pem', text }]), /bad\.pem/)
  t.equal(
    signingKeysOf([
      { path: 'one.pem', text: one },
      { path: 'old.pem', text: publicOnly },
    ]).publish.length,
    1,
  )
})

t.test('the weight is what the headers take on the wire', async t => {
  const write = writer()
  const { 'X-Agent-Assertion': _, ...plain } = written(write)
  const bytes = Object.entries(plain).reduce((sum, [name, value]) => sum + `${name}: ${value}\r\n`.length, 0)
  t.equal(write.headerBytes(session.agent, 'corp'), bytes)
})

t.test('identity.format: how a Desk that decodes nothing wants its values', async t => {
  const agent = { email: 'ana.m@example.com', id: 'ANA', name: 'Zoë 100%', roles: ['Agent', 'a,b'] }
  const keys = deriveSigningKeys(seeds)
  const bytes = (value = '') => Buffer.from(value, 'latin1').toString('utf8')
  const raw = written(writer({ format: { encoding: 'utf8', email: 'local', case: 'lower' } }, keys), agent)
  t.equal(raw['X-Agent-Email'], 'ana.m')
  t.equal(raw['X-Agent-Id'], 'ana')
  t.equal(bytes(raw['X-Agent-Name']), 'Zoë 100%')
  t.equal(raw['X-Agent-Roles'], 'Agent,a%2Cb', 'the case of roles counts, and a comma makes no second role')
  const flat: string[] = []
  writer({ format: { roles: 'lines' } }, keys).append(flat, { ...session, agent })
  const lines = flat.flatMap((name, i) => (i % 2 === 0 && name === 'X-Agent-Roles' ? [flat[i + 1]] : []))
  t.strictSame(lines, ['Agent', 'a%2Cb'])
  const none = written(writer({ format: { roles: 'lines' } }, keys), { roles: [] })
  t.equal(none['X-Agent-Roles'], '', 'one line also without roles')
  t.match(written(writer({}, keys), agent), { 'X-Agent-Email': 'ana.m@example.com', 'X-Agent-Id': 'ANA' })
})

t.test('Attack: with utf8 nothing in a value ends its line', async t => {
  const write = writer({ format: { encoding: 'utf8' } })
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      fc.array(fc.string({ unit: 'binary', minLength: 1 })),
      (value, roles) => {
        const headers = written(write, { name: value, id: value, roles })
        const all = Object.values(headers).join('')
        return (
          // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
          !/[\x00-\x1f\x7f]/.test(all) &&
          (headers['X-Agent-Roles'] ?? '').split(',').length === Math.max(roles.length, 1)
        )
      },
    ),
  )
  t.equal(written(write, { name: 'a\r\nX-Admin: 1\0\u0085' })['X-Agent-Name'], 'a X-Admin: 1')
})

t.test('attributes have a header each, empty without a value, and one claim in the assertion', async t => {
  const write = writer({}, deriveSigningKeys(seeds), ['X-Agent-Department', 'X-Agent-Team'])
  const attributes = { 'X-Agent-Department': ['Sales, EU', 'Zoë'] }
  const headers = written(write, { attributes })
  t.equal(headers['X-Agent-Department'], 'Sales%2C EU,Zo%C3%AB')
  t.equal(headers['X-Agent-Team'], '')
  const claims = JSON.parse(Buffer.from(headers['X-Agent-Assertion']?.split('.')[1] ?? '', 'base64url').toString())
  t.strictSame(claims.attributes, attributes)
  const other = written(write, { attributes: { 'X-Agent-Department': ['IT'] } })
  t.not(other['X-Agent-Assertion'], headers['X-Agent-Assertion'], 'changed attributes are signed anew')
  const without = written(write)['X-Agent-Assertion']
  t.notOk('attributes' in JSON.parse(Buffer.from(without?.split('.')[1] ?? '', 'base64url').toString()))
  const { 'X-Agent-Assertion': _, ...plain } = headers
  const bytes = Object.entries(plain).reduce((sum, [name, value]) => sum + `${name}: ${value}\r\n`.length, 0)
  t.equal(write.headerBytes({ ...session.agent, attributes }, 'corp'), bytes)
})

t.test("a name that Desks know brings its relatives: they are the gateway's too", async t => {
  const write = writer({ headers: { email: 'Remote-User', id: 'X-Auth-Request-User' } }, undefined, ['X-Dept'])
  for (const name of ['Remote-Email', 'REMOTE_GROUPS', 'remote.name', 'X_Auth_Request_Email', 'x-dept', 'X_DEPT']) {
    t.equal(write.isReserved(name), true, name)
  }
  for (const name of ['Remote-Addr', 'X-Webauth-User', 'X-Remote-User']) t.equal(write.isReserved(name), false, name)
  t.equal(writer().isReserved('Remote-User'), false, "where it is no identity header, it is an application's own")
})
