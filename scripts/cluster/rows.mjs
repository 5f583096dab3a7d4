// What scripts/cluster/try.mjs does to an installed chart, one row each, in this order. A row throws when it saw something
// else than the page says, and returns what it saw.

import { must, pause, seconds, until } from '../tried.mjs'
import { allServed, name, release } from './cluster.mjs'
import { fallbackRows } from './rows-broken.mjs'
import { insideRows } from './rows-inside.mjs'
import { lossRows } from './rows-losses.mjs'
import { pageRows } from './rows-page.mjs'
import { logInto, portal, secretData, valuesNow } from './state.mjs'

async function install(cluster) {
  const broken = cluster.tryUpgrade(valuesNow({ files: { 'agents.yaml': '- { email: nobody }\n' } }), {
    command: 'install',
  })
  must(broken.status !== 0 && cluster.pods().length === 0, 'a broken configuration is installed')
  cluster.helm('uninstall', release)
  const began = Date.now()
  const said = cluster.upgrade(valuesNow(), { command: 'install' })
  must(!/would violate PodSecurity/.test(said), said)
  return `a broken configuration is refused, a valid one has two pods ready after ${seconds(began)}, without a warning of Pod Security`
}

async function login(cluster) {
  const session = logInto(cluster)
  const desk = cluster.get('/tickets', { cookie: session })
  must(desk.status === 200, `Desk answers ${desk.status}`)
  const { headers } = JSON.parse(desk.body)
  must(headers['x-agent-email'] === 'ana@example.com', desk.body)
  const stranger = cluster.get('/tickets')
  must(stranger.status === 302, `without a session: ${stranger.status}`)
  const asNobody = cluster.login('zoe@example.com', portal())
  must(asNobody.status === 403, `an unknown agent gets ${asNobody.status}`)
  return `Desk sees \`${headers['x-agent-email']}\`; a stranger is sent to the login, an unknown agent gets 403`
}

async function helmTest(cluster) {
  const { status, stdout, stderr } = cluster.helm('test', release, '--logs')
  must(status === 0 && /Succeeded/.test(stdout), `${stdout}${stderr}`)
  return '`Succeeded`'
}

async function withoutDns(cluster) {
  const nowhere = {
    dnsPolicy: 'None',
    dnsConfig: { nameservers: ['192.0.2.1'], options: [{ name: 'timeout', value: '1' }] },
  }
  cluster.upgrade(valuesNow(nowhere))
  await cluster.whole()
  const { status, stdout, stderr } = cluster.helm('test', release, '--logs')
  must(status === 0 && /no DNS/.test(stdout), `${stdout}${stderr}`)
  const session = logInto(cluster)
  must(cluster.get('/tickets', { cookie: session }).status === 200, 'no answer of Desk')
  cluster.upgrade(valuesNow())
  await cluster.whole()
  return 'with addresses in place of names: logins work, and `helm test` succeeds'
}

async function restart(cluster) {
  const before = cluster.names()
  const seen = await cluster.under(logInto(cluster), async () => {
    cluster.typed(cluster.guides.block('docs/kubernetes.md', 'rollout restart'))
    cluster.kubectl('rollout', 'status', `deploy/${name}`, '--timeout', '240s')
    await cluster.whole()
  })
  must(
    cluster.names().every(pod => !before.includes(pod)),
    'the pods are the same',
  )
  return `${allServed(seen)}; the session continues`
}

async function configMap(cluster) {
  const before = cluster.names()
  const began = Date.now()
  let took
  const seen = await cluster.under(logInto(cluster), async () => {
    cluster.upgrade(
      valuesNow({ files: { 'agents.yaml': '- { email: ana@example.com }\n- { email: ben@example.com }\n' } }),
    )
    await until('the new agent may enter', () => cluster.login('ben@example.com', portal()).status === 303, 180, 2000)
    took = seconds(began)
  })
  must(String(cluster.names()) === String(before) && cluster.restarts() === 0, 'pods were replaced')
  return `a new agent logs in ${took} after \`helm upgrade\` began; the same pods; ${allServed(seen)}`
}

async function secret(cluster) {
  const before = cluster.names()
  const old = portal()
  const began = Date.now()
  let took
  const seen = await cluster.under(logInto(cluster), async () => {
    cluster.apply([secretData({ portal: `another ${old}` })])
    await until(
      'a token with the new secret is taken',
      () => cluster.login('ana@example.com', portal()).status === 303,
      180,
      2000,
    )
    took = seconds(began)
  })
  await until(
    'no pod takes the old one',
    () => [1, 2, 3, 4, 5, 6].every(() => cluster.login('ana@example.com', old).status === 400),
    120,
    2000,
  )
  must(String(cluster.names()) === String(before), 'pods were replaced')
  return `tokens with the provider's new secret are accepted after ${took}, and those with the old one no longer; the same pods; ${allServed(seen)}`
}

async function prefix(cluster) {
  const before = cluster.names()
  const session = logInto(cluster)
  const seen = await cluster.under(session, async () => {
    cluster.upgrade(valuesNow({ config: { prefix: '/sso' } }))
    await cluster.whole()
  })
  must(
    cluster.names().every(pod => !before.includes(pod)),
    'the pods are the same',
  )
  const { status, headers } = cluster.get('/tickets')
  must(status === 302 && headers.location.startsWith('/sso/login'), `${status} ${headers.location}`)
  return `new pods, one by one; ${allServed(seen)}; the session continues, the login is at \`/sso/login\``
}

