// The rendered pod's life, run here as processes: its check, its gateway, its probes and its end by the image's entrypoint,
// with its own files at their own paths, as its own user in a root that nobody can write. Where the machine does not let us
// lay such a root, the same processes run from the sources with the paths of a folder.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { ChildProgram } from '../parts/child-process.js'
import { layOutImage, whyNoContainers } from '../parts/container.js'
import { objectOf, objects } from '../parts/helm.js'
import { logIn } from '../parts/identity-provider.js'
import { layOutPod, type PodLayout } from '../parts/pod.js'
import {
  createLauncher,
  endAsKubelet,
  idp,
  type Launch,
  preparePod,
  publicUrl,
  statusOf,
} from '../parts/pod-environment.js'
import { missingParts } from '../parts/required-parts.js'
import { createUserAgent } from '../parts/user-agent.js'
import { until } from '../parts/wait-until.js'

const skip = missingParts('helm', 'redis-server')
const noRoot = whyNoContainers()
const patience = 60_000

t.test('a pod from its check to its end', { skip }, async t => {
  const { redis, desk, port, values, secrets } = await preparePod(t)
  const rendered = await objects({ values: values() })
  const tree = noRoot === false ? await layOutImage() : undefined
  t.teardown(() => tree?.remove())
  const pod = await layOutPod(rendered, secrets, tree ? 'pod' : 'folder')
  t.teardown(pod.remove)
  const launch = createLauncher(t, pod, tree)
  const logInAs = async (name: string) => {
    const agent = createUserAgent(publicUrl, { port })
    return { agent, page: await logIn(agent, idp, { way: 'portal', email: `${name}@example.com` }) }
  }

  const check = launch('check')
  if (!t.equal(await check.exitCode, 0, check.output())) return

  const gateway = launch('deskgate')
  const probe = (which: 'startup' | 'readiness' | 'liveness') => statusOf(pod.probe('deskgate', which))
  await until(async () => (await probe('startup')) === 200, patience)
  await until(async () => (await probe('readiness')) === 200, patience)
  t.equal(await probe('liveness'), 200)
  const beside = (path: string) => statusOf(pod.probe('deskgate', 'liveness').replace('/live', path))
  t.equal(await beside('/metrics'), 200)
  t.equal(await beside('/api/sessions'), 404, 'the API is not where other hosts reach')

  const { agent: ada, page } = await logInAs('ada')
  t.equal(page.status, 303)
  t.equal((await ada.visit('/tickets')).status, 200)
  const bob = await logInAs('bob')
  t.equal(bob.page.reason, 'agent.unknown')

  await t.test('as the user of its security context, in a root that nobody can write', { skip: noRoot }, t =>
    confinement(t, { pod, launch, gateway }),
  )
  await t.test("the guide's commands of kubectl exec", { skip: noRoot }, t =>
    guideCommands(t, launch, bob.page.reference ?? ''),
  )

  await t.test('a changed agents file is taken, and no pod is rolled for it', async t => {
    const both = { 'agents.yaml': '- { email: ada@example.com }\n- { email: bob@example.com }\n' }
    const changed = await objects({ values: values({ files: both }) })
    t.same(objectOf(changed, 'Deployment').spec.template, objectOf(rendered, 'Deployment').spec.template)
    await pod.swap(changed, secrets)
    await gateway.waitForOutput('configuration changed')
    t.equal((await logInAs('bob')).page.status, 303)
  })

  await t.test('without its Redis', async t => {
    redis.pause()
    await until(async () => {
      const facts = (await (await fetch(pod.probe('deskgate', 'readiness'))).json()) as { store: string }
      return facts.store === 'down'
    }, patience)
    t.equal(await probe('readiness'), 200, 'a fleet is not taken out for its Redis')
    t.equal(await probe('liveness'), 200, 'and no restart mends it')
    redis.resume()
    await until(async () => (await ada.visit('/tickets')).status === 200, patience)
  })

  await t.test('it ends within its grace, and finishes what is under way', async t => {
    let answer = () => {}
    const reached = new Promise<void>(resolve => {
      desk.onRequest((_request, response) => {
        answer = () => response.end('finished')
        resolve()
      })
    })
    const slow = ada.visit('/slow')
    await reached
    const stopping = async () => {
      await until(async () => (await probe('readiness')) !== 200, patience)
      answer()
    }
    const code = await endAsKubelet(gateway, pod.container('deskgate', []), { launch, stopping })
    t.match(await slow, { status: 200, body: 'finished' })
    t.equal(code, 0, gateway.output())
  })
})

