// What a rendered pod needs around it to live on this machine: a Redis, a Desk, free ports, its Secret, and values that name
// all of that; and the ways to start one of its containers and to end it as the kubelet does.

import { join } from 'node:path'
import type { Test } from 'tap'
import { systemClock } from '../../src/runtime/clock.js'
import { type Values, valuesWith } from './chart-values.js'
import { type ChildProgram, startProgram } from './child-process.js'
import { longSecret } from './configuration.js'
import { containerCommand, type ImageTree } from './container.js'
import { type Desk, startDesk } from './desk.js'
import { createIdentityProvider } from './identity-provider.js'
import type { Container, PodLayout, Secrets } from './pod.js'
import { freePort } from './ports.js'
import { type RedisServer, startRedis } from './redis.js'

const root = join(import.meta.dirname, '../..')
export const publicUrl = 'https://desk.example.com'
const portal = longSecret('portal')
export const idp = createIdentityProvider({ publicUrl, clock: systemClock, secret: portal })
/** In place of the image's, where there is none: the same program, from its sources. */
export const fromSources = [process.execPath, '--import', import.meta.resolve('tsx'), join(root, 'src/main.ts')]

export interface PodEnvironment {
  redis: RedisServer
  desk: Desk
  port: number
  values(changes?: Record<string, unknown>): Values
  secrets: { deskgate: Secrets[string] }
}

/** Ask missing('redis-server') first. */
export async function preparePod(t: Test): Promise<PodEnvironment> {
  const [redis, desk] = await Promise.all([startRedis(), startDesk()])
  t.teardown(async () => {
    await desk.close()
    await redis.stop()
  })
  const [port, ops, probes] = [await freePort(), await freePort(), await freePort()]
  const folder = '/etc/deskgate/secrets'
  const listeners = { listen: `127.0.0.1:${ops}`, probes: `0.0.0.0:${probes}`, adminToken: { file: `${folder}/token` } }
  const values = (changes: Record<string, unknown> = {}) =>
    valuesWith({
      'config.listen': `0.0.0.0:${port}`,
      'config.ops': listeners,
      'config.desk.url': desk.url,
      'config.agents': [{ file: 'agents.yaml' }],
      'config.drain': '3s',
      'secrets.keys': { ring: 'ring', portal: 'portal', 'redis-url': 'redis-url', token: 'token' },
      preStop: 1,
      files: { 'agents.yaml': '- { email: ada@example.com }\n' },
      ...changes,
    })
  const deskgate = { ring: longSecret('ring'), portal, 'redis-url': redis.url, token: longSecret('token') }
  return { redis, desk, port, values, secrets: { deskgate } }
}

/** Starts a container of the pod; without `argv` what it is there for, else what `kubectl exec` would. */
export type Launch = (name: string, argv?: readonly string[]) => ChildProgram

export function createLauncher(t: Test, pod: PodLayout, tree?: ImageTree): Launch {
  const { PATH = '' } = process.env
  return (name, argv) => {
    const { mounts, context, env, ...container } = pod.container(name, tree?.entrypoint ?? fromSources)
    const words = argv ?? container.argv
    const started = tree
      ? startProgram(containerCommand(words, { tree, mounts, context, env }), { env: process.env })
      : startProgram(words, { cwd: root, env: { PATH, ...env } })
    t.teardown(started.stop)
    return started
  }
}

/**
 * The end of a pod: the countdown of its grace begins, preStop runs to its end, then SIGTERM, and SIGKILL when time is
 * up. `stopping` is called with SIGTERM. Resolves to the exit code, null when it was killed.
 */
export async function endAsKubelet(
  gateway: ChildProgram,
  { spec, grace }: Container,
  { launch, stopping }: { launch: Launch; stopping(): Promise<void> },
): Promise<number | null> {
  const late = setTimeout(() => gateway.kill('SIGKILL'), grace * 1000)
  const preStop = spec.lifecycle?.preStop.exec.command
  if (preStop && (await launch(spec.name, preStop).exitCode) !== 0) throw new Error('preStop has failed')
  gateway.kill('SIGTERM')
  await stopping()
  const code = await gateway.exitCode
  clearTimeout(late)
  return code
}

export const statusOf = (url: string) =>
  fetch(url, { headers: { connection: 'close' } }).then(
    answer => answer.status,
    () => 0,
  )
