// What the measurements read from the machine: the CPU time and the memory of a program with all its children, what others
// take meanwhile, and on which core a program may run. Linux only.

import { execFileSync } from 'node:child_process'
import { accessSync, constants, readdirSync, readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os'

/** The gateway runs alone on one core; what loads it and what stands behind it share the others. */
export const gatewayCore = '0'
export const otherCores = availableParallelism() > 1 ? `1-${availableParallelism() - 1}` : '0'

/** This process, and whatever it starts from now on without a core of its own (Redis above all), leaves the gateway's alone. */
export function stayOffTheGatewaysCore(): void {
  execFileSync('taskset', ['-a', '-c', '-p', otherCores, `${process.pid}`], { stdio: 'ignore' })
}

export interface Machine {
  day: string
  processor: string
  cores: number
  memory: string
  /** How many processes wanted to run in the minute before the run. */
  busy: number
  versions: string[]
}

export function machine(): Machine {
  return {
    day: new Date().toISOString().slice(0, 10),
    processor: cpus()[0]?.model.trim() ?? 'unknown processor',
    cores: availableParallelism(),
    memory: `${Math.round(totalmem() / 1024 ** 3)} GB`,
    busy: Number((loadavg()[0] ?? 0).toFixed(2)),
    versions: [
      versionOf('nginx', ['-v'], /nginx\/[\d.]+/),
      versionOf('haproxy', ['-v'], /HAProxy version [\d.]+/),
      versionOf('apache2', ['-v'], /Apache\/[\d.]+/),
      versionOf('oauth2-proxy', ['--version'], /oauth2-proxy v[\d.]+/),
      versionOf('wrk', ['--version'], /wrk \S+/),
    ].flatMap(version => version ?? []),
  }
}

/** What a program says of its version; nothing for one that is not here. */
function versionOf(program: string, args: string[], version: RegExp): string | undefined {
  const path = pathOf(program)
  if (path === undefined) return undefined
  // Some say it on stderr, and wrk ends with 1.
  const text = execFileSync('sh', ['-c', '"$0" "$@" 2>&1 || :', path, ...args], { encoding: 'utf8' })
  return version.exec(text)?.[0]
}

/** The path of a program; Debian keeps servers, and Go its own, where only some look for them. */
export function pathOf(program: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', `${process.env.HOME}/go/bin`]
  return folders.map(folder => `${folder}/${program}`).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Clock ticks a second, as /proc counts them on every Linux that Node runs on. */
const ticks = 100

interface Stat {
  pid: number
  parent: number
  /** Seconds, user and system; of itself, and of its children that have ended. */
  cpu: number
  ended: number
}

/** Seconds of CPU that a program and its children have used so far. */
export function cpuOf(pid: number): number {
  return family(pid).reduce((sum, { cpu }) => sum + cpu, 0)
}

/** MB of memory that is theirs alone and theirs in part (proportional set size), so that forked children do not count twice. */
export function memoryOf(pid: number): number {
  return family(pid).reduce((sum, one) => sum + memory(one.pid), 0)
}

function memory(pid: number): number {
  const [, kilobytes] = /^Pss: +(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')) ?? []
  return Number(kilobytes ?? 0) / 1024
}

/** From now until it is called: the share of all cores that went to programs of others, or to other machines of the host. */
export function watchOthers(): () => number {
  const read = () => {
    const text = readFileSync('/proc/stat', 'latin1')
    const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, soft = 0, steal = 0] = text
      .slice(0, text.indexOf('\n'))
      .split(/ +/)
      .slice(1)
      .map(Number)
    const own = family(process.pid).reduce((sum, { cpu, ended }) => sum + cpu + ended, 0)
    const used = (user + nice + system + steal) / ticks
    return { others: used - own, all: used + (idle + wait + irq + soft) / ticks }
  }
  const before = read()
  return () => {
    const now = read()
    return Math.max(0, (now.others - before.others) / (now.all - before.all))
  }
}

function family(pid: number): Stat[] {
  const all = readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .flatMap(name => statOf(Number(name)))
  const found = new Set([pid])
  // Children have been started after their parents, but a pid may have wrapped around: go on until nothing is new.
  for (let before = 0; before !== found.size; ) {
    before = found.size
    for (const one of all) if (found.has(one.parent)) found.add(one.pid)
  }
  return all.filter(one => found.has(one.pid))
}

function statOf(pid: number): Stat[] {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return []
  }
  // The name in parentheses may hold anything; what comes after it is numbers.
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number)
  const [cpu, ended] = [11, 13].map(at => ((fields[at] ?? 0) + (fields[at + 1] ?? 0)) / ticks)
  return [{ pid, parent: fields[1] ?? 0, cpu: cpu ?? 0, ended: ended ?? 0 }]
}
