// Keeps the subscriptions to Redis channels: renewed after every reconnection, and a connection that has died without a
// word is found by a ping. Whoever listens is told after each time in which a message may have been missed.

import type { Log } from '../ops/log.js'
import type { RedisClient } from './connect.js'

export interface Subscriptions {
  /** `onGap` follows each time that the subscription has been (re)made, the first included. */
  add(channel: string, onMessage: (message: string) => void, onGap: () => void): void
  close(): void
}

interface Listener {
  onMessage(message: string): void
  onGap(): void
}

/** Milliseconds between pings: with the socket's time limit a dead connection is left within twelve seconds. */
const pingEvery = 10_000

export function createSubscriptions(deps: { subscriber: RedisClient; log: Log }): Subscriptions {
  const { subscriber, log } = deps
  const channels = new Map<string, Listener[]>()

  const renew = async (names: string[]) => {
    if (names.length === 0) return
    try {
      await subscriber.subscribe(...names)
    } catch {
      log.warn({ store: 'redis', connection: 'messages' }, 'the subscription failed; connecting anew')
      // The next 'ready' tries again. Without it nobody would hear that a session ended elsewhere.
      subscriber.disconnect(true)
      return
    }
    for (const name of names) for (const listener of channels.get(name) ?? []) listener.onGap()
  }
  const onReady = () => void renew([...channels.keys()])
  const onMessage = (channel: string, message: string) => {
    for (const listener of channels.get(channel) ?? []) listener.onMessage(message)
  }
  subscriber.on('ready', onReady)
  subscriber.on('message', onMessage)
  const pinging = setInterval(() => {
    if (subscriber.status === 'ready') subscriber.ping().catch(() => subscriber.disconnect(true))
  }, pingEvery)
  pinging.unref()

  return {
    add(channel, onMessage, onGap) {
      channels.set(channel, [...(channels.get(channel) ?? []), { onMessage, onGap }])
      if (subscriber.status === 'ready') void renew([channel])
    },
    close() {
      clearInterval(pinging)
      subscriber.off('ready', onReady)
      subscriber.off('message', onMessage)
      channels.clear()
    },
  }
}
