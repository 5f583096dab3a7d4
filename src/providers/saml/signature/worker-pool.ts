// Verifies SAML messages in a few worker threads, so that logins hold up no proxied request. Bounded in threads, in
// waiting messages and in time: a message that costs too much ends its own thread and its own login, and no other.

import { availableParallelism } from 'node:os'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Piscina } from 'piscina'
import type { Log } from '../../../ops/log.js'
import type { VerifyInput, VerifyResult } from './verify.js'
import type { SamlTask, TaskStarted } from './worker.js'

/** Not verified: no thread was free in time, or the message itself took longer than any honest one. */
export type NotVerified = { failed: 'busy' | 'costly' }

/** Never rejects on bad input. */
export type VerifySaml = (input: VerifyInput) => Promise<VerifyResult | NotVerified>

export interface SamlPool {
  verify: VerifySaml
  /** Ends the threads; verifications in progress give `busy`. */
  close(): Promise<void>
}

export interface SamlPoolLimits {
  threads: number
  /** The most messages that wait or run. A message has at most 256 kB. */
  messages: number
  /** The most milliseconds that one verification may run; an honest one takes tens of them. */
  run: number
  /** The most milliseconds from the call to the result, waiting and the start of a thread included. */
  total: number
  /** Milliseconds after the last message until the threads end. */
  idle: number
}

const defaultLimits: SamlPoolLimits = {
  // One core is left to the requests where there are several.
  threads: Math.max(1, Math.min(2, availableParallelism() - 1)),
  messages: 64,
  run: 5000,
  total: 15_000,
  idle: 60_000,
}

/** Beside this file: `.js` once it is built, `.ts` where the sources run. */
const entry = new URL(`./worker${extname(import.meta.url)}`, import.meta.url)

interface Task {
  end: AbortController
  run: NodeJS.Timeout | undefined
  failed: NotVerified['failed']
}

/** No thread is started before the first message. `entry`: another file in the place of the worker, for tests. */
export function createSamlPool(deps: { log: Log; limits?: Partial<SamlPoolLimits>; entry?: URL }): SamlPool {
  const limits = { ...defaultLimits, ...deps.limits }
  const tasks = new Map<number, Task>()
  let threads: Piscina<SamlTask, VerifyResult> | undefined
  let idle: NodeJS.Timeout | undefined
  let count = 0
  let closed = false

  const begin = ({ started }: TaskStarted) => {
    const task = tasks.get(started)
    if (task) task.run = setTimeout(() => stop(task, 'costly'), limits.run).unref()
  }
  const open = () => {
    if (threads) return threads
    const opened = openThreads(fileURLToPath(deps.entry ?? entry), limits)
    opened.on('message', begin)
    opened.on('error', (error: Error) => deps.log.error({ error: error.message }, 'SAML worker thread ended'))
    threads = opened
    return opened
  }
  const end = async () => {
    const ending = threads
    threads = undefined
    await ending?.destroy()
  }
  const run = async (id: number, task: Task, input: VerifyInput): Promise<VerifyResult | NotVerified> => {
    try {
      return await open().run({ id, input }, { name: 'verify', signal: task.end.signal })
    } catch (error) {
      if (task.end.signal.aborted || closed) return { failed: task.failed }
      // The thread ran out of its memory, or crashed: the message is refused, the gateway lives on.
      deps.log.error({ error: (error as Error).message }, 'SAML verification failed')
      return { failed: outOfMemory(error) ? 'costly' : 'busy' }
    }
  }

  return {
    async verify(input) {
      if (closed || tasks.size >= limits.messages) return { failed: 'busy' }
      clearTimeout(idle)
      const id = ++count
      const task: Task = { end: new AbortController(), run: undefined, failed: 'busy' }
      tasks.set(id, task)
      const total = setTimeout(() => stop(task, 'busy'), limits.total).unref()
      try {
        return await run(id, task, input)
      } finally {
        clearTimeout(total)
        clearTimeout(task.run)
        tasks.delete(id)
        if (tasks.size === 0 && !closed) idle = setTimeout(() => void end(), limits.idle).unref()
      }
    },
    async close() {
      closed = true
      clearTimeout(idle)
      for (const task of tasks.values()) stop(task, 'busy')
      await end()
    },
  }
}

function openThreads(filename: string, limits: SamlPoolLimits): Piscina<SamlTask, VerifyResult> {
  const running = new Set<number>()
  const threads = new Piscina<SamlTask, VerifyResult>({
    filename,
    name: 'verify',
    // One at least: a pool that may go down to none leaves waiting tasks behind when a task's end takes its last thread.
    minThreads: 1,
    maxThreads: limits.threads,
    maxQueue: limits.messages,
    // Threads that block while they wait would not hear that they shall end.
    atomics: 'disabled',
    recordTiming: false,
    // Attack: a message that grows without bound. The thread ends, the process does not.
    resourceLimits: { maxOldGenerationSizeMb: 192, maxYoungGenerationSizeMb: 32 },
    // Of its own accord it gives work to a thread that still loads, for a second, while another one is free in 10 ms.
    loadBalancer(_task, all) {
      const able = running.size === 0 ? all : all.filter(({ id }) => running.has(id))
      return able.find(({ currentUsage }) => currentUsage === 0) ?? null
    },
  })
  threads.on('workerCreate', ({ id }: { id: number }) => running.add(id))
  threads.on('workerDestroy', ({ id }: { id: number }) => running.delete(id))
  return threads
}

function stop(task: Task, verdict: NotVerified['failed']): void {
  task.failed = verdict
  task.end.abort()
}

function outOfMemory(error: unknown): boolean {
  return (error as { code?: unknown }).code === 'ERR_WORKER_OUT_OF_MEMORY'
}
