// The priority of a thread beside the event loop. A file of its own: a thread starts with what it imports.

import { setPriority } from 'node:os'
import { isMainThread } from 'node:worker_threads'

/**
 * The calling thread works when the event loop has nothing to do, also on a single core. Only Linux has a priority for
 * each thread (setpriority(2)); elsewhere it would be that of the process.
 */
export function workBehindRequests(): void {
  if (!isMainThread && process.platform === 'linux') setPriority(10)
}
