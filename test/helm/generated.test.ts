// What is generated is as it would be generated now, and the chart tells of itself what is so.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { chartKinds } from '../../scripts/chart/kinds.js'
import { chartReadme } from '../../scripts/chart/readme.js'
import { habits, valuesSchema } from '../../scripts/chart/values-schema.js'
import { chart, runHelm } from '../parts/helm.js'
import { missingParts } from '../parts/required-parts.js'

const text = (name: string) => readFileSync(join(chart, name), 'utf8')
const say = 'npm run generate'

t.test('schema, kinds and table are up to date', async t => {
  t.equal(text('values.schema.json'), valuesSchema(), say)
  t.equal(text('kinds.json'), chartKinds(), say)
  t.equal(text('README.md'), chartReadme(text('README.md'), text('values.yaml')), say)
})

t.test('the schema refers to nothing outside itself, in a draft that both Helms read', async t => {
  const schema = JSON.parse(text('values.schema.json'))
  t.equal(schema.$schema, 'http://json-schema.org/draft-07/schema#')
  t.notMatch(text('values.schema.json'), /"\$(ref|id|defs)"/)
  const own = Object.keys(schema.properties).filter(key => !(key in habits))
  t.same(own.sort(), Object.keys(parse(text('values.yaml'))).sort())
  t.ok(schema.properties.config.properties.sessions.properties.store)
})

t.test('a value without a comment is not passed over', async t => {
  t.throws(() => chartReadme(text('README.md'), 'a: 1\n'), /a has no comment/)
  t.match(chartReadme(text('README.md'), '# -- Two\n# lines | long.\na: 1\n'), '| `a` | `1` | Two lines \\| long. |')
})

t.test('chart, application and annotations', async t => {
  const { version } = JSON.parse(readFileSync(join(chart, '../../package.json'), 'utf8'))
  const { appVersion, annotations, ...rest } = parse(text('Chart.yaml'))
  t.equal(appVersion, version)
  t.match(text('UPGRADING.md'), `## ${rest.version}`)
  t.ok(parse(annotations['artifacthub.io/changes'])[0].kind)
})

// Helm 3 renders the notes with `template`, but shows them only where there is a cluster.
t.test('the notes say what to give each identity provider', { skip: missingParts('helm') }, async t => {
  const notesOf = async (file: string) => {
    const args = ['install', 'desk', chart, '--dry-run=client', '--namespace', 'help', '--values', file]
    const { code, stdout, stderr } = await runHelm('helm', args)
    t.equal(code, 0, stderr)
    return stdout.split('NOTES:')[1] ?? ''
  }
  const full = await notesOf(join(chart, 'ci/full-values.yaml'))
  t.match(full, 'JWT callback      https://desk.example.com/auth/jwt/callback')
  t.match(full, 'ACS URL           https://desk.example.com/auth/saml/acs')
  t.match(full, 'entity ID         mysite')
  t.match(full, 'metadata          https://desk.example.com/sso/saml/corp/metadata')
  t.match(full, 'single logout     https://desk.example.com/sso/saml/slo')
  t.match(full, 'after its logout  https://desk.example.com/sso/logged-out')
  t.match(full, 'Secret deskgate with admin-token, portal, redis-url, ring-2025, ring-2026\n')
  t.match(full, 'Secret deskgate-keys with identity, tls.key\n')
  t.notMatch(full, /memory of one pod|cannot be reached from outside/)
  t.match(await notesOf(join(chart, 'ci/httproute-values.yaml')), 'entity ID         desk.example.com')
  t.match(await notesOf(join(chart, 'ci/minimal-values.yaml')), /cannot be reached from outside.*memory of one pod/s)
})
