// Waiting items in several queues that take turns: a long queue does not delay the others.

export interface Turns<Item> {
  add(key: string, item: Item): void
  /** Whether it was waiting. */
  remove(key: string, item: Item): boolean
  /** The first item of the next queue whose first item may begin; it no longer waits. */
  next(mayBegin: (item: Item) => boolean): Item | undefined
  /** The items at the head of the queues for which `isDue`; they no longer wait. */
  takeDue(isDue: (item: Item) => boolean): Item[]
  /** The first of each queue. */
  heads(): Item[]
  size(): number
}

export function createTurns<Item>(): Turns<Item> {
  /** In the order of their turns. */
  const queues = new Map<string, Item[]>()
  let size = 0

  return {
    add(key, item) {
      const queue = queues.get(key)
      if (queue) queue.push(item)
      else queues.set(key, [item])
      size++
    },
    remove(key, item) {
      const queue = queues.get(key)
      const at = queue?.indexOf(item) ?? -1
      if (!queue || at < 0) return false
      queue.splice(at, 1)
      if (queue.length === 0) queues.delete(key)
      size--
      return true
    },
    next(mayBegin) {
      for (const [key, queue] of queues) {
        const item = queue[0] as Item
        if (!mayBegin(item)) continue
        queue.shift()
        size--
        queues.delete(key)
        if (queue.length > 0) queues.set(key, queue)
        return item
      }
      return undefined
    },
    takeDue(isDue) {
      const due: Item[] = []
      for (const [key, queue] of queues) {
        while (queue.length > 0 && isDue(queue[0] as Item)) due.push(queue.shift() as Item)
        if (queue.length === 0) queues.delete(key)
      }
      size -= due.length
      return due
    },
    heads: () => [...queues.values()].map(queue => queue[0] as Item),
    size: () => size,
  }
}
