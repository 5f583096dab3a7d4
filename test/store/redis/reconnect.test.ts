// A client of ioredis that is told to disconnect while it connects gives itself up for good. The word of a failover tells
// it just that; the gateway must come back all the same.

import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { systemClock, systemRandom } from '../../../src/runtime/clock.js'
import { connect } from '../../../src/store/redis/connect.js'
import type { RedisConnection } from '../../../src/store/redis/connection.js'
import { startRedis } from '../../parts/redis.js'
import { startSentinel } from '../../parts/redis-sentinel.js'
import { missingParts } from '../../parts/required-parts.js'
import { silent, storeSettings } from '../../parts/store-backends.js'
import { until } from '../../parts/wait-until.js'

const skip = missingParts('redis-server')
const patience = 30_000

/** As the listener for `+switch-master` does it, when the word comes in the middle of an attempt. */
async function interrupt(client: Redis): Promise<void> {
  let ends = 0
  const count = () => {
    ends++
  }
  client.on('end', count)
  client.once('connecting', () => client.disconnect(true))
  client.disconnect(true)
  await until(() => ends > 0, patience)
  client.off('end', count)
}

async function comesBack(t: Test, connection: RedisConnection): Promise<void> {
  const { messages, client } = connection
  const subscriber = messages.client
  const commands = client as Redis
  await until(() => connection.up() && messages.isUp(), patience)
  await Promise.all([interrupt(commands), interrupt(subscriber)])
  t.equal(connection.up(), false)
  await until(() => connection.up() && messages.isUp(), patience)
  t.equal(await commands.set('p:revived', '1', 'PX', 1000), 'OK')
  await connection.close()
  await until(() => commands.status === 'end' && subscriber.status === 'end', patience)
  await new Promise(resolve => setTimeout(resolve, 200))
  t.same([commands.status, subscriber.status], ['end', 'end'], 'and an end that was asked for is an end')
}

t.test('a Sentinel names another primary while the client connects', { skip }, async t => {
  const sentinel = await startSentinel()
  t.teardown(sentinel.stop)
  await comesBack(t, connect(storeSettings(sentinel.url), { log: silent, clock: systemClock, random: systemRandom }))
})

t.test('one server: a connection that is cut while it is made', { skip }, async t => {
  const redis = await startRedis()
  t.teardown(redis.stop)
  await comesBack(t, connect(storeSettings(redis.url), { log: silent, clock: systemClock, random: systemRandom }))
})

t.test('ioredis still gives up for good: without that reconnectAfterEnd is not needed', { skip }, async t => {
  const redis = await startRedis()
  t.teardown(redis.stop)
  const client = new Redis({ port: redis.port, host: '127.0.0.1', retryStrategy: () => 1 })
  client.on('error', () => {})
  t.teardown(() => client.disconnect())
  await until(() => client.status === 'ready', patience)
  await interrupt(client)
  t.equal(client.status, 'end')
})
