// The rows about what the cluster makes of the chart's objects: whether its API server takes them all, and what a pod may do.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parse, parseAllDocuments } from 'yaml'
import { must } from '../tried.mjs'
import { name } from './cluster.mjs'

/** Objects that the pages show. */
const ofPages = [
  ['docs/security.md', 'kind: NetworkPolicy'],
  ['docs/fronts/ingress-nginx.md', 'kind: ConfigMap'],
]

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
  for (const [page, words] of ofPages) {
    const { metadata, ...object } = parse(cluster.guides.block(page, words))
    const text = JSON.stringify({ ...object, metadata: { ...metadata, namespace: cluster.namespace } })
    const said = cluster.tryKubectl(['apply', '--dry-run=server', '--validate=strict', '--filename', '-'], text)
    must(said.status === 0, `${page}: ${said.stderr}`)
    count++
  }
  const without = left.size > 0 ? `; not asked, as the cluster does not know them: ${[...left].join(', ')}` : ''
  return `it takes all ${count} objects of ${files.length} examples of values and of the pages, strictly validated${without}`
}

const inPod = (cluster, script) => cluster.kubectl('exec', `deploy/${name}`, '--', 'node', '-e', script).trim()

async function confined(cluster) {
  const status = inPod(cluster, "console.log(require('fs').readFileSync('/proc/1/status', 'utf8'))")
  for (const line of [/^Uid:\s+10001\s/m, /^NoNewPrivs:\s+1$/m, /^Seccomp:\s+2$/m, /^CapEff:\s+0+$/m]) {
    must(line.test(status), `${line}: ${status}`)
  }
  const files = inPod(cluster, "console.log(require('fs').readdirSync('/etc/deskgate/secrets').join())")
  must(files.includes('ring'), files)
  const written = inPod(cluster, "try { require('fs').writeFileSync('/x', '') } catch (e) { console.log(e.code) }")
  must(written === 'EROFS', written)
  return 'user 10001, no capability, seccomp on, a root that cannot be written, secrets that can be read'
}

export const insideRows = [
  { name: "the API server, and the chart's examples", does: examples },
  { name: 'what a pod may do', does: confined },
]
