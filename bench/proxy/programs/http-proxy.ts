// @fastify/http-proxy as its page shows it: no authentication, nothing set but where to.

import httpProxy from '@fastify/http-proxy'
import fastify from 'fastify'

const [port, upstream = ''] = process.argv.slice(2)
const app = fastify()
app.register(httpProxy, { upstream, websocket: true })
await app.listen({ host: '127.0.0.1', port: Number(port) })
