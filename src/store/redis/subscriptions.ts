// Keeps the subscriptions to Redis channels: renewed after every reconnection, and a connection that has died without a
// word is found by a ping. Whoever listens is told after each time in which a message may have been missed.

import type { Log } from '../../ops/log.js'
import type { RedisClient } from './connect.js'

export interface Subscriptions {
  /** `onGap` follows each time that the subscription has been (re)made, the first included; `onBreak` each end of one. */
  add(channel: string, onMessage: (message: string) => void, onGap: () => void, onBreak?: () => void): void
  close(): void
}

interface Listener {
  onMessage(message: string): void
  onGap(): void
  onBreak(): void
}

/** Milliseconds between pings: with the socket's time limit a dead connection is left within twelve seconds. */
const pingEvery = 10_000

export function createSubscriptions(deps: { subscriber: RedisClient; log: Log }): Subscriptions {
  const { subscriber, log } = deps
  const channels = new Map<string, Listener[]>()

  /** Counts connections: what was begun on one says nothing of the next. */
  let connection = 0

  const renew = async (names: string[]) => {
    if (names.length === 0) return
    const mine = connection
    try {
      await subscriber.subscribe(...names)
    } catch {
      if (mine !== connection) return
      log.warn({ store: 'redis', connection: 'messages' }, 'the subscription failed; connecting anew')
      // The next 'ready' tries again. Without it nobody would hear that a session ended elsewhere.
      subscriber.disconnect(true)
      return
    }
    if (mine !== connection || subscriber.status !== 'ready') return
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
    const mine = connection
    subscriber.ping().catch(() => {
      // One that has closed by itself is being replaced already: that must not be disturbed.
      if (mine === connection) subscriber.disconnect(true)
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