interface Place {
  pod: PodLayout
  launch: Launch
  gateway: ChildProgram
}

async function confinement(t: Test, { pod, launch, gateway }: Place): Promise<void> {
  const { argv, context, mounts } = pod.container('deskgate', ['node', '/app/dist/main.js'])
  const copies = [1, 2, 3].map(copy => `/etc/deskgate/copies/${copy}/deskgate.yaml`)
  const config = ['--config', '/etc/deskgate/config/deskgate.yaml', '--fallback', ...copies]
  t.strictSame(argv, ['node', '/app/dist/main.js', 'serve', ...config])
  const words = readFileSync(`/proc/${gateway.pid}/cmdline`, 'utf8').split('\0').slice(0, -1)
  t.strictSame(words, argv, 'what runs is the image’s entrypoint with the pod’s words, and no shell')
  const status = readFileSync(`/proc/${gateway.pid}/status`, 'utf8')
  const { runAsUser: uid, runAsGroup: gid, fsGroup } = context
  t.match(status, new RegExp(`^Uid:${`\\s+${uid}`.repeat(4)}$`, 'm'))
  t.match(status, new RegExp(`^Gid:${`\\s+${gid}`.repeat(4)}$`, 'm'))
  t.match(status, new RegExp(`^Groups:\\s+${fsGroup}\\s*$`, 'm'))
  t.match(status, /^NoNewPrivs:\s+1$/m)
  for (const set of ['Inh', 'Prm', 'Eff', 'Bnd', 'Amb']) t.match(status, new RegExp(`^Cap${set}:\\s+0+$`, 'm'))
  const places = ['/', '/app', '/app/dist', '/app/node_modules', '/etc', ...mounts.map(({ to }) => to)]
  const script = `for (const place of ${JSON.stringify(places)}) {
    try { require('fs').writeFileSync(place + '/written', ''); console.log(place, 'written') }
    catch (error) { console.log(place, error.code) }
  }`
  const writes = launch('deskgate', ['node', '-e', script])
  await writes.exitCode
  t.strictSame(
    writes.output().trim().split('\n'),
    places.map(place => `${place} EROFS`),
  )
}

/** As `kubectl exec` runs them: in the container, with its variables. */
async function guideCommands(t: Test, launch: Launch, reference: string): Promise<void> {
  const page = readFileSync(join(import.meta.dirname, '../../docs/kubernetes.md'), 'utf8')
  const commands = [...page.matchAll(/^kubectl exec deploy\/deskgate -- (node .+)$/gm)].map(([, words = '']) => words)
  const expected: Record<string, RegExp> = {
    'sessions list': /ada@example\.com[\s\S]*1 live session/,
    'explain REFERENCE': /FAIL +agent is known[\s\S]*agent\.unknown/,
    'check --online': /everything that the gateway itself calls answers/,
    // publicUrl is a name that nothing here knows.
    doctor: /ok +session store[\s\S]*FAIL +host name/,
  }
  t.strictSame(
    commands,
    Object.keys(expected).map(words => `node dist/main.js ${words}`),
  )
  for (const command of commands) {
    const run = launch('deskgate', command.replace('REFERENCE', reference).split(' '))
    const words = command.replace('node dist/main.js ', '')
    t.equal(await run.exitCode, words === 'doctor' ? 1 : 0, run.output())
    t.match(run.output(), expected[words] ?? 'nothing', command)
  }
}
