// The rows about what a cluster takes away: a Secret, a process, a node, Redis, and room for one more pod.

import { readdirSync, readFileSync } from 'node:fs'
import { must, pause, seconds, until } from '../tried.mjs'
import { allServed, name } from './cluster.mjs'
import { logInto, secretData, valuesNow } from './state.mjs'

async function missingSecret(cluster) {
  const session = logInto(cluster)
  cluster.kubectl('delete', 'secret', 'deskgate')
  const before = cluster.names()
  cluster.kubectl('delete', 'pod', before[0], '--wait=false')
  const waits = () => cluster.pods().find(pod => !before.includes(pod.metadata.name) && pod.status.phase === 'Pending')
  const fresh = await until('a pod waits', waits, 60)
  const events = () =>
    cluster.kubectl('get', 'events', '--field-selector', `involvedObject.name=${fresh.metadata.name}`)
  await until('its events say why', () => /secret "deskgate" not found/.test(events()), 60, 1000)
  must(cluster.get('/tickets', { cookie: session }).status === 200, 'the other pod does not serve')
  const { status, stdout, stderr } = cluster.tryUpgrade(valuesNow({ config: { drain: '8s' } }))
  const said = stdout + stderr + cluster.kubectl('logs', `job/${name}-check`)
  must(status !== 0 && /missing: \/etc\/deskgate\/secrets\//.test(said), said)
  const began = Date.now()
  cluster.apply([secretData()])
  await cluster.whole()
  return `the other pod serves; a new pod waits, and its events name the Secret; an upgrade is refused; once the Secret is there, the pod is ready after ${seconds(began)}`
}

/** The gateway's process of a pod, where the node is this machine; undefined elsewhere. */
function processOf(pod) {
  for (const pid of readdirSync('/proc').filter(entry => /^\d+$/.test(entry))) {
    try {
      const isIts = readFileSync(`/proc/${pid}/root/etc/hostname`, 'utf8').trim() === pod
      if (isIts && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('serve')) return Number(pid)
    } catch {
      // Gone, or another user's.
    }
  }
  return undefined
}

async function killed(cluster) {
  const [pod] = cluster.names()
  const pid = processOf(pod)
  const before = cluster.restarts()
  const began = Date.now()
  let took
  const seen = await cluster.under(logInto(cluster), async () => {
    if (pid) process.kill(pid, 'SIGKILL')
    else cluster.kubectl('delete', 'pod', pod, '--force', '--grace-period=0')
    if (pid) await until('the container is started again', () => cluster.restarts() > before, 60)
    await cluster.whole()
    took = seconds(began)
  })
  const { 200: served = 0, ...failed } = seen.counts
  const count = Object.values(failed).reduce((sum, each) => sum + each, 0)
  must(served > count * 10, `${JSON.stringify(seen.counts)}`)
  const how = pid ? 'SIGKILL of a process' : '`kubectl delete pod --force` (the node is another machine)'
  return `${how}: both pods ready after ${took}; ${served} requests 200, ${count} failed (${JSON.stringify(failed)}); the session continues`
}

async function drained(cluster) {
  const { drainNode: node } = cluster
  if (!node) return undefined
  const others = cluster
    .json('get', 'nodes')
    .items.filter(({ metadata, spec }) => metadata.name !== node && !spec.unschedulable)
  const session = logInto(cluster)
  const args = ['drain', node, '--ignore-daemonsets', '--delete-emptydir-data', '--timeout', '180s']
  const only = ['--pod-selector', 'app.kubernetes.io/component=gateway']
  let held = false
  const seen = await cluster.under(session, async () => {
    const { child, ended } = cluster.start('kubectl', [...args, ...only])
    try {
      if (others.length === 0) {
        await until(
          'one pod waits for a node',
          () => cluster.pods().some(({ status }) => status.phase === 'Pending'),
          60,
        )
        await pause(10_000)
        held = child.exitCode === null && cluster.readyPods().length === 1
        must(held, 'the budget did not hold the drain')
        cluster.kubectl('uncordon', node)
      }
      const { status, output } = await ended
      must(status === 0, output)
      await cluster.whole()
    } finally {
      cluster.kubectl('uncordon', node)
    }
  })
  const where = held
    ? 'with no other node the budget keeps one pod until there is a place for the other; then the command ends'
    : 'the command ends'
  return `${where}; ${allServed(seen)}`
}

async function redisLost(cluster) {
  const session = logInto(cluster)
  must(cluster.get('/tickets', { cookie: session }).status === 200, 'no session')
  cluster.kubectl('scale', 'deploy/redis', '--replicas', '0')
  const down = () => cluster.readyPods().map(pod => cluster.ready(pod))
  await until('the pods know it', () => down().every(({ store }) => store === 'down'), 60)
  must(down().length === 2 && down().every(({ status }) => status === 200), 'pods are not ready')
  const lost = cluster.get('/tickets', { cookie: session })
  must(lost.status === 503 && lost.headers['retry-after'], `a session gets ${lost.status}`)
  must(cluster.get('/assets/x').status === 200, 'a public path does not pass')
  await pause(30_000)
  must(cluster.restarts() === 0 || down().length === 2, 'pods were restarted')
  const began = Date.now()
  cluster.kubectl('scale', 'deploy/redis', '--replicas', '1')
  await until('a login succeeds', () => cluster.get('/assets/x').status === 200 && tryLogin(cluster), 120, 1000)
  return `sessions get 503 with \`Retry-After\`, public paths pass, the pods stay ready; logins work ${seconds(began)} after Redis is started again, and are needed, as this Redis keeps nothing on disk`
}

function tryLogin(cluster) {
  try {
    return logInto(cluster)
  } catch {
    return false
  }
}

async function quota(cluster) {
  await cluster.whole()
  const counted = () =>
    cluster.json('get', 'pods').items.filter(({ status }) => !['Succeeded', 'Failed'].includes(status.phase))
  await until('no pod is on its way out', () => counted().every(({ metadata }) => !metadata.deletionTimestamp), 60)
  const used = counted().length
  const object = hard => ({
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { name: 'try' },
    spec: { hard: { pods: String(hard) } },
  })
  const before = cluster.names()
  cluster.apply([object(used)])
  const session = logInto(cluster)
  const { status } = cluster.tryUpgrade(valuesNow({ config: { prefix: '/sso' }, check: { timeout: 15 } }))
  must(status !== 0 && String(cluster.names()) === String(before), 'the upgrade continues')
  must(cluster.get('/tickets', { cookie: session }).status === 200, 'it does not serve')
  const events = cluster.kubectl('get', 'events', '--field-selector', `involvedObject.name=${name}-check`)
  must(/exceeded quota/.test(events), events)
  cluster.apply([object(used + 1)])
  cluster.upgrade(valuesNow({ config: { prefix: '/sso' } }))
  await cluster.whole()
  cluster.upgrade(valuesNow())
  await cluster.whole()
  cluster.kubectl('delete', 'resourcequota', 'try')
  return 'without room for one more pod an upgrade is refused, the events of the Job say `exceeded quota`, and the pods keep serving; with room for one it succeeds'
}

export const lossRows = [
  { name: 'the Secret is deleted, then a pod', does: missingSecret },
  { name: 'a process is killed, under load', does: killed },
  { name: '`kubectl drain`, under load', does: drained },
  { name: 'Redis is lost', does: redisLost },
  { name: 'a quota', does: quota },
]
