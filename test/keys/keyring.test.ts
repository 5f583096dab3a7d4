// The key ring: what it opens, what it refuses, and that a rotation loses nothing.

import { randomBytes } from 'node:crypto'
import t from 'tap'
import { createKeyring, randomSecret } from '../../src/keys/keyring.js'
import { systemRandom } from '../../src/runtime/clock.js'

const random = systemRandom
const [old, young] = ['old secret of at least 32 bytes.....', 'young secret of at least 32 bytes...']
const keyring = createKeyring([young, old], { random })

t.test('what was sealed opens, bytes for bytes, and is compact', async t => {
  for (const size of [0, 1, 15, 16, 200]) {
    const plain = randomBytes(size)
    const sealed = keyring.seal('attempt', plain, 'cookie name')
    t.same(keyring.open('attempt', sealed, 'cookie name'), plain)
    t.equal(sealed.length, Math.ceil(((size + 28) * 4) / 3), 'nonce and tag, nothing more')
    t.match(sealed, /^[\w-]+$/)
  }
  t.not(keyring.seal('attempt', Buffer.from('x'), 'b'), keyring.seal('attempt', Buffer.from('x'), 'b'), 'a new nonce')
})

t.test('Attack: sealed for another purpose, bound to something else, or by another ring', async t => {
  const sealed = keyring.seal('attempt', Buffer.from('plain'), 'one')
  t.equal(keyring.open('seen', sealed, 'one'), undefined)
  t.equal(keyring.open('attempt', sealed, 'two'), undefined)
  t.equal(keyring.open('attempt', sealed, ''), undefined)
  t.equal(createKeyring([randomSecret(random)], { random }).open('attempt', sealed, 'one'), undefined)
})

t.test('Attack: every changed character, every cut, every other spelling is refused and nothing throws', async t => {
  const sealed = keyring.seal('attempt', Buffer.from('plain text'), 'one')
  for (let at = 0; at < sealed.length; at++) {
    const other = sealed[at] === 'A' ? 'B' : 'A'
    t.equal(keyring.open('attempt', sealed.slice(0, at) + other + sealed.slice(at + 1), 'one'), undefined)
    t.equal(keyring.open('attempt', sealed.slice(0, at), 'one'), undefined)
  }
  // 38 bytes leave four unused bits in the last character: 15 more spellings of the same bytes for a lenient decoder.
  const spelt = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'.split('')
  t.equal(spelt.filter(last => keyring.open('attempt', sealed.slice(0, -1) + last, 'one')).length, 1)
  for (const odd of [
    `${sealed}=`,
    `${sealed} `,
    ` ${sealed}`,
    `${sealed}\n`,
    sealed.replace(/.$/, '$&A'),
    '',
    '=',
    '%',
    'é',
  ]) {
    t.equal(keyring.open('attempt', odd, 'one'), undefined, JSON.stringify(odd))
  }
  for (const odd of [undefined, null, 7, [sealed], {}]) t.equal(keyring.open('attempt', odd as never, 'one'), undefined)
  t.equal(keyring.open('attempt', 'A'.repeat(10_000_000), 'one'), undefined, 'bounded')
})

t.test('Attack: a tag cut to four bytes is not a tag', async t => {
  const bytes = Buffer.from(keyring.seal('attempt', Buffer.from('plain text of some length'), 'one'), 'base64url')
  t.equal(keyring.open('attempt', bytes.subarray(0, -12).toString('base64url'), 'one'), undefined)
})

t.test('a rotation is seamless: the old key opens and verifies, the new one seals and signs', async t => {
  const before = createKeyring([old], { random })
  const sealed = before.seal('attempt', Buffer.from('plain'), 'one')
  const mac = before.mac('record', Buffer.from('data'))
  t.same(keyring.open('attempt', sealed, 'one'), Buffer.from('plain'))
  t.ok(keyring.verifies('record', Buffer.from('data'), mac))
  t.equal(before.open('attempt', keyring.seal('attempt', Buffer.from('x'), 'one'), 'one'), undefined)
  const after = createKeyring([young], { random })
  t.equal(after.open('attempt', sealed, 'one'), undefined, 'gone with its key')
  t.notOk(after.verifies('record', Buffer.from('data'), mac))
})

t.test('a MAC holds for its purpose and data only, and never throws', async t => {
  const mac = keyring.mac('record', Buffer.from('data'))
  t.equal(mac.length, 32)
  t.ok(keyring.verifies('record', Buffer.from('data'), mac))
  t.notOk(keyring.verifies('other', Buffer.from('data'), mac))
  t.notOk(keyring.verifies('record', Buffer.from('date'), mac))
  for (const bad of [Buffer.alloc(0), mac.subarray(1), Buffer.concat([mac, mac]), Buffer.alloc(32)]) {
    t.notOk(keyring.verifies('record', Buffer.from('data'), bad))
  }
})

t.test('derived keys are the same on every replica, one for each secret, and differ by purpose', async t => {
  const keys = keyring.derive('assertion', 32)
  t.equal(keys.length, 2)
  t.same(keys, createKeyring([young, old], { random }).derive('assertion', 32))
  t.same(keys[1], createKeyring([old], { random }).derive('assertion', 32)[0])
  t.not(keys[0]?.toString('hex'), keyring.derive('other', 32)[0]?.toString('hex'))
  t.equal(keyring.derive('assertion', 48)[0]?.length, 48)
})

t.test('a ring without a secret, or with a short one, is refused, and the error shows no secret', async t => {
  t.throws(() => createKeyring([], { random }), /empty/)
  t.throws(() => createKeyring(['short secret'], { random }), { message: 'a secret of the key ring is under 32 bytes' })
  t.ok(createKeyring([randomSecret(random)], { random }))
})
