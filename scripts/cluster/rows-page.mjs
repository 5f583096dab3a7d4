// The rows that type what a page says: the commands of a pod, `helm test` with a login, and a whole installation.

import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { find } from '../parts.mjs'
import { must } from '../tried.mjs'
import { release } from './cluster.mjs'
import { front } from './objects.mjs'
import { logInto, portal, valuesNow } from './state.mjs'

const host = 'desk.example.com'
const certificate = `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=${host} \
  -addext subjectAltName=DNS:${host} -keyout ${host}.key -out ${host}.crt`

/** The key and the certificate of its own authority, as text; the files are in the folder of the run. */
function selfSigned(cluster) {
  cluster.typed(certificate)
  const [key, text] = ['key', 'crt'].map(ending => readFileSync(join(cluster.folder, `${host}.${ending}`), 'utf8'))
  return { key, certificate: text }
}

async function doctor(cluster) {
  if (!find('openssl')) return 'not seen: openssl is not installed here'
  const tls = selfSigned(cluster)
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
  logInto(cluster)
  const { reference } = cluster.login('zoe@example.com', portal())
  const said = cluster.typed(
    cluster.guides.block('docs/kubernetes.md', 'sessions list').replace('REFERENCE', reference),
  )
  for (const words of [/ana@example\.com/, /agent\.unknown/, /is valid/, /way through the gateway works/])
    must(words.test(said), `${words}: ${said}`)
  cluster.kubectl('scale', 'deploy/front', '--replicas', '0')
  cluster.kubectl('wait', 'pod', '--selector', 'deskgate-try=front', '--for', 'delete', '--timeout', '60s')
  const away = cluster.helm('test', release, '--logs')
  const finding = /no TLS connection to \S+:443/.exec(away.stdout + away.stderr)?.[0]
  must(away.status !== 0 && finding, away.stdout + away.stderr)
  cluster.upgrade(valuesNow())
  await cluster.whole()
  return `through a front with TLS ${checks} checks are ok; without the front it fails: \`${finding}\`; in a pod \`sessions list\`, \`explain\`, \`check --online\` and \`doctor\` say what they should`
}

const page = 'docs/helm-ingress-nginx-okta.md'

/** Okta and the controller are not there: no login. A namespace of its own, in place of the page's. */
async function byThePage(cluster) {
  if (!find('openssl')) return 'not seen: openssl is not installed here'
  const namespace = `${cluster.namespace}-page`
  const typed = (words, cwd) => cluster.typed(words.replaceAll('namespace help', `namespace ${namespace}`), cwd)
  const folder = join(cluster.folder, 'page')
  mkdirSync(folder)
  symlinkSync(join(cluster.chart, '..'), join(folder, 'helm'))
  const [whole, redis] = ['replicas: 2', 'extraObjects:'].map(words => parse(cluster.guides.block(page, words)))
  const { image } = valuesNow()
  writeFileSync(join(folder, 'values.yaml'), JSON.stringify({ ...whole, ...redis, image }))
  try {
    typed(cluster.guides.block(page, 'kubectl create namespace'))
    selfSigned(cluster)
    typed(cluster.guides.block(page, 'create secret tls'))
    const said = typed(cluster.guides.block(page, 'helm install'), folder)
    must(/Succeeded/.test(said), said)
    const block = cluster.guides.block(page, 'main.js doctor').trim()
    const seen = typed(`${block} || true`)
    must(/ok +session store/.test(seen), seen)
    const looks = [...readFileSync(page, 'utf8').matchAll(/`(kubectl [^`\n]+)`/g)].map(([, words]) => words)
    for (const words of looks.filter(words => !/REFERENCE|job\//.test(words))) typed(words)
  } finally {
    cluster.tryKubectl(['delete', 'namespace', namespace, '--wait=false'])
  }
  return 'its commands and values, with the Redis for a trial, end in a `helm test` that succeeds; without a controller and Okta nobody logs in'
}

export const pageRows = [
  { name: '`helm test` with `test.doctor: true`, and the commands of `kubectl exec`', does: doctor },
  { name: '[Helm behind ingress-nginx with Okta](helm-ingress-nginx-okta.md)', does: byThePage },
]
