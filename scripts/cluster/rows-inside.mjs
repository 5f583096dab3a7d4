// The rows about what the cluster makes of the chart's objects: whether its API server takes them all, and what a pod may do.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { find } from '../parts.mjs'
import { must } from '../tried.mjs'
import { name, release } from './cluster.mjs'
import { front } from './objects.mjs'
import { logInto, valuesNow } from './state.mjs'

async function examples(cluster) {
  const files = readdirSync(join(cluster.chart, 'ci')).filter(file => file.endsWith('-values.yaml'))
  const known = cluster.kubectl('api-resources', '--output', 'name').split('\n')
  const left = new Set()
  let count = 0
  for (const file of files) {
    const { status, stdout, stderr } = cluster.helm(
      'template',
      'x',
      cluster.chart,
      '--values',
      join(cluster.chart, 'ci', file),
    )
    must(status === 0, stderr)
    const objects = parseAllDocuments(stdout).map(document => document.toJS())
    const taken = objects.filter(object => {
      const { kind, apiVersion } = object ?? {}
      // The pod of the test needs the account and the priority class, which are not there.
      if (!kind || kind === 'Pod') return false
      const group = apiVersion.includes('/') ? `.${apiVersion.split('/')[0]}` : ''
      const isKnown = known.some(
        resource => resource.endsWith(group) && resource.startsWith(`${kind.toLowerCase()}`.slice(0, 9)),
      )
      if (!isKnown) left.add(kind)
      return isKnown
    })
    const items = taken.map(object => ({ ...object, metadata: { ...object.metadata, namespace: cluster.namespace } }))
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
    const said = cluster.tryKubectl(['apply', '--dry-run=server', '--validate=strict', '--filename', '-'], list)
    if (/not configured on this cluster/.test(said.stderr)) {
      left.add('two IP families')
      continue
    }
    must(said.status === 0, `${file}: ${said.stderr}`)
    count += items.length
  }
  const without = left.size > 0 ? `; not asked, as the cluster does not know them: ${[...left].join(', ')}` : ''
  return `it takes all ${count} objects of ${files.length} examples of values, strictly validated${without}`
}

const inPod = (cluster, ...words) => cluster.kubectl('exec', `deploy/${name}`, '--', 'node', ...words).trim()
const evaluated = (cluster, script) => inPod(cluster, '-e', script)

async function confined(cluster) {
  const status = evaluated(cluster, "console.log(require('fs').readFileSync('/proc/1/status', 'utf8'))")
  for (const line of [/^Uid:\s+10001\s/m, /^NoNewPrivs:\s+1$/m, /^Seccomp:\s+2$/m, /^CapEff:\s+0+$/m]) {
    must(line.test(status), `${line}: ${status}`)
  }
  const files = evaluated(cluster, "console.log(require('fs').readdirSync('/etc/deskgate/secrets').join())")
  must(files.includes('ring'), files)
  const written = evaluated(cluster, "try { require('fs').writeFileSync('/x', '') } catch (e) { console.log(e.code) }")
  must(written === 'EROFS', written)
  return 'user 10001, no capability, seccomp on, a root that cannot be written, secrets that can be read'
}

async function commands(cluster) {
  logInto(cluster)
  const listed = inPod(cluster, 'dist/main.js', 'sessions', 'list')
  must(listed.includes('ana@example.com'), listed)
  must(/is valid/.test(inPod(cluster, 'dist/main.js', 'check', '--online')), 'check --online')
  return '`sessions list` has the session, `check --online` reaches Redis and Desk'
}

/** A key, and a certificate of its own authority. */
function selfSigned(host) {
  const folder = mkdtempSync(join(tmpdir(), 'deskgate-tls-'))
  const [key, certificate] = ['key.pem', 'certificate.pem'].map(file => join(folder, file))
  const how = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30', '-subj', `/CN=${host}`]
  const names = ['-addext', `subjectAltName=DNS:${host}`]
  try {
    execFileSync(find('openssl'), ['req', '-x509', ...how, ...names, '-keyout', key, '-out', certificate], {
      stdio: 'pipe',
    })
    return { key: readFileSync(key, 'utf8'), certificate: readFileSync(certificate, 'utf8') }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function doctor(cluster) {
  if (!find('openssl')) return 'not seen: openssl is not installed here'
  const host = 'desk.example.com'
  const tls = selfSigned(host)
  cluster.apply(front({ image: cluster.image, base: cluster.base(), ...tls }))
  cluster.kubectl('rollout', 'status', 'deploy/front', '--timeout', '120s')
  const values = {
    test: { doctor: true },
    files: { 'ca.pem': tls.certificate },
    extraEnv: [{ name: 'NODE_EXTRA_CA_CERTS', value: '/etc/deskgate/config/ca.pem' }],
    hostAliases: [{ ip: cluster.address('front'), hostnames: [host] }],
  }
  cluster.upgrade(valuesNow(values))
  await cluster.whole()
  const { status, stdout, stderr } = cluster.helm('test', release, '--logs')
  must(status === 0, stdout + stderr)
  const checks = stdout.match(/^ +ok {4}\S/gm)?.length ?? 0
  must(checks > 15, stdout)
  must(/works\.$/m.test(inPod(cluster, 'dist/main.js', 'doctor')), 'doctor in a pod')
  cluster.kubectl('scale', 'deploy/front', '--replicas', '0')
  cluster.kubectl('wait', 'pod', '--selector', 'deskgate-try=front', '--for', 'delete', '--timeout', '60s')
  const away = cluster.helm('test', release, '--logs')
  const finding = /no TLS connection to \S+:443/.exec(away.stdout + away.stderr)?.[0]
  must(away.status !== 0 && finding, away.stdout + away.stderr)
  cluster.upgrade(valuesNow())
  await cluster.whole()
  return `through a front with TLS ${checks} checks are ok, and \`doctor\` works in a pod; without the front the test fails: \`${finding}\``
}

export const insideRows = [
  { name: '`helm test` with `test.doctor: true`', does: doctor },
  { name: "the API server, and the chart's examples", does: examples },
  { name: 'what a pod may do', does: confined },
  { name: 'the commands of `kubectl exec`', does: commands },
]
