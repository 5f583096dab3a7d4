// @fastify/http-proxy as its page shows it: no authentication, nothing set but where to.

import httpProxy from '@fastify/http-proxy'
import fastify from 'fastify'

const [port, upstream = '', echo = ''] = process.argv.slice(2)
const app = fastify()
app.register(httpProxy, { upstream: echo, prefix: '/echo', rewritePrefix: '/echo', websocket: true })
app.register(httpProxy, { upstream })
await app.listen({ host: '127.0.0.1', port: Number(port) })
