// Keys that change while the gateway runs: what they sealed and signed before is still good for as long as it has to be.

import t from 'tap'
import { createPublishedKeys, newSigningKey, signingKeysOf } from '../../src/keys/assertion-keys.js'
import { createKeyring, createReplaceableKeyring } from '../../src/keys/keyring.js'
import { systemRandom } from '../../src/runtime/clock.js'
import { createTestClock } from '../parts/clock.js'
import { longSecret } from '../parts/configuration.js'

const keys = () => signingKeysOf([{ path: 'identity.key', text: newSigningKey() }]).publish
const idsOf = (published: { kid: string }[]) => published.map(({ kid }) => kid)

t.test('a key that was dropped stays published until its assertions have expired, and a minute more', async t => {
  const clock = createTestClock()
  const published = createPublishedKeys({ clock })
  const [old, now] = [keys(), keys()]
  published.keep(old, 60_000)
  t.same(idsOf(published.with(now)), idsOf([...now, ...old]), 'the signing key leads')
  clock.move(119_999)
  t.same(idsOf(published.with(now)), idsOf([...now, ...old]))
  clock.move(1)
  t.same(idsOf(published.with(now)), idsOf(now))
})

t.test('a key that is used again is published once, and removed only after its last use', async t => {
  const clock = createTestClock()
  const published = createPublishedKeys({ clock })
  const [a, b] = [keys(), keys()]
  published.keep(a, 60_000)
  clock.move(60_000)
  published.keep(a, 60_000)
  t.same(idsOf(published.with(a)), idsOf(a))
  clock.move(90_000)
  t.same(idsOf(published.with(b)), idsOf([...b, ...a]))
})

t.test('a replaced ring seals with its new secret, and opens with the old one while that is in the ring', async t => {
  const [old, next] = [longSecret('old'), longSecret('new')]
  const make = (...secrets: string[]) => createKeyring(secrets, { random: systemRandom })
  const ring = createReplaceableKeyring(make(old))
  const sealed = ring.seal('test', Buffer.from('plain'), 'bound')
  const mac = ring.mac('test', Buffer.from('data'))
  ring.replace(make(next, old))
  t.equal(ring.open('test', sealed, 'bound')?.toString(), 'plain')
  t.ok(ring.verifies('test', Buffer.from('data'), mac))
  const anew = ring.seal('test', Buffer.from('plain'), 'bound')
  ring.replace(make(next))
  t.equal(ring.open('test', sealed, 'bound'), undefined, 'a secret that is off the ring opens nothing')
  t.equal(ring.verifies('test', Buffer.from('data'), mac), false)
  t.equal(ring.open('test', anew, 'bound')?.toString(), 'plain')
})
