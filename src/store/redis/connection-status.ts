// Watches a client of Redis: why it is not up, said once in the log and not for each attempt, and never with an address or
// a password.

import type { Log } from '../../ops/log.js'
import type { Purpose } from './connection-options.js'
import { explain, vague } from './error-messages.js'
import type { Topology } from './url.js'

/** What single clients and clusters have in common. */
export interface Emitter {
  on(event: string, listener: (value: unknown) => void): unknown
}

const notYet = 'the connection to Redis is not up yet'

export interface Watched {
  /** Why the client is not up; undefined while it is. */
  trouble(): string | undefined
  /** Something that is known before the client says so. */
  note(error: unknown): void
}

/** `sound`: whether a client that says that it is ready may be believed. `lack`: what it lacks although it is ready. */
export function watch(
  client: Emitter,
  deps: { log: Log; purpose: Purpose; topology: Topology; sound?: () => boolean; lack?: () => string | undefined },
): Watched {
  const { log, purpose, topology } = deps
  let trouble: string | undefined = notYet
  let told: string | undefined
  /** What a single Sentinel or node of a cluster last said: the reason behind the client's own words. */
  let behind: string | undefined

  const note = (error: unknown) => {
    const said = explain(error, { topology })
    trouble = vague.has(said) ? (behind ?? said) : said
    if (trouble === told) return
    told = trouble
    log.error({ store: 'redis', connection: purpose, cause: trouble }, 'no connection to the session store')
  }

  client.on('error', note)
  for (const event of ['sentinelError', 'node error']) {
    client.on(event, error => {
      behind = explain(error, { topology })
    })
  }
  client.on('close', () => {
    if (trouble === undefined || trouble === notYet) trouble = behind ?? 'the connection to Redis was lost'
  })
  client.on('refresh', () => {
    behind = deps.lack?.()
  })
  client.on('ready', () => {
    if (deps.sound?.() === false) return
    trouble = undefined
    behind = deps.lack?.()
    if (told) log.info({ store: 'redis', connection: purpose }, 'connected to the session store again')
    told = undefined
  })
  return {
    trouble: () =>
      (trouble === notYet ? (behind ?? trouble) : trouble) ?? (topology === 'cluster' ? behind : undefined),
    note,
  }
}
