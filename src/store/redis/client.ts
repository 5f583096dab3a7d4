// The clients of ioredis, as far as the store uses them.

import type { Redis } from 'ioredis'

/** A client for messages, or for one server. */
export type RedisClient = Redis
/** A client for commands, to one server or to a cluster: its callers need not know which. */
export type Commands = Pick<
  Redis,
  | 'getBuffer'
  | 'set'
  | 'del'
  | 'incr'
  | 'zadd'
  | 'zrem'
  | 'zrangebyscore'
  | 'zremrangebyscore'
  | 'pexpire'
  | 'publish'
  | 'call'
  | 'info'
>
/** One server that takes writes. */
export type Writer = Pick<Redis, 'role' | 'wait' | 'info' | 'status'>
