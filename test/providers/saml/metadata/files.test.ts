// Metadata in files is part of the configuration: what is wrong with it is found before the gateway starts.

import { rm } from 'node:fs/promises'
import t from 'tap'
import { loadWithMetadata } from '../../../../src/cli/commands/configuration.js'
import { formatProblem } from '../../../../src/config/problems.js'
import { writeConfiguration } from '../../../parts/gateway.js'
import { federation, idpMetadata } from '../../../parts/idp-metadata.js'
import { newSigningKey } from '../../../parts/saml-idp.js'

const [one, two] = [newSigningKey('one').certificate, newSigningKey('two').certificate]
const issuer = 'https://one.example.com'
const files = {
  'one.crt': one,
  'one.xml': idpMetadata([one], { entityId: issuer }),
  'two.xml': idpMetadata([two], { entityId: 'https://two.example.com' }),
  'one-again.xml': idpMetadata([two], { entityId: issuer }),
  'one-key.xml': idpMetadata([two, one], { entityId: 'https://other.example.com' }),
  'past.xml': idpMetadata([one], { attributes: ' validUntil="2025-01-01T00:00:00Z"' }),
  'empty.xml': '',
  'half.xml': idpMetadata([one]).slice(0, 300),
  'no-key.xml': idpMetadata([]),
  'page.xml': '<html><body>Log in</body></html>',
  'all.xml': federation([
    idpMetadata([one], { entityId: issuer }),
    idpMetadata([two], { entityId: 'https://two.example.com' }),
  ]),
}

/** What is said of these providers, without the file's name. */
async function said(...providers: object[]) {
  return saidAt('problem', ...providers)
}

async function saidAt(unusable: 'problem' | 'warning', ...providers: object[]) {
  const settings = {
    publicUrl: 'https://desk.example.com',
    desk: { url: 'http://desk.internal:3000' },
    providers: providers.map((more, index) => ({ id: `p${index}`, type: 'saml', name: `P${index}`, ...more })),
    agents: [{ any: true }],
  }
  const { folder, file } = await writeConfiguration(JSON.stringify(settings), files)
  const loaded = await loadWithMetadata(file, {}, { unusable })
  await rm(folder, { recursive: true })
  const lines = (found: typeof loaded.warnings) => found.map(one => formatProblem({ ...one, file: '' }))
  return { problems: 'config' in loaded ? [] : lines(loaded.problems), warnings: lines(loaded.warnings) }
}

const manual = { issuer, loginUrl: 'https://one.example.com/sso', certificates: ['one.crt'] }
const cases: [string, object[], RegExp[]][] = [
  ['two identity providers', [{ metadata: 'one.xml' }, { metadata: 'two.xml' }], []],
  [
    'two of one federation',
    [
      { metadata: 'all.xml', issuer },
      { metadata: 'all.xml', issuer: 'https://two.example.com' },
    ],
    [],
  ],
  [
    'no metadata',
    [{ metadata: 'page.xml' }],
    [
      /^:1:\d+ providers\[0\]\.metadata: cannot be used: an HTML page instead of metadata: name the URL of the metadata itself$/,
    ],
  ],
  ['several, and none is named', [{ metadata: 'all.xml' }], [/providers\[0\]\.metadata: cannot be used: .*set issuer/]],
  [
    'another issuer',
    [{ metadata: 'one.xml', issuer: 'https://x' }],
    [/cannot be used: the metadata has no identity provider with this issuer/],
  ],
  [
    'not signed',
    [{ metadata: 'one.xml', metadataCertificate: 'one.crt' }],
    [/cannot be used: metadataCertificate is set, and/],
  ],
  [
    'the issuer of another, in its metadata',
    [{ metadata: 'one.xml' }, { metadata: 'one-again.xml' }],
    [/providers\[1\]\.metadata: same issuer as providers\[0\] \(use one entry per identity provider\)$/],
  ],
  [
    'the issuer and the key of another, by hand',
    [{ metadata: 'one.xml' }, manual],
    [/providers\[1\]: same issuer as providers\[0\]/, /providers\[1\]: has a key of providers\[0\]/],
  ],
  [
    'the key of another, by hand',
    [manual, { metadata: 'one-key.xml' }],
    [/providers\[1\]\.metadata: has a key of providers\[0\]/],
  ],
]
for (const [name, providers, expected] of cases) {
  t.test(name, async t => {
    const { problems } = await said(...providers)
    t.equal(problems.length, expected.length, problems.join('\n'))
    for (const [index, line] of expected.entries()) t.match(problems[index], line)
  })
}

t.test('the fingerprint of a certificate names its key', async t => {
  const { X509Certificate } = await import('node:crypto')
  const { fingerprint256 } = new X509Certificate(one)
  const pinned = { issuer: 'https://x', loginUrl: 'https://x/sso', certificateFingerprints: [fingerprint256] }
  t.match((await said(pinned, { metadata: 'one.xml' })).problems, [
    /providers\[1\]\.metadata: has a key of providers\[0\]/,
  ])
})

t.test('a file that cannot be used keeps no gateway from starting, and others not from logging in', async t => {
  for (const metadata of ['page.xml', 'all.xml', 'empty.xml', 'half.xml', 'no-key.xml']) {
    const { problems, warnings } = await saidAt('warning', { metadata }, { metadata: 'two.xml' })
    t.same(problems, [], metadata)
    t.match(warnings, [/providers\[0\]\.metadata: cannot be used: /], metadata)
    const checked = await said({ metadata }, { metadata: 'two.xml' })
    t.match(checked.problems, [/providers\[0\]\.metadata: cannot be used: /], 'check and a reload say it as a problem')
  }
  const shared = await saidAt('warning', { metadata: 'one.xml' }, { metadata: 'one-again.xml' })
  t.equal(shared.problems.length, 1, 'what makes logins unsafe stays a problem')
})

t.test('metadata that has expired keeps the others from nothing', async t => {
  const { problems, warnings } = await said({ metadata: 'past.xml' }, { metadata: 'two.xml' })
  t.same(problems, [])
  t.match(warnings, [
    /providers\[0\]\.metadata: expired on 2025-01-01T00:00:00\.000Z: nobody can log in with this provider/,
  ])
})
