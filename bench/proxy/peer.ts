// What is measured: a gateway in front of the same Desk, with a session where it knows sessions. And its programs: started
// on their cores, waited for until they take connections, ended by their own pid.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync } from 'node:fs'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { ModuleKind, ScriptTarget, transpileModule } from 'typescript'
import { atExit } from '../../test/parts/at-exit.js'
import type { Desk } from './desk.js'
import { pathOf } from './machine.js'
import type { What } from './run.js'

export interface Surroundings {
  /** For configuration and logs. */
  folder: string
  desk: Desk
  /** The Node that runs the gateways that are Node programs. */
  node: string
  /** At most so many at a fixed rate to each gateway, in all rounds. */
  requests: number
}

export interface Running {
  port: number
  /** What a client with a session sends. */
  headers: Record<string, string>
  /** More sessions, for the fixed rates: a file with a Cookie header for each, and how they follow each other. */
  sessions?: { file: string; count: number; order: 'random' | 'next' }
  /** All processes that are the gateway's, without their children. */
  pids: number[]
  stop(): Promise<void>
}

export interface Peer {
  /** As the table shows it. */
  name: string
  /** For --only. */
  key: string
  /** It runs on Node: measured on each --node, or on the newest alone. */
  onNode?: 'each' | 'newest'
  /** A program that need not be there: without it the table says so. */
  program?: string
  /** The header that tells Desk who speaks. Who has one lets nobody in without a session. */
  identity?: 'X-Agent-Email' | 'X-Forwarded-Email'
  /** It sends a signed assertion as well. */
  assertion?: true
  takes: readonly What[]
  /** Rejects with what is missing. */
  start(around: Surroundings): Promise<Running>
}

/** A peer on one Node. */
export interface Entrant {
  peer: Peer
  /** The path of the Node that runs it. */
  node: string
  /** What that Node calls itself; undefined where Node does not matter. */
  version: string | undefined
}

export interface Program {
  pid: number
  stop(): Promise<void>
}

/**
 * `port`: on loopback; resolves once it accepts. Rejects with what the program said when it ends before. `out`: the file
 * that gets its standard output, where there is much of it.
 */
export async function startProgram(
  command: string,
  args: string[],
  at: { port: number; cores: string; out?: string | undefined },
): Promise<Program> {
  const out = at.out === undefined ? undefined : openSync(at.out, 'a')
  const child = spawn('taskset', ['-c', at.cores, pathOf(command) ?? command, ...args], {
    stdio: ['ignore', out ?? 'pipe', 'pipe'],
  })
  if (out !== undefined) closeSync(out)
  // Not SIGKILL: what has children ends them.
  const stay = atExit(() => void child.kill('SIGTERM'))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', chunk => {
      output = `${output}${chunk}`.slice(-4000)
    })
  }
  const limit = performance.now() + 30_000
  while (!(await accepts(at.port))) {
    if (child.exitCode !== null) throw new Error(`${command} has ended: ${output}`)
    if (performance.now() > limit) throw new Error(`${command} does not listen on ${at.port}: ${output}`)
    await pause(50)
  }
  return {
    pid: child.pid ?? 0,
    async stop() {
      stay()
      if (child.exitCode !== null) return
      const gone = once(child, 'exit')
      child.kill('SIGTERM')
      await Promise.race([gone, pause(5000).then(() => child.kill('SIGKILL'))])
      await gone
    },
  }
}

/**
 * The arguments with which any Node runs `programs/NAME.ts`: compiled beforehand, as Deskgate is, so that no compiler
 * counts in its memory. `folder` is the measurement's own.
 */
export async function compiled(folder: string, name: string): Promise<string[]> {
  const script = join(folder, 'programs', `${name}.mjs`)
  const modules = join(folder, 'node_modules')
  await mkdir(join(folder, 'programs'), { recursive: true })
  if (!existsSync(modules)) await symlink(join(import.meta.dirname, '../../node_modules'), modules)
  const text = await readFile(join(import.meta.dirname, 'programs', `${name}.ts`), 'utf8')
  const compilerOptions = { module: ModuleKind.ESNext, target: ScriptTarget.ES2023 }
  await writeFile(script, transpileModule(text, { compilerOptions }).outputText)
  return [script]
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
