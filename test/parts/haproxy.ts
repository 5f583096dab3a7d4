// A real haproxy in front of several gateways: its own process on free loopback ports, asking /ready of each, ended by its
// own pid. It tries nothing a second time, not even a connection that was refused: a balancer that does hides what is lost.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { atExit } from './at-exit.js'
import { freePort } from './ports.js'
import { programPath } from './required-parts.js'
import { until } from './wait-until.js'

export interface Backend {
  name: string
  port: number
  /** Where /ready is. */
  opsPort: number
}

export interface Haproxy {
  url: string
  port: number
  /** By name: UP, DOWN and the like, as its statistics say. */
  states(): Promise<Record<string, string>>
  stop(): Promise<void>
}

export async function startHaproxy(backends: readonly Backend[]): Promise<Haproxy> {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-haproxy-'))
  const [port, statistics] = [await freePort(), await freePort()]
  const file = join(folder, 'haproxy.cfg')
  await writeFile(file, `${settings(port, statistics, backends).join('\n')}\n`)
  const child = spawn(programPath('haproxy'), ['-db', '-f', file], { stdio: ['ignore', 'ignore', 'pipe'] })
  const stay = atExit(() => void child.kill('SIGKILL'))
  let said = ''
  child.stderr.on('data', chunk => {
    said += chunk
  })
  const states = async () => {
    const answer = await fetch(`http://127.0.0.1:${statistics}/;csv`, { headers: { connection: 'close' } })
    const [head = '', ...rows] = (await answer.text()).trim().split('\n')
    const at = head.split(',').indexOf('status')
    const found = rows.map(row => row.split(',')).filter(([proxy]) => proxy === 'gateways')
    return Object.fromEntries(found.map(cells => [cells[1] ?? '', cells[at] ?? '']))
  }
  await until(() => {
    if (child.exitCode !== null) throw new Error(`haproxy ended:\n${said}`)
    return states().then(
      () => true,
      () => false,
    )
  }, 30_000)
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    states,
    async stop() {
      stay()
      if (child.exitCode === null) {
        const gone = once(child, 'exit')
        child.kill('SIGKILL')
        await gone
      }
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function settings(port: number, statistics: number, backends: readonly Backend[]): string[] {
  return [
    'defaults',
    '  mode http',
    '  timeout connect 5s',
    // A check that a busy machine answers late is not a failed one.
    '  timeout check 10s',
    '  timeout client 60s',
    '  timeout server 60s',
    '  timeout tunnel 1h',
    '  retries 0',
    'frontend entry',
    `  bind 127.0.0.1:${port}`,
    '  default_backend gateways',
    'frontend statistics',
    `  bind 127.0.0.1:${statistics}`,
    '  stats enable',
    '  stats uri /',
    'backend gateways',
    '  balance roundrobin',
    '  option httpchk GET /ready',
    ...backends.map(
      ({ name, port, opsPort }) =>
        `  server ${name} 127.0.0.1:${port} check port ${opsPort} inter 200ms fastinter 100ms fall 2 rise 2`,
    ),
  ]
}
