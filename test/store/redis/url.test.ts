// sessions.store as operators write it: what is read from it, and that no refusal repeats a password.

import t from 'tap'
import { createSecret } from '../../../src/core/secret.js'
import { systemClock } from '../../../src/runtime/clock.js'
import { openStore } from '../../../src/store/open.js'
import { addressOf, clusterOf, sentinelsOf, topologyOf } from '../../../src/store/redis/url.js'
import { silent, storeSettings } from '../../parts/store-backends.js'

t.test('every part of a URL', async t => {
  const plain = { host: 'h', port: 6379, username: undefined, password: undefined, db: 0, tls: undefined }
  const cases: [string, object][] = [
    ['redis://h', plain],
    ['redis://h/', plain],
    ['redis://h:7000/3', { ...plain, port: 7000, db: 3 }],
    ['redis://:p@h', { ...plain, password: 'p' }],
    ['redis://u:p%40%2F%3A%23%25%20%C3%A9@h', { ...plain, username: 'u', password: 'p@/:#% é' }],
    ['redis://u%3A1@h', { ...plain, username: 'u:1' }],
    ['redis://[::1]:7000', { ...plain, host: '::1', port: 7000 }],
  ]
  for (const [url, expected] of cases) t.same(addressOf(storeSettings(url)), expected, url)
  t.ok(addressOf(storeSettings('rediss://h')).tls?.secureContext)
})

t.test('the object form wins over the URL', async t => {
  const given = { username: 'other', password: createSecret('q') }
  t.match(addressOf(storeSettings('redis://u:p@h', given)), { username: 'other', password: 'q' })
  t.match(addressOf(storeSettings('rediss://h', { tls: { serverName: 'redis.test' } })).tls, {
    servername: 'redis.test',
  })
})

t.test('an unusable URL is refused with the name of the setting, and without the password', async t => {
  const pem = { path: 'ca.pem', text: '-----BEGIN CERTIFICATE-----\nhunter2\n-----END CERTIFICATE-----\n' }
  const cases: [ReturnType<typeof storeSettings>, RegExp][] = [
    [storeSettings('redis://:hun/ter2@h'), /no URL|names no host|percent-encode/],
    [storeSettings('redis://:hunter2#x@h'), /percent-encode/],
    [storeSettings('redis://:hunter2?x@h'), /percent-encode/],
    [storeSettings('redis://:hunter2%zz@h'), /%25/],
    [storeSettings('redis://:hunter2@h/name'), /number of a database/],
    [storeSettings('redis://:hunter2@h/-1'), /number of a database/],
    [storeSettings('redis:///0'), /names no host/],
    // Attack: an option in the query that switches off the verification of certificates.
    [storeSettings('rediss://:hunter2@h?rejectUnauthorized=false'), /no query/],
    // Attack: certificates are configured, and the connection would be in plain text all the same.
    [storeSettings('redis://:hunter2@h', { tls: { ca: pem } }), /needs a rediss/],
    [storeSettings('rediss://:hunter2@h', { tls: { ca: pem } }), /ca, cert or key cannot be used/],
    [storeSettings('redis+sentinel://:hunter2@h:1,h:2'), /primary/],
    [storeSettings('redis+sentinel://:hunter2@h:1,h:2/mymaster/x'), /number of the database/],
    [storeSettings('redis+sentinel://:hunter2@h:1,h:2/mymaster/0/1'), /number of the database/],
    [storeSettings('redis+sentinel://:hun/ter2@h:1,h:2/mymaster'), /percent-encode/],
    [storeSettings('redis+sentinel://:hunter2@h:1,,h:2/mymaster'), /invalid URL/],
    [storeSettings('redis+sentinel://:hunter2@h:99999/mymaster'), /invalid URL/],
    [storeSettings('redis+cluster://:hunter2@h:1,h:2/1'), /only 0/],
    [storeSettings('redis+cluster://:hunter2@'), /invalid URL/],
    [storeSettings('redis+cluster://:hunter2@h?tls=no'), /invalid URL/],
    [storeSettings('redis+cluster://:hunter2%zz@h'), /%25/],
    [storeSettings('redis+cluster://:hunter2@h', { tls: { ca: pem } }), /ca, cert or key cannot be used/],
    [storeSettings('mysql://:hunter2@h'), /neither memory nor/],
    [storeSettings('hunter2'), /neither memory nor/],
  ]
  for (const [settings, message] of cases) {
    try {
      await openStore(settings, { clock: systemClock, log: silent }).close()
      t.fail(`accepted: ${message}`)
    } catch (error) {
      const { message: actual, stack, cause } = error as Error
      t.match(actual, message)
      t.match(actual, /sessions\.store/)
      t.notMatch(`${stack} ${String(cause)} ${JSON.stringify(error)}`, /hunter2|ter2@/)
    }
  }
})

t.test('several hosts', async t => {
  const login = { username: undefined, password: undefined, db: 0, tls: undefined }
  t.same(sentinelsOf(storeSettings('redis+sentinel://h1:1,[::1],h2/my%2Fmaster/3')), {
    ...login,
    db: 3,
    sentinels: [
      { host: 'h1', port: 1 },
      { host: '::1', port: 26379 },
      { host: 'h2', port: 26379 },
    ],
    name: 'my/master',
    sentinelPassword: undefined,
  })
  t.same(clusterOf(storeSettings('redis+cluster://u:p%40%3A%2F@h1,h2:7000/')), {
    ...login,
    username: 'u',
    password: 'p@:/',
    nodes: [
      { host: 'h1', port: 6379 },
      { host: 'h2', port: 7000 },
    ],
  })
  const given = { password: createSecret('q'), sentinelPassword: createSecret('s'), tls: { serverName: 'redis.test' } }
  t.match(sentinelsOf(storeSettings('redis+sentinel://u:p@h/m', given)), {
    username: 'u',
    password: 'q',
    sentinelPassword: 's',
    tls: { servername: 'redis.test' },
  })
  t.ok(clusterOf(storeSettings('rediss+cluster://h')).tls?.secureContext)
})

t.test('the topology by the scheme', async t => {
  const schemes = {
    memory: 'memory',
    'redis://h': 'standalone',
    'rediss://h': 'standalone',
    'redis+sentinel://h/m': 'sentinel',
    'rediss+sentinel://h/m': 'sentinel',
    'redis+cluster://h': 'cluster',
    'rediss+cluster://h': 'cluster',
  }
  for (const [url, topology] of Object.entries(schemes)) t.equal(topologyOf(storeSettings(url)), topology)
})
