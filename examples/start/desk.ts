// A help desk as an example starts it: a program of its own on this machine that refuses everybody who does not come
// through the gateway.

import { spawn } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import type { PartName } from '../../scripts/parts.mjs'

export interface ExampleDesk {
  /** As people call it. */
  title: string
  /** What has to be installed. */
  parts: PartName[]
  /** Resolves once it answers. */
  start(options: DeskOptions): Promise<Running>
}

export interface DeskOptions {
  /** Its database and files; made anew where it is empty. */
  folder: string
  /** On 127.0.0.1. */
  port: number
  /** The gateway's publicUrl. */
  publicUrl: string
  /** identity.assertion.audience of the gateway. */
  audience: string
}

export interface Running {
  /** Its exit code, once it has ended. */
  ended: Promise<number | null>
  stop(): Promise<void>
}

/** The variables that every desk of the examples reads; nothing else of this process but what programs need to run. */
export function environment({ folder, publicUrl, audience }: DeskOptions): NodeJS.ProcessEnv {
  const { PATH = '', HOME = '', LANG = 'C.UTF-8' } = process.env
  return {
    ...{ PATH: `${PATH}:/usr/bin:/usr/sbin`, HOME, LANG },
    DESK_DATA: folder,
    DESKGATE_PUBLIC_URL: publicUrl,
    DESKGATE_AUDIENCE: audience,
  }
}

/**
 * Resolves once it answers 401 to a request without an assertion. Rejects with what it said when it ends before, or has not
 * answered after two minutes.
 */
export async function startServer([program = '', ...args]: string[], port: number, env: NodeJS.ProcessEnv, cwd = '/') {
  // A process group of its own: its workers end with it, also when it cannot tell them any more.
  const child = spawn(program, args, { env, cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const kill = (signal: NodeJS.Signals) => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, signal)
    } catch {}
  }
  const end = () => kill('SIGKILL')
  process.once('exit', end)
  let [said, over] = ['', false]
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', chunk => {
      said = (said + chunk).slice(-10_000)
    })
  }
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', resolve)
  }).finally(() => {
    over = true
  })
  ended.catch(() => {})
  const running: Running = {
    ended,
    async stop() {
      kill('SIGTERM')
      const late = setTimeout(end, 10_000)
      await ended
      clearTimeout(late)
      end()
      process.removeListener('exit', end)
    },
  }
  for (let tries = 0; tries < 1200; tries++) {
    if (over) throw new Error(`${program} has ended:\n${said}`)
    if (await refuses(port)) return running
    await pause(100)
  }
  await running.stop()
  throw new Error(`${program} does not answer on port ${port}:\n${said}`)
}

async function refuses(port: number): Promise<boolean> {
  try {
    const { status } = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(10_000) })
    return status === 401
  } catch {
    return false
  }
}
