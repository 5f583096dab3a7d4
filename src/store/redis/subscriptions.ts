// Keeps the subscriptions to Redis channels: renews them after every reconnection and after a refusal, and finds a dead
// connection by a ping. Listeners are notified after each time in which a message may have been missed.

import type { Clock, Random } from '../../core/clock.js'
import { StoreUnavailable } from '../../core/errors.js'
import { createRepeatedLog, type Log } from '../../ops/log.js'
import { type BackoffRange, backoffDelay } from '../../runtime/clock.js'
import type { MessageConnection } from './connection.js'
import { explain, isRefusal } from './error-messages.js'

export interface Subscriptions {
  /** `onGap` is called each time the subscription is (re)made, the first included; `onBreak` each time it is lost. */
  add(channel: string, onMessage: (message: string) => void, onGap: () => void, onBreak?: () => void): void
  /** The channels that are subscribed to. Waits for the first answer of Redis; rejects with StoreUnavailable. */
  channels(): Promise<string[]>
  /** Resolves when `message` arrives, which then goes to no listener. `cancel` stops waiting. */
  arrival(channel: string, message: string): { arrived: Promise<void>; cancel(): void }
  close(): void
}

interface Listener {
  onMessage(message: string): void
  onGap(): void
  onBreak(): void
}

/** Milliseconds between pings: with the socket timeout a dead connection is closed within twelve seconds. */
const pingEvery = 10_000
/** Milliseconds between two tries to subscribe. */
const refused: BackoffRange = { first: 500, longest: 5000 }

interface SubscriptionDeps {
  connection: MessageConnection
  log: Log
  clock: Clock
  random: Random
}

export function createSubscriptions(deps: SubscriptionDeps): Subscriptions {
  const { client, isUp, onUp } = deps.connection
  const channels = new Map<string, Listener[]>()
  const waiting = new Map<string, () => void>()
  const renewal = createRenewal(deps, {
    names: () => [...channels.keys()],
    renewed(names) {
      for (const name of names) for (const listener of channels.get(name) ?? []) listener.onGap()
    },
  })
  const onClose = () => {
    renewal.disconnected()
    for (const listeners of channels.values()) for (const listener of listeners) listener.onBreak()
  }
  const onMessage = (channel: string, message: string) => {
    const arrived = waiting.get(`${channel} ${message}`)
    if (arrived) return arrived()
    for (const listener of channels.get(channel) ?? []) listener.onMessage(message)
  }
  onUp(renewal.renewAll)
  client.on('close', onClose)
  client.on('message', onMessage)
  const pinging = setInterval(() => {
    if (!isUp()) return
    const isCurrent = renewal.connection()
    client.ping().catch(error => {
      // A refusal is an answer, and a connection that has closed by itself is being replaced already.
      if (!isRefusal(error) && isCurrent()) client.disconnect(true)
    })
  }, pingEvery)
  pinging.unref()

  return {
    add(channel, onMessage, onGap, onBreak = () => {}) {
      channels.set(channel, [...(channels.get(channel) ?? []), { onMessage, onGap, onBreak }])
      if (isUp()) renewal.renew([channel])
    },
    async channels() {
      if (channels.size > 0) await renewal.outcome()
      return [...channels.keys()]
    },
    arrival(channel, message) {
      const key = `${channel} ${message}`
      const arrived = new Promise<void>(resolve => waiting.set(key, resolve))
      return { arrived, cancel: () => void waiting.delete(key) }
    },
    close() {
      clearInterval(pinging)
      renewal.close()
      client.off('close', onClose)
      client.off('message', onMessage)
      channels.clear()
    },
  }
}

/** Subscribes, and tries again for as long as Redis refuses it on a connection that lasts. */
function createRenewal(
  { connection: { client, isUp, problem, settled }, ...deps }: SubscriptionDeps,
  { names, renewed }: { names(): string[]; renewed(names: string[]): void },
) {
  const failures = createRepeatedLog({
    ...deps,
    level: 'error',
    failure: 'subscription refused by Redis; every session is read again before it is used',
    recovery: 'subscribed again',
    facts: { store: 'redis', connection: 'messages' },
  })
  /** Counts connections: the result of a command on one says nothing about the next. */
  let connection = 0
  let state: 'none' | 'made' | StoreUnavailable = 'none'
  let listeners: (() => void)[] = []
  let times = 0
  let timer: NodeJS.Timeout | undefined

  const settle = (next: typeof state) => {
    state = next
    for (const listener of listeners.splice(0)) listener()
  }
  const renewAll = () => void renew(names())
  const renew = async (wanted: string[]) => {
    if (wanted.length === 0) return
    const current = connection
    try {
      await client.subscribe(...wanted)
    } catch (error) {
      if (current !== connection) return
      const cause = explain(error)
      settle(new StoreUnavailable(cause))
      failures.failed(cause)
      // Without an answer the connection is dead. The next one tries again.
      if (!isRefusal(error)) return client.disconnect(true)
      clearTimeout(timer)
      timer = setTimeout(renewAll, backoffDelay(++times, refused, deps.random)).unref()
      return
    }
    if (current !== connection || !isUp()) return
    times = 0
    failures.recovered()
    settle('made')
    renewed(wanted)
  }

  return {
    renew: (wanted: string[]) => void renew(wanted),
    renewAll,
    connection() {
      const current = connection
      return () => current === connection
    },
    disconnected() {
      connection++
      clearTimeout(timer)
      settle('none')
    },
    /** Resolves when the subscriptions are made; rejects with the reason why they are not. */
    async outcome(): Promise<void> {
      await settled
      if (state === 'none') {
        const down = problem()
        if (down !== undefined) throw new StoreUnavailable(down)
        await new Promise<void>(resolve => listeners.push(resolve))
      }
      if (state === 'made') return
      throw state === 'none' ? new StoreUnavailable(problem() ?? 'the subscription is not made yet') : state
    },
    close() {
      connection++
      clearTimeout(timer)
      listeners = []
    },
  }
}
