// What auth_request asks: whether the cookie names a session in Redis.

import { createServer } from 'node:http'
import { Redis } from 'ioredis'

const [port, url = ''] = process.argv.slice(2)
const redis = new Redis(url)

const server = createServer(async (request, response) => {
  const [, id] = /(?:^|; )session=(\w+)/.exec(request.headers.cookie ?? '') ?? []
  const found = id === undefined ? null : await redis.get(`session:${id}`)
  if (found === null) response.writeHead(401).end()
  else response.writeHead(204, { 'X-Agent-Email': (JSON.parse(found) as { email: string }).email }).end()
})
server.keepAliveTimeout = 75_000
server.listen(Number(port), '127.0.0.1')
