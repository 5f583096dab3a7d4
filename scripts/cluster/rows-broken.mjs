// The rows about a configuration that is broken: before it is installed, and after somebody has broken the ConfigMap.

import { must, seconds, until } from '../tried.mjs'
import { allServed, name, release } from './cluster.mjs'
import { logInto, portal, valuesNow } from './state.mjs'

/** What only `deskgate check` finds: the schema of the values lets it pass. */
const broken = { files: { 'agents.yaml': '- { email: ana@example.com, nonsense: 1 }\n' } }

/** The release's objects in the cluster, by their versions. Its hook's and Helm's own are not the release. */
function versions(cluster) {
  const kinds = 'deploy,replicaset,pod,service,configmap,serviceaccount,pdb'
  const items = cluster.json('get', kinds, '--selector', `app.kubernetes.io/instance=${release}`).items
  return items
    .filter(
      ({ metadata }) =>
        !['check', 'test'].includes(metadata.labels['app.kubernetes.io/component']) && !metadata.deletionTimestamp,
    )
    .map(({ kind, metadata }) => `${kind} ${metadata.name} ${kind === 'Pod' ? metadata.uid : metadata.resourceVersion}`)
    .sort()
}

async function refused(cluster) {
  await cluster.whole()
  const before = versions(cluster)
  const { status, stdout, stderr } = cluster.tryUpgrade(valuesNow({ ...broken, config: { prefix: '/sso' } }))
  must(status !== 0, 'the upgrade succeeds')
  const reason = /agents\.yaml:\d+:\d+[^\n"\\]*/.exec(
    stdout + stderr + cluster.kubectl('logs', `job/${name}-check`),
  )?.[0]
  must(reason?.includes('nonsense'), stdout + stderr)
  must(String(versions(cluster)) === String(before), `changed: ${versions(cluster)} was ${before}`)
  const shown = (stdout + stderr).includes(reason)
  return `Helm fails${shown ? ' and prints the line' : '; the log of the Job has the line'} (\`${reason}\`); no object has changed`
}

/** Every pod's own words on its configuration. */
const states = cluster => cluster.readyPods().map(pod => cluster.ready(pod))
const rejected = cluster => () => states(cluster).every(({ config }) => config === 'rejected')
const current = cluster => () => states(cluster).every(({ config }) => config === 'current')

/** Deletes one pod. The one that takes its place, when it is ready. */
async function losePod(cluster) {
  const before = cluster.names()
  cluster.kubectl('delete', 'pod', before[0], '--wait=false')
  await cluster.whole()
  const fresh = cluster.names().find(pod => !before.includes(pod))
  must(fresh, 'no other pod')
  return fresh
}

async function lostPod(cluster) {
  const session = logInto(cluster)
  const { data } = cluster.json('get', 'configmap', name)
  const patch = { data: { 'deskgate.yaml': `${data['deskgate.yaml']}\nnonsense: 1\n` } }
  cluster.kubectl('patch', 'configmap', name, '--patch', JSON.stringify(patch))
  await until('the pods have refused it', rejected(cluster), 180, 1000)
  let fresh
  const began = Date.now()
  const seen = await cluster.under(session, async () => {
    fresh = await losePod(cluster)
  })
  const took = seconds(began)
  for (const container of ['check', 'deskgate']) {
    must(/INVALID; using \S+copies\/1\//.test(cluster.logs(fresh, container)), cluster.logs(fresh, container))
  }
  await until('it says so at /ready', rejected(cluster), 30, 1000)
  must(cluster.helm('test', release).status !== 0, '`helm test` succeeds')
  must(cluster.login('ana@example.com', portal()).status === 303, 'no login')
  const names = cluster.names()
  // What kubectl has changed, Helm 4 takes back only with this option; Helm 3, which has none, does it by itself.
  const isFour = cluster.helm('version', '--short').stdout.startsWith('v4')
  cluster.upgrade(valuesNow(), { more: isFour ? ['--force-conflicts'] : [] })
  await until('all pods have it', current(cluster), 180, 1000)
  must(String(cluster.names()) === String(names) && cluster.restarts() === 0, 'pods were replaced')
  return `running pods keep the previous one; a deleted pod is replaced after ${took} by one that starts with the copy, and says so in both logs, at \`/ready\`, and in \`helm test\`, which fails; ${allServed(seen)}; \`helm upgrade\` repairs the ConfigMap, and all pods take it without a restart`
}

async function withoutHooks(cluster) {
  cluster.upgrade(valuesNow(broken), { more: ['--no-hooks'] })
  await until('the pods have refused it', rejected(cluster), 180, 1000)
  const fresh = await losePod(cluster)
  must(/INVALID; using \S+copies\/2\//.test(cluster.logs(fresh)), cluster.logs(fresh))
  cluster.upgrade(valuesNow())
  await until('all pods have it', current(cluster), 180, 1000)
  return 'a deleted pod is replaced by one that starts with the copy of the previous release; all pods apply the next upgrade'
}

export const fallbackRows = [
  { name: '`helm upgrade` with a broken configuration', does: refused },
  { name: 'a ConfigMap broken by hand, then a lost pod', does: lostPod },
  { name: 'the same by `helm upgrade --no-hooks`', does: withoutHooks },
]
