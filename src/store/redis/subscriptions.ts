// Keeps the subscriptions to Redis channels: renews them after every reconnection, and finds a dead connection by a
// ping. Listeners are notified after each time in which a message may have been missed.

import type { Log } from '../../ops/log.js'
import type { RedisClient } from './connect.js'

export interface Subscriptions {
  /** `onGap` is called each time the subscription is (re)made, the first included; `onBreak` each time it is lost. */
  add(channel: string, onMessage: (message: string) => void, onGap: () => void, onBreak?: () => void): void
  close(): void
}

interface Listener {
  onMessage(message: string): void
  onGap(): void
  onBreak(): void
}

/** Milliseconds between pings: with the socket timeout a dead connection is closed within twelve seconds. */
const pingEvery = 10_000

export function createSubscriptions(deps: { subscriber: RedisClient; log: Log }): Subscriptions {
  const { subscriber, log } = deps
  const channels = new Map<string, Listener[]>()

  /** Counts connections: the result of a command on one says nothing about the next. */
  let connection = 0

  const renew = async (names: string[]) => {
    if (names.length === 0) return
    const current = connection
    try {
      await subscriber.subscribe(...names)
    } catch {
      if (current !== connection) return
      log.warn({ store: 'redis', connection: 'messages' }, 'the subscription failed; connecting anew')
      // The next 'ready' tries again. Otherwise revocations of other replicas would be missed.
      subscriber.disconnect(true)
      return
    }
    if (current !== connection || subscriber.status !== 'ready') return
    for (const name of names) for (const listener of channels.get(name) ?? []) listener.onGap()
  }
  const onClose = () => {
    connection++
    for (const listeners of channels.values()) for (const listener of listeners) listener.onBreak()
  }
  const onReady = () => void renew([...channels.keys()])
  const onMessage = (channel: string, message: string) => {
    for (const listener of channels.get(channel) ?? []) listener.onMessage(message)
  }
  subscriber.on('ready', onReady)
  subscriber.on('close', onClose)
  subscriber.on('message', onMessage)
  const pinging = setInterval(() => {
    if (subscriber.status !== 'ready') return
    const current = connection
    subscriber.ping().catch(() => {
      // A connection that has closed by itself is being replaced already.
      if (current === connection) subscriber.disconnect(true)
    })
  }, pingEvery)
  pinging.unref()

  return {
    add(channel, onMessage, onGap, onBreak = () => {}) {
      channels.set(channel, [...(channels.get(channel) ?? []), { onMessage, onGap, onBreak }])
      if (subscriber.status === 'ready') void renew([channel])
    },
    close() {
      clearInterval(pinging)
      subscriber.off('ready', onReady)
      subscriber.off('close', onClose)
      subscriber.off('message', onMessage)
      channels.clear()
    },
  }
}
