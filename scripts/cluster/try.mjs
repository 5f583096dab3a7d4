// npm run test:cluster: installs the chart into a namespace of its own, does to it what docs/kubernetes.md names, prints a table
// of what was seen, and removes the namespace. It runs only where KUBECONFIG is set. Options: --image REPOSITORY:TAG, that
// the nodes can pull or have; --redis IMAGE; --from COMMIT, with the chart to upgrade from; --drain NODE; --only WORDS, for
// the rows that have them; --write puts the table into the page.

import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openGuides } from '../marked-blocks.mjs'
import { find } from '../parts.mjs'
import { print, tryRows, writeInto } from '../tried.mjs'
import { createCluster } from './cluster.mjs'
import { around } from './objects.mjs'
import { rows } from './rows.mjs'
import { begin, secretData, secretFiles, valuesNow } from './state.mjs'

const root = join(import.meta.dirname, '../..')
const page = join(root, 'docs/kubernetes.md')
const { values: options } = parseArgs({
  options: {
    image: { type: 'string', default: 'deskgate:0.1.0' },
    redis: { type: 'string', default: 'docker.io/library/redis:7-alpine' },
    ...{ from: { type: 'string' }, drain: { type: 'string' }, only: { type: 'string' } },
    write: { type: 'boolean', default: false },
  },
})

/** Why it cannot run here; undefined when it can. */
function obstacle(helm) {
  const { KUBECONFIG } = process.env
  if (!KUBECONFIG) return 'KUBECONFIG is not set: it runs only on a cluster that you name'
  if (!existsSync(KUBECONFIG)) return `KUBECONFIG is ${KUBECONFIG}, which does not exist`
  if (!helm) return 'Helm is not here (set HELM to its path)'
  const { status, stderr } = spawnSync('kubectl', ['get', 'nodes'], { encoding: 'utf8' })
  return status === 0 ? undefined : `the cluster does not answer: ${stderr || 'kubectl is not here'}`
}

/** The chart of another commit, in a folder of its own. */
function chartFrom(commit) {
  const folder = mkdtempSync(join(tmpdir(), 'deskgate-older-'))
  const archive = execFileSync('git', ['archive', commit, 'helm/deskgate'], { cwd: root, maxBuffer: 64 * 1024 * 1024 })
  execFileSync('tar', ['-x', '-C', folder], { input: archive })
  return { folder, chart: join(folder, 'helm/deskgate') }
}

async function prepare(cluster) {
  const labels = Object.fromEntries(
    ['enforce', 'warn'].map(mode => [`pod-security.kubernetes.io/${mode}`, 'restricted']),
  )
  cluster.apply([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: cluster.namespace, labels } }])
  const code = readFileSync(join(import.meta.dirname, 'inside.mjs'), 'utf8')
  cluster.apply(around({ image: options.image, redis: options.redis, code }))
  begin({ image: options.image, desk: cluster.address('desk'), redis: cluster.address('redis') })
  for (const [name, text] of secretFiles()) writeFileSync(join(cluster.folder, name), text)
  cluster.typed(cluster.guides.block('docs/kubernetes.md', 'kubectl create secret'))
  for (const name of ['redis', 'desk', 'client']) {
    cluster.kubectl('rollout', 'status', `deploy/${name}`, '--timeout', '180s')
  }
}

/** The Secret, room, Redis and the release, as they are at the beginning. */
async function recover(cluster) {
  cluster.apply([secretData()])
  cluster.tryKubectl(['delete', 'resourcequota', 'try', '--ignore-not-found'])
  cluster.tryKubectl(['scale', 'deploy/redis', '--replicas', '1'])
  cluster.tryUpgrade(valuesNow(), { more: ['--install', '--no-hooks'] })
  await cluster.whole().catch(error => print(error.message))
}

async function main() {
  const helm = find('helm') ?? find('helm3')
  const reason = obstacle(helm)
  if (reason) {
    print(`test:cluster is skipped: ${reason}`)
    return
  }
  const namespace = `deskgate-try-${Math.random().toString(36).slice(2, 8)}`
  const older = options.from ? chartFrom(options.from) : undefined
  const hands = createCluster({ namespace, helm, chart: join(root, 'helm/deskgate') })
  const guides = openGuides('test:cluster')
  const cluster = { ...hands, guides, image: options.image, older: older?.chart, drainNode: options.drain }
  let table = ''
  try {
    await prepare(cluster)
    const chosen = rows.filter(({ name }, at) => at === 0 || !options.only || name.includes(options.only))
    table = await tryRows(chosen, cluster, recover)
    if (!options.only) guides.allRan()
  } finally {
    spawnSync('kubectl', ['delete', 'namespace', namespace, '--wait=false'])
    cluster.remove()
    if (older) rmSync(older.folder, { recursive: true, force: true })
  }
  const { serverVersion } = JSON.parse(execFileSync('kubectl', ['version', '--output', 'json'], { encoding: 'utf8' }))
  const { length: nodes } = JSON.parse(
    execFileSync('kubectl', ['get', 'nodes', '--output', 'json'], { encoding: 'utf8' }),
  ).items
  const helmVersion = execFileSync(helm, ['version', '--template', '{{ .Version }}'], { encoding: 'utf8' })
  const on = `Kubernetes ${serverVersion.gitVersion} with ${nodes === 1 ? 'one node' : `${nodes} nodes`}, Helm ${helmVersion}`
  print(on)
  if (options.write) writeInto(page, `${table}\n\nOn ${on}.\n`)
}

await main()
