// docs/performance.md and its picture, written from the figures of one run.

import { writeFile } from 'node:fs/promises'
import { availableParallelism, cpus } from 'node:os'
import { join } from 'node:path'
import { chartOf } from './chart.js'
import { type Line, medianOf, tableOf } from './table.js'

export interface Result {
  title: string
  lines: Line[]
}

export interface Run {
  rounds: number
  seconds: number
  /** The Node of the gateways that are Node programs. */
  version: string
}

const docs = join(import.meta.dirname, '../../docs')

export async function writePage(results: Result[], run: Run): Promise<void> {
  const [first] = results
  if (!first) return
  const [base] = first.lines
  const bars = first.lines.map(line => ({
    name: line.name,
    ratio: medianOf(line, 'CPU µs') / (base ? medianOf(base, 'CPU µs') : 1),
  }))
  await writeFile(join(docs, 'images/performance.svg'), chartOf(`CPU time for ${first.title}, plain nginx = 1`, bars))
  const sections = results.map(({ title, lines }) => `## ${upper(title)}\n\n${tableOf(lines)}\n`)
  await writeFile(join(docs, 'performance.md'), [intro(run), ...sections].join('\n'))
}

function intro({ rounds, seconds, version }: Run): string {
  return `# What a request costs

Made by \`npm run bench\` (Linux; needs the Debian packages nginx-light, apache2-bin, libapache2-mod-auth-mellon, wrk and
nghttp2-client). Every gateway stands in front of the same Desk (an nginx with static pages) and runs alone on one core; 64
kept-alive connections; ${rounds} interleaved rounds of ${seconds} s, medians. Deskgate runs as operators run it: built, on a Redis, with the
session of a real login, identity headers and a signed assertion with each request. Only ratios carry over to another machine
or another day.

Node ${version}, ${availableParallelism()} cores, ${cpus()[0]?.model.trim() ?? 'unknown processor'}.

![CPU time of each gateway](images/performance.svg)
`
}

function upper(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
