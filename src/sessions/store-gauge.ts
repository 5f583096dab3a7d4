// The store as sessions see it: what it answers and what it fails to answer moves the gauge that operators are alerted by.

import type { Store } from '../core/contracts.js'

/** `storeUp`: told of every answer and of every failure. Failures pass through. */
export function watchStore(store: Store, storeUp: (up: boolean) => void): Store {
  const watch = <T>(answer: Promise<T>): Promise<T> =>
    answer.then(
      value => {
        storeUp(true)
        return value
      },
      (error: unknown) => {
        storeUp(false)
        throw error
      },
    )

  return {
    get: key => watch(store.get(key)),
    set: (key, value, ttl) => watch(store.set(key, value, ttl)),
    delete: keys => watch(store.delete(keys)),
    claim: (key, ttl) => watch(store.claim(key, ttl)),
    count: (key, ttl) => watch(store.count(key, ttl)),
    indexAdd: (key, member, ttl) => watch(store.indexAdd(key, member, ttl)),
    indexRemove: (key, members) => watch(store.indexRemove(key, members)),
    indexPage: (key, cursor, count) => watch(store.indexPage(key, cursor, count)),
    publish: (channel, message) => watch(store.publish(channel, message)),
    subscribe: (channel, onMessage, onGap, onBreak) => store.subscribe(channel, onMessage, onGap, onBreak),
    replication: () => watch(store.replication()),
    probe: () => watch(store.probe()),
    close: () => store.close(),
  }
}
