// Pods are rolled for what a running gateway cannot take, and for nothing else: everything else it takes from its files.

import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { restartKeys } from '../../src/config/changes.js'
import { valuesWith } from '../parts/chart-values.js'
import { chart, objectOf, objects, parseObjects, runHelm } from '../parts/helm.js'
import { missingParts } from '../parts/required-parts.js'

const skip = missingParts('helm')
const memory = { 'config.sessions': undefined }

async function mark(changes: Record<string, unknown>): Promise<string | undefined> {
  const deployment = objectOf(await objects({ values: valuesWith(changes), only: 'deployment.yaml' }), 'Deployment')
  return deployment.spec.template.metadata.annotations['deskgate/restart']
}

/** A value unlike the default for each key that needs a restart. */
const other: Record<string, unknown> = {
  ...{ listen: '0.0.0.0:8081', prefix: '/sso', workers: 2, drain: '10s', tls: { cert: 'tls.crt', key: '/x/tls.key' } },
  'ops.listen': '127.0.0.1:9099',
  'ops.probes': '0.0.0.0:9092',
  'limits.header': '64kb',
  'runtime.tuning': 'off',
  tracing: { otlp: 'http://collector:4318' },
  'sessions.store': 'redis://other:6379',
  ...{ 'sessions.idle': '1h', 'sessions.lifetime': '9h', 'sessions.perAgent': 3 },
  ...{ 'sessions.nearCache': '1s', 'sessions.outageGrace': '1m' },
}
const tls = { files: { 'tls.crt': 'x' }, extraVolumeMounts: [{ name: 'x', mountPath: '/x' }] }

t.test('every setting that needs a restart rolls the pods', { skip }, async t => {
  const before = await mark(tls)
  t.same(Object.keys(other).sort(), [...restartKeys].sort(), 'none is overlooked')
  for (const [key, value] of Object.entries(other)) t.not(await mark({ ...tls, [`config.${key}`]: value }), before, key)
})

t.test('no other setting does', { skip }, async t => {
  const before = await mark({})
  const saml = { id: 'corp', type: 'saml', name: 'Corp', metadata: 'https://idp.example.com/metadata' }
  const taken = {
    ...{ publicUrl: 'https://other.example.com', trustedProxies: ['192.0.2.0/24'], providers: [saml], site: 'x' },
    ...{ agents: [{ any: true }], secrets: [{ file: '/etc/deskgate/secrets/portal' }], 'log.level': 'debug' },
    ...{
      'limits.logins': '5/m',
      'desk.public': ['/x'],
      'sessions.idleIgnore': ['/x'],
      'ops.adminToken': { file: '/etc/deskgate/secrets/ring' },
    },
  }
  for (const [key, value] of Object.entries(taken)) t.equal(await mark({ [`config.${key}`]: value }), before, key)
  t.equal(await mark({ files: { 'agents.yaml': 'x' } }), before)
})

t.test('another certificate is not a reason, TLS on or off is one', { skip }, async t => {
  const on = { ...tls, 'config.tls': { cert: 'tls.crt', key: '/x/tls.key' } }
  t.equal(await mark(on), await mark({ ...on, files: { 'tls.crt': 'y' } }))
  t.not(await mark(on), await mark(tls))
})

t.test(
  'an upgrade of values or chart never touches the selector, and a newer chart rolls by its image alone',
  { skip },
  async t => {
    const before = objectOf(await objects({ values: valuesWith({}) }), 'Deployment').spec
    const labels = { commonLabels: { team: 'a' }, podLabels: { tier: 'b' }, podAnnotations: { note: 'c' } }
    const scaled = { 'autoscaling.enabled': true, 'config.workers': 2, 'service.port': 8080, 'image.tag': '9' }
    for (const changes of [labels, scaled, { ...memory, replicas: 1 }]) {
      const { selector, template } = objectOf(await objects({ values: valuesWith(changes) }), 'Deployment').spec
      t.same(selector, before.selector)
      t.match(template.metadata.labels, before.selector.matchLabels)
    }
    const newer = await mkdtemp(join(tmpdir(), 'deskgate-newer-'))
    t.teardown(() => rm(newer, { recursive: true, force: true }))
    await cp(chart, newer, { recursive: true })
    const about = parse(await readFile(join(chart, 'Chart.yaml'), 'utf8'))
    await writeFile(join(newer, 'Chart.yaml'), JSON.stringify({ ...about, version: '9.0.0', appVersion: '9.0.0' }))
    await writeFile(join(newer, 'own.json'), JSON.stringify(valuesWith({})))
    const args = ['template', 'desk', newer, '--namespace', 'help', '--values', join(newer, 'own.json')]
    const after = objectOf(parseObjects((await runHelm('helm', args)).stdout), 'Deployment').spec
    const of = (spec: object) => JSON.parse(JSON.stringify(spec).replaceAll(/deskgate:[\d.]+/g, 'deskgate:x'))
    t.not(after.template.spec.containers[0].image, before.template.spec.containers[0].image)
    t.same(of(after), of(before))
  },
)

t.test('what the store needs out of explicit values and files rolls the pods too', { skip }, async t => {
  const store = { url: 'rediss://redis:6379', password: { file: '/etc/deskgate/secrets/redis' }, tls: { ca: 'ca.pem' } }
  const changes = (password: string, ca: string, portal = 'p') => ({
    'config.sessions.store': store,
    'secrets.existingSecret': '',
    'secrets.keys': {},
    'secrets.values': { ring: 'r', portal, redis: password },
    files: { 'ca.pem': ca },
  })
  const before = await mark(changes('one', 'one'))
  t.not(await mark(changes('two', 'one')), before)
  t.not(await mark(changes('one', 'two')), before)
  t.equal(await mark(changes('one', 'one', 'q')), before, "a provider's secret is taken by a reload")
})
