// The least that a Node program can do with the same checks: node:http and undici's dispatch, a session in a Map by the
// hash of its cookie, the identity and a signed assertion made once, no framework, no timeouts, no errors handled.

import { hash } from 'node:crypto'
import { createServer } from 'node:http'
import { Pool } from 'undici'

const [port, upstream = '', cookie = ''] = process.argv.slice(2)
const pool = new Pool(upstream, { pipelining: 1 })
const identity = [
  ...['X-Agent-Id', '7', 'X-Agent-Email', 'ada@example.com', 'X-Agent-Name', 'Ada', 'X-Agent-Roles', 'admin'],
  ...['X-Agent-Provider', 'portal', 'X-Agent-Assertion', `${'a'.repeat(60)}.${'b'.repeat(340)}.${'c'.repeat(86)}`],
]
const sessions = new Map([[hash('sha256', cookie, 'base64url'), { identity, endsAt: Date.now() + 86_400_000 }]])
const dropped = new Set(['connection', 'host', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade'])
const named = '__Host-deskgate='

const server = createServer((request, response) => {
  const header = request.headers.cookie ?? ''
  const at = header.indexOf(named)
  const session =
    at < 0
      ? undefined
      : sessions.get(hash('sha256', header.slice(at + named.length, at + named.length + 43), 'base64url'))
  if (!session || session.endsAt < Date.now()) {
    response.writeHead(401).end()
    return
  }
  const headers = ['Host', 'desk.example.com']
  const raw = request.rawHeaders
  for (let i = 0; i < raw.length; i += 2) {
    const name = (raw[i] as string).toLowerCase()
    if (dropped.has(name) || name.startsWith('x-agent-') || name.startsWith('x-forwarded-') || name === 'cookie')
      continue
    headers.push(raw[i] as string, raw[i + 1] as string)
  }
  headers.push('X-Forwarded-For', request.socket.remoteAddress ?? '', ...session.identity)
  const body = request.headers['content-length'] || request.headers['transfer-encoding'] ? request : null
  pool.dispatch(
    { path: request.url ?? '/', method: request.method ?? 'GET', headers, body },
    {
      onConnect() {},
      onHeaders(status, received, resume) {
        const flat: string[] = []
        for (let i = 0; i < received.length; i += 2) {
          const name = String(received[i])
          if (!dropped.has(name.toLowerCase())) flat.push(name, (received[i + 1] as Buffer).toString('latin1'))
        }
        response.writeHead(status, flat)
        response.on('drain', resume)
        return true
      },
      onData: chunk => response.write(chunk),
      onComplete: () => void response.end(),
      onError: () => void response.destroy(),
    },
  )
})
server.keepAliveTimeout = 75_000
server.listen(Number(port), '127.0.0.1')
