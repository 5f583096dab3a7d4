// A worker's link to the first process: tells it that the worker listens, asks it what all workers say together, and hears
// when it is time to end. Signals are the first process's business alone.

import cluster from 'node:cluster'
import type { ReloadCause } from '../reload.js'
import type { Addresses, Told } from '../server.js'
import { type FromFirst, type FromWorker, isOurs, type Parts, type Topic, type Wholes } from './ipc.js'

export interface Link {
  /** From 1, the same after a restart. */
  number: number
  /** For startServer: this worker accepts connections. */
  announce(addresses: Addresses): void
  /** For startServer: what the ops listener says in the place of this worker's own. */
  together(own: Told): Pick<Told, 'readiness'> & { metrics: Pick<Told['metrics'], 'text'> }
  /** Called once, with the milliseconds to go on serving. */
  onDrain(listener: (serveOn: number) => void): void
  /** Called whenever this worker is to read its configuration again. */
  onReload(listener: (cause: ReloadCause) => void): void
  /** For startServer: this worker reloads, and the others have to as well. */
  reloadOthers(): void
}

/** Where messages go and come from: the process itself. */
export interface Channel {
  send?(message: object, callback: (error: Error | null) => void): unknown
  on(event: 'message', listener: (message: unknown) => void): unknown
}

/** A signal from a terminal or a service manager reaches every process of the group; the first one passes it on in order. */
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const

/** The variable by which the first process tells a worker its number. */
export const numberVariable = 'DESKGATE_WORKER'

/** Undefined in a process that is no worker. */
export function joinCrew(env: NodeJS.ProcessEnv): Link | undefined {
  if (!cluster.isWorker) return undefined
  for (const signal of signals) process.on(signal, () => {})
  return createLink(process, Number(env[numberVariable]))
}

/** Milliseconds that the first process has for an answer. */
const patience = 3000

export function createLink(channel: Channel, number: number): Link {
  const waiting = new Map<number, (whole: Wholes[Topic]) => void>()
  const drains: ((serveOn: number) => void)[] = []
  const reloads: ((cause: ReloadCause) => void)[] = []
  let own: Told | undefined
  let count = 0
  let draining: number | undefined

  // The first process ends its workers by itself when the channel breaks: nobody waits here for an error.
  const send = (message: FromWorker) => void channel.send?.(message, () => {})
  const partOf = async (topic: Topic): Promise<Parts[Topic]> => {
    if (!own) throw new Error('this worker is still starting')
    return topic === 'metrics' ? own.metrics.parts() : own.readiness.ask()
  }
  const ask = async <T extends Topic>(topic: T): Promise<Wholes[T]> => {
    const id = ++count
    const part = await partOf(topic)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.delete(id)
        reject(new Error('the first process does not answer'))
      }, patience)
      waiting.set(id, whole => {
        clearTimeout(timer)
        waiting.delete(id)
        resolve(whole as Wholes[T])
      })
      send({ deskgate: 'ask', id, topic, part })
    })
  }

  channel.on('message', message => {
    if (!isOurs(message)) return
    const said = message as FromFirst
    if (said.deskgate === 'whole') waiting.get(said.id)?.(said.whole)
    if (said.deskgate === 'tell') {
      const { id, topic } = said
      partOf(topic).then(
        part => send({ deskgate: 'part', id, part }),
        () => {},
      )
    }
    if (said.deskgate === 'reload') for (const listener of reloads) listener(said.cause)
    if (said.deskgate === 'drain' && draining === undefined) {
      draining = said.serveOn
      for (const listener of drains) listener(draining)
    }
  })

  return {
    number,
    announce: addresses => send({ deskgate: 'listening', addresses }),
    reloadOthers: () => send({ deskgate: 'reload others' }),
    onReload: listener => void reloads.push(listener),
    together(told) {
      own = told
      // A readiness of its own is better than none; counters of its own would be a fall of the whole.
      const readiness = { ask: () => ask('readiness').catch(() => told.readiness.ask()) }
      return { readiness, metrics: { text: () => ask('metrics') } }
    },
    onDrain(listener) {
      drains.push(listener)
      if (draining !== undefined) listener(draining)
    },
  }
}
