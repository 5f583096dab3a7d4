// A worker's link to the primary process: reports that the worker listens, asks for the merged facts of all workers, and
// receives drain and reload. Only the primary process handles signals.

import cluster from 'node:cluster'
import type { MetricPart } from '../../ops/metrics.js'
import type { ObservedFacts } from '../../ops/observed.js'
import type { Readiness } from '../../ops/readiness.js'
import type { ReloadCause } from '../reload.js'
import type { Addresses, MergedOpsSources, OpsSources } from '../server.js'

export interface WorkerLink {
  /** Starts at 1, stays the same after a restart. */
  number: number
  /** For startServer: this worker accepts connections. */
  announce(addresses: Addresses): void
  /** For startServer: the facts of all workers, in place of this worker's own. */
  aggregated(own: OpsSources): MergedOpsSources
  /** The listener is called once, with the milliseconds to keep serving. */
  onDrain(listener: (serveOn: number) => void): void
  /** The listener is called whenever this worker has to reload its configuration. */
  onReload(listener: (cause: ReloadCause) => Promise<unknown>): void
  /** For startServer: makes the other workers reload too. */
  reloadOthers(): void
}

/** The channel to the primary process: `process` itself. */
interface IpcChannel {
  send?(message: object, callback: (error: Error | null) => void): unknown
  on(event: 'message', listener: (message: unknown) => void): unknown
}

/** A terminal or a service manager signals every process of the group; the primary passes it on in order. */
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const

export const numberVariable = 'DESKGATE_WORKER'

/** Undefined in a process that is not a worker. */
export function joinCluster(env: NodeJS.ProcessEnv): WorkerLink | undefined {
  if (!cluster.isWorker) return undefined
  for (const signal of signals) process.on(signal, () => {})
  return createWorkerLink(process, Number(env[numberVariable]))
}

/** How long the primary process may take for an answer, in milliseconds. */
const answerTimeout = 3000

export function createWorkerLink(channel: IpcChannel, number: number): WorkerLink {
  const waiting = new Map<number, (whole: MergedAnswers[Topic]) => void>()
  const drains: ((serveOn: number) => void)[] = []
  const reloads: ((cause: ReloadCause) => Promise<unknown>)[] = []
  let own: OpsSources | undefined
  let lastId = 0
  let draining: number | undefined

  // node:cluster ends the worker when the channel breaks: an error here needs no handling.
  const send = (message: FromWorker) => void channel.send?.(message, () => {})
  const partOf = async (topic: Topic): Promise<WorkerParts[Topic]> => {
    if (!own) throw new Error('this worker is still starting')
    if (topic === 'observed') return own.observed.facts()
    return topic === 'metrics' ? own.metrics.parts() : own.readiness.ask()
  }
  const ask = async <T extends Topic>(topic: T): Promise<MergedAnswers[T]> => {
    const id = ++lastId
    const part = await partOf(topic)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.delete(id)
        reject(new Error('the primary process does not answer'))
      }, answerTimeout)
      waiting.set(id, whole => {
        clearTimeout(timer)
        waiting.delete(id)
        resolve(whole as MergedAnswers[T])
      })
      send({ deskgate: 'ask', id, topic, part })
    })
  }

  channel.on('message', message => {
    if (!isOurs(message)) return
    const command = message as FromPrimary
    if (command.deskgate === 'whole') waiting.get(command.id)?.(command.whole)
    if (command.deskgate === 'tell') {
      const { id, topic } = command
      partOf(topic).then(
        part => send({ deskgate: 'part', id, part }),
        () => {},
      )
    }
    if (command.deskgate === 'ping') send({ deskgate: 'pong' })
    if (command.deskgate === 'reload') {
      const done = () => send({ deskgate: 'reloaded' })
      // A worker that is starting has no listener: it looks at its files again as soon as it listens.
      Promise.all(reloads.map(listener => listener(command.cause))).then(done, done)
    }
    if (command.deskgate === 'drain' && draining === undefined) {
      draining = command.serveOn
      for (const listener of drains) listener(draining)
    }
  })

  return {
    number,
    announce: addresses => send({ deskgate: 'listening', addresses }),
    reloadOthers: () => send({ deskgate: 'reload others' }),
    onReload: listener => void reloads.push(listener),
    aggregated(sources) {
      own = sources
      // Its own readiness is better than none; its own counters would make the totals fall.
      const readiness = { ask: () => ask('readiness').catch(() => sources.readiness.ask()) }
      return { readiness, metrics: { text: () => ask('metrics') }, observed: { facts: () => ask('observed') } }
    },
    onDrain(listener) {
      drains.push(listener)
      if (draining !== undefined) listener(draining)
    },
  }
}

/** What each worker reports, by topic: facts and counters, never a session or a secret. */
export interface WorkerParts {
  metrics: MetricPart[]
  readiness: Readiness
  observed: ObservedFacts
}

export interface MergedAnswers {
  metrics: { type: string; body: string }
  readiness: Readiness
  observed: ObservedFacts
}

export type Topic = keyof WorkerParts

export type FromWorker =
  | { deskgate: 'listening'; addresses: Addresses }
  /** Asks for the merged answer, with this worker's own part. */
  | { deskgate: 'ask'; id: number; topic: Topic; part: WorkerParts[Topic] }
  | { deskgate: 'part'; id: number; part: WorkerParts[Topic] }
  /** Its API was asked to reload: the other workers have to reload too. */
  | { deskgate: 'reload others' }
  | { deskgate: 'reloaded' }
  /** Answers 'ping'. */
  | { deskgate: 'pong' }

export type FromPrimary =
  | { deskgate: 'tell'; id: number; topic: Topic }
  | { deskgate: 'whole'; id: number; whole: MergedAnswers[Topic] }
  /** `serveOn`: milliseconds to keep serving while not ready. */
  | { deskgate: 'drain'; serveOn: number }
  | { deskgate: 'reload'; cause: ReloadCause }
  /** Answered with 'pong' as long as the event loop runs. */
  | { deskgate: 'ping' }

/** The same channel carries messages of Node and of libraries. */
export function isOurs(message: unknown): message is { deskgate: string } {
  return typeof message === 'object' && message !== null && 'deskgate' in message
}
