// The guides are right about us: every configuration in them loads without a warning, every reason and setting that they
// name exists, every address is the one that Deskgate prints, and every link leads somewhere.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { reasons } from '../../src/core/reasons.js'
import { spMetadataFor } from '../../src/providers/saml/sp-metadata.js'
import { createPaths } from '../../src/web/request/paths.js'
import { load, longSecret, problems, rsaPair, samlProvider, settings, today } from '../parts/configuration.js'
import { openGuide } from '../parts/guide.js'
import { openShell } from '../parts/guide-shell.js'
import { missingParts } from '../parts/required-parts.js'
import { samlSettings } from '../parts/saml-provider.js'

const folder = join(import.meta.dirname, '../../docs/identity-providers')
const guides = readdirSync(folder).map(name => ({ name, text: readFileSync(join(folder, name), 'utf8') }))
const schema = readFileSync(join(import.meta.dirname, '../../config/reference.yaml'), 'utf8')
const { certificate, key } = rsaPair(today + 90 * 86_400_000)
const outside = {
  files: {
    ...{ 'idp.crt': certificate, 'google.crt': certificate, 'agents.yaml': '- { email: ana@example.com }' },
    ...{ 'sp.key': key, 'sp.crt': certificate },
  },
  env: { DESKGATE_SECRET: longSecret('ring'), PORTAL_SECRET: longSecret('portal') },
}
const paths = createPaths('/auth')
const acsUrl = `https://desk.example.com${paths.acs}`
const sloUrl = `https://desk.example.com${paths.slo}`

t.test('there is a guide for each of the seven, one for Desk.com, and all are on the list', async t => {
  const wanted = [
    'adfs',
    'entra-id',
    'from-desk-com',
    'google-workspace',
    'keycloak',
    'okta',
    'salesforce',
    'simplesamlphp',
  ]
  t.strictSame(guides.map(({ name }) => name).sort(), ['README.md', ...wanted.map(name => `${name}.md`)].sort())
  const list = guides.find(({ name }) => name === 'README.md')?.text ?? ''
  for (const name of wanted) t.match(list, `(${name}.md)`)
})

for (const { name, text } of guides) {
  t.test(name, async t => {
    const blocks = [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, yaml = '']) => yaml)
    t.ok(blocks.length > 0, 'it has a configuration')
    for (const block of blocks) {
      const written = parse(block)
      // A whole file stands as it is; a part goes into a small one.
      const result = load(written.publicUrl ? block : settings(written), outside)
      t.ok('config' in result, JSON.stringify('config' in result ? '' : result.problems))
      t.strictSame(result.warnings, [])
    }
    const codes = [...text.matchAll(/`((?:saml|jwt|agent|login|session)\.[a-z_]+)`/g)].map(([, code = '']) => code)
    t.ok(codes.length > 3)
    for (const code of codes.filter(code => code !== 'login.alsoAllowDeskAuthentication')) {
      t.ok((reasons as string[]).includes(code), code)
    }
    for (const [, key = ''] of text.matchAll(/`providers\[\]\.(\w+)/g)) t.match(schema, `${key}:`)
    for (const [address] of text.matchAll(/https:\/\/desk\.example\.com\/auth\/saml\/acs\S*?(?=`)/g))
      t.equal(address, acsUrl)
    for (const [address] of text.matchAll(/https:\/\/desk\.example\.com\/auth\/saml\/sl\S*?(?=`)/g))
      t.equal(address, sloUrl)
    for (const [, target = ''] of text.matchAll(/\]\(([^)#]+)\)/g)) t.ok(existsSync(join(folder, target)), target)
  })
}

t.test('each of the seven says what to do about signed requests, encryption and single logout', async t => {
  const heading = '## Signed requests, encryption, single logout'
  for (const { name, text } of guides.filter(({ name }) => !['README.md', 'from-desk-com.md'].includes(name))) {
    const part = text.slice(text.indexOf(heading)).split('\n| wrong |')[0] ?? ''
    for (const wanted of [heading, /encrypt/i, /sign/i, /logout/i]) t.match(part, wanted, name)
    if (name !== 'google-workspace.md') t.match(part, /key: sp\.key\n\s+certificate: sp\.crt/, name)
  }
})

t.test(
  'the command that makes a key makes one that the configuration takes',
  { skip: missingParts('openssl') },
  async t => {
    const shell = await openShell(t, {})
    const guide = openGuide('docs/identity-providers/README.md')
    t.match(await shell.run(guide.commandBlock('openssl req')), { code: 0 })
    guide.everyBlockRan(t)
    const file = (name: string) => readFileSync(join(shell.folder, name), 'utf8')
    const provider = { ...samlProvider, key: 'sp.key', certificate: 'sp.crt', signRequests: true }
    const own = { 'sp.key': file('sp.key'), 'sp.crt': file('sp.crt') }
    t.strictSame(problems(settings({ providers: [provider] }), { files: own }), [])
  },
)

t.test(
  'the fingerprint that a command shows is one that the configuration takes',
  { skip: missingParts('openssl') },
  async t => {
    const shell = await openShell(t, { 'idp.crt': certificate })
    const guide = openGuide('docs/identity-providers/from-desk-com.md')
    const { code, stdout } = await shell.run(guide.commandBlock('openssl x509'))
    t.equal(code, 0)
    const [, fingerprint = ''] = /=([0-9A-F:]{59})$/m.exec(stdout) ?? []
    const { metadata: _, ...rest } = samlProvider as Record<string, unknown>
    const provider = { ...rest, issuer: 'https://idp.example.com', loginUrl: 'https://idp.example.com/sso' }
    t.strictSame(problems(settings({ providers: [{ ...provider, certificateFingerprints: [fingerprint] }] }), {}), [])
    guide.everyBlockRan(t)
  },
)

t.test('the values to type are those that the metadata has', async t => {
  const list = guides.find(({ name }) => name === 'README.md')?.text ?? ''
  const printed = spMetadataFor([samlSettings([])], undefined, { site: 'desk.example.com', acsUrl, now: today }) ?? ''
  for (const value of [acsUrl, 'desk.example.com', 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress']) {
    t.match(printed, value)
    t.match(list, `\`${value}\``)
  }
})
