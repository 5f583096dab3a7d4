// A program that a test starts as something else would: its output as lines, its end, and nothing of it left behind.

import { type SpawnOptions, spawn } from 'node:child_process'
import { atExit } from './at-exit.js'
import { until } from './wait-until.js'

export interface ChildProgram {
  pid: number
  /** What it has said so far, on stdout and stderr. */
  output(): string
  /** Resolves once it has said this. Rejects with all that it said when it ends before. */
  waitForOutput(text: string | RegExp): Promise<void>
  kill(signal: NodeJS.Signals): void
  /** Its exit code, once it is gone; null after a signal. */
  exitCode: Promise<number | null>
  /** SIGKILL, for a teardown. */
  stop(): Promise<void>
}

export function startProgram([program = '', ...args]: readonly string[], options: SpawnOptions): ChildProgram {
  const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  /** A detached one leads a group: what it has started goes with it. */
  const signal = (name: NodeJS.Signals) => {
    if (!options.detached || child.pid === undefined) return void child.kill(name)
    try {
      process.kill(-child.pid, name)
    } catch {
      // It is gone already.
    }
  }
  const kill = () => signal('SIGKILL')
  const stay = atExit(kill)
  let said = ''
  let over = false
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', chunk => {
      said += chunk
    })
  }
  const gone = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', code => {
      over = true
      stay()
      resolve(code)
    })
  })
  return {
    pid: child.pid ?? 0,
    output: () => said,
    async waitForOutput(text) {
      const there = () => (typeof text === 'string' ? said.includes(text) : text.test(said))
      await until(() => over || there(), 60_000)
      if (!there()) throw new Error(`it ended and never said ${text}:\n${said}`)
    },
    kill: signal,
    exitCode: gone,
    async stop() {
      kill()
      await gone
    },
  }
}
