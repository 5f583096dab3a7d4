// The queue for Desk and the limit of unread bytes where a test is about something else; and a queue whose time a test moves.

import { createLog } from '../../src/ops/log.js'
import type { UnreadLimit } from '../../src/web/connections/unread-limit.js'
import { createDeskQueue } from '../../src/web/proxy/desk-queue.js'

const noUnreadLimit: UnreadLimit = { grew: () => {}, watch: () => {}, close: () => {} }

export function defaultLimits() {
  return { queue: createDeskQueue({ log: createLog({ level: 'silent' }) }), unread: noUnreadLimit }
}
