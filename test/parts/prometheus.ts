// A real promtool and a real Prometheus: what they say of metrics, rules and queries. Prometheus is a process of its own on
// a free loopback port with its data in a folder of its own, ended by its own pid.

import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { startProgram } from './child-process.js'
import { freePort } from './ports.js'
import { programPath } from './required-parts.js'
import { until } from './wait-until.js'

/** Runs promtool with files of these names and contents in its folder, and with input on stdin. */
export async function promtool(args: string[], files: Record<string, object> = {}, input = '') {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-promtool-'))
  try {
    for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), stringify(content))
    const child = spawn(programPath('promtool'), args, { cwd: folder })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', chunk => {
        said += chunk
      })
    }
    child.stdin.end(input)
    const code = await new Promise<number | null>(resolve => child.once('close', resolve))
    return { code, said }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

export interface Sample {
  metric: Record<string, string>
  value: [number, string]
}

export interface Prometheus {
  /** An instant query. Throws what Prometheus says against it. */
  query(expr: string): Promise<Sample[]>
  stop(): Promise<void>
}

/** Scrapes `targets` (host:port) once a second with these labels. */
export async function startPrometheus(targets: string[], labels: Record<string, string>): Promise<Prometheus> {
  const folder = await mkdtemp(join(tmpdir(), 'deskgate-prometheus-'))
  const port = await freePort()
  const scrape = { job_name: labels.job ?? 'deskgate', static_configs: [{ targets, labels }] }
  const config = { global: { scrape_interval: '1s', scrape_timeout: '1s' }, scrape_configs: [scrape] }
  await writeFile(join(folder, 'prometheus.yml'), stringify(config))
  const options = {
    'config.file': 'prometheus.yml',
    'storage.tsdb.path': 'data',
    'web.listen-address': `127.0.0.1:${port}`,
  }
  const args = Object.entries(options).map(([name, value]) => `--${name}=${value}`)
  const running = startProgram([programPath('prometheus'), ...args], { cwd: folder })
  await running.waitForOutput('Server is ready to receive web requests')
  const query = async (expr: string) => {
    const answer = await fetch(`http://127.0.0.1:${port}/api/v1/query`, {
      method: 'POST',
      body: new URLSearchParams({ query: expr }),
    })
    const said = (await answer.json()) as { data?: { result: Sample[] }; error?: string }
    if (!said.data) throw new Error(`${expr}: ${said.error}`)
    return said.data.result
  }
  await until(async () => (await query('up == 1')).length === targets.length, 60_000)
  return {
    query,
    async stop() {
      await running.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
