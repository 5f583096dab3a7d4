// What runs in a thread: says at which priority it works.

import { getPriority } from 'node:os'
import { workBehindRequests } from '../../src/runtime/thread-priority.js'

workBehindRequests()

export function run(): number {
  return getPriority()
}
