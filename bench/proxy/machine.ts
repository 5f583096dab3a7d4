// What the measurements read from the machine: the CPU time and the memory of a program with all its children, and on
// which core a program may run. Linux only.

import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

/** The gateway runs alone on one core; what loads it and what stands behind it share the others. */
export const gatewayCore = '0'
export const otherCores = availableParallelism() > 1 ? `1-${availableParallelism() - 1}` : '0'

/** This process, and whatever it starts from now on without a core of its own (Redis above all), leaves the gateway's alone. */
export function stayOffTheGatewaysCore(): void {
  execFileSync('taskset', ['-a', '-c', '-p', otherCores, `${process.pid}`], { stdio: 'ignore' })
}

/** Clock ticks a second, as /proc counts them on every Linux that Node runs on. */
const ticks = 100

interface Stat {
  pid: number
  parent: number
  /** Seconds, user and system. */
  cpu: number
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
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return [{ pid, parent: Number(fields[1]), cpu: (Number(fields[11]) + Number(fields[12])) / ticks }]
}