async function rollback(cluster) {
  const { version } = cluster.json('get', 'secret', '--selector', `owner=helm,name=${release},status=deployed`).items[0]
    .metadata.labels
  const session = logInto(cluster)
  const seen = await cluster.under(session, async () => {
    const { status, stderr } = cluster.helm('rollback', release, String(version - 1), '--wait', '--timeout', '240s')
    must(status === 0, stderr)
    await cluster.whole()
  })
  const { headers } = cluster.get('/tickets')
  must(headers.location.startsWith('/auth/login'), headers.location)
  cluster.upgrade(valuesNow())
  return `to \`/auth\` again; ${allServed(seen)}; the session continues`
}

async function autoscaler(cluster) {
  const fewest = []
  const seen = await cluster.under(logInto(cluster), async () => {
    const upgrading = cluster.startUpgrade(
      valuesNow({ autoscaling: { enabled: true, minReplicas: 2, maxReplicas: 4 } }),
    )
    let isOver = false
    upgrading.finally(() => {
      isOver = true
    })
    while (!isOver) {
      fewest.push(cluster.readyPods().length)
      await pause(200)
    }
    const { status, output } = await upgrading
    must(status === 0, output)
  })
  must(Math.min(...fewest) === 2, `only ${Math.min(...fewest)} pods were ready`)
  cluster.upgrade(valuesNow())
  return `there are never fewer than two pods; ${allServed(seen)}`
}

async function rolled(cluster) {
  const agents = count => ({
    'agents.yaml':
      Array.from({ length: count }, (_, at) => `- { email: agent${at}@example.com }\n`).join('') +
      '- { email: ana@example.com }\n',
  })
  const seen = await cluster.under(logInto(cluster), async () => {
    for (const count of [1, 2, 3, 4]) cluster.upgrade(valuesNow({ reload: 'roll', files: agents(count) }))
    await cluster.whole()
  })
  const kept = cluster
    .json('get', 'configmap', '--selector', `app.kubernetes.io/instance=${release}`)
    .items.map(({ metadata }) => metadata.name)
  must(kept.length === 3, kept.join(', '))
  const { volumes } = cluster.json('get', 'deploy', name).spec.template.spec
  const mounted = volumes.find(volume => volume.name === 'config').configMap.name
  must(kept.includes(mounted), `${mounted} is not there`)
  cluster.upgrade(valuesNow())
  await cluster.whole()
  return `four changes roll the pods four times; ${allServed(seen)}; the last three ConfigMaps are there`
}

/** Only with --from: the chart of another commit. */
async function fromOlder(cluster) {
  const { older } = cluster
  if (!older) return undefined
  must(cluster.helm('uninstall', release, '--wait').status === 0, 'uninstall failed')
  cluster.upgrade(valuesNow(), { command: 'install', from: older })
  const session = logInto(cluster)
  const there = await cluster.under(session, async () => {
    cluster.upgrade(valuesNow())
    await cluster.whole()
  })
  const back = await cluster.under(session, async () => {
    const { status, stderr } = cluster.helm('rollback', release, '1', '--wait', '--timeout', '240s')
    must(status === 0, stderr)
    await cluster.whole()
  })
  cluster.upgrade(valuesNow())
  await cluster.whole()
  return `${allServed(there)} on the way there, ${allServed(back)} on the way back; the session continues`
}

async function uninstall(cluster) {
  const { status, stderr } = cluster.helm('uninstall', release, '--wait')
  must(status === 0, stderr)
  const kinds = 'deploy,pod,service,configmap,secret,serviceaccount,job,pdb,hpa'
  // Helm leaves the pod of a `helm test` that failed: it is not part of the release.
  const left = () =>
    cluster
      .json('get', kinds, '--selector', `app.kubernetes.io/instance=${release}`)
      .items.filter(({ metadata }) => metadata.labels['app.kubernetes.io/component'] !== 'test')
  await until('nothing is left', () => left().length === 0, 60).catch(() => {
    throw new Error(
      `left: ${left()
        .map(({ kind, metadata }) => `${kind} ${metadata.name}`)
        .join(', ')}`,
    )
  })
  must(cluster.kubectl('get', 'secret', 'deskgate'), '')
  return 'nothing of the release is left; your Secret is still there'
}

export const rows = [
  { name: '`helm install`, first with a broken configuration', does: install },
  { name: 'a login', does: login },
  { name: '`helm test`', does: helmTest },
  ...insideRows,
  ...pageRows,
  { name: 'a cluster without DNS', does: withoutDns },
  { name: '`kubectl rollout restart`, under load', does: restart },
  { name: 'a changed ConfigMap, under load', does: configMap },
  { name: 'a changed Secret, under load', does: secret },
  { name: 'a changed `config.prefix`, under load', does: prefix },
  { name: '`helm rollback`, under load', does: rollback },
  { name: 'autoscaling is switched on, under load', does: autoscaler },
  { name: '`reload: roll`, under load', does: rolled },
  ...fallbackRows,
  ...lossRows,
  { name: 'an upgrade from the previous chart, and a rollback to it, under load', does: fromOlder },
  { name: '`helm uninstall`', does: uninstall },
]
