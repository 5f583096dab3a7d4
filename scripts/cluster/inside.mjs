// What runs inside the cluster, in a pod beside the gateway, so that neither an Ingress nor a port-forward stands between:
// node inside.mjs login|get|load JSON. It prints one line of JSON. And with `desk` it is a Desk that tells what it received, with
// `front` what ends TLS before the gateway.

import { createHmac, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import * as http from 'node:http'
import * as https from 'node:https'

const host = 'desk.example.com'
const [command, text = '{}'] = process.argv.slice(2)
const options = JSON.parse(text)
const print = value => process.stdout.write(`${JSON.stringify(value)}\n`)

/** As the browser's request arrives from an ingress controller. Rejects when there is no answer within 15 seconds. */
const ask = (path, { method = 'GET', headers = {}, body, agent = false } = {}) =>
  new Promise((resolve, reject) => {
    const all = {
      host,
      'x-forwarded-proto': 'https',
      'x-forwarded-for': '203.0.113.9',
      accept: 'text/html',
      ...headers,
    }
    const request = http.request(
      options.base + path,
      { method, agent, headers: all, timeout: 15_000 },
      async answer => {
        const chunks = await answer.setEncoding('utf8').toArray()
        resolve({ status: answer.statusCode, headers: answer.headers, body: chunks.join('') })
      },
    )
    request.on('timeout', () => request.destroy(Object.assign(new Error('no answer'), { code: 'TIMEOUT' })))
    request.on('error', reject)
    request.end(body)
  })

/** A JWT as the provider `portal` makes one. */
function token({ secret, email }) {
  const encode = value => Buffer.from(JSON.stringify(value)).toString('base64url')
  const now = Math.floor(Date.now() / 1000)
  const claims = { email, iat: now, exp: now + 120, jti: randomUUID() }
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}

async function login() {
  const { status, headers, body } = await ask('/auth/jwt/callback', {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', origin: 'https://portal.example.com' },
    body: new URLSearchParams({ jwt: token(options) }).toString(),
  })
  const cookies = (headers['set-cookie'] ?? [])
    .map(cookie => cookie.split(';')[0])
    .filter(cookie => !cookie.endsWith('='))
  const [, why] = /"reason":"([^"]+)"|\b((?:jwt|agent|login|session)\.\w+)\b/.exec(body) ?? []
  const [reference] = /\b[2-9A-Z]{5}-[2-9A-Z]{5}\b/.exec(body) ?? []
  print({ status, cookie: cookies.join('; '), why, reference })
}

async function get() {
  const { status, headers, body } = await ask(options.path, { headers: options.headers })
  print({ status, headers, body })
}

/** Sixty requests a second, on new and on kept connections in turns, until stdin ends. Counts the answers. */
async function load() {
  const kept = new http.Agent({ keepAlive: true, maxSockets: 8 })
  const counts = {}
  const bad = []
  let open = 0
  let isOver = false
  process.stdin.resume().on('end', () => {
    isOver = true
  })
  const one = async (agent, path, headers) => {
    open++
    const { status } = await ask(path, { agent, headers }).catch(({ code }) => ({ status: code }))
    open--
    counts[status] = (counts[status] ?? 0) + 1
    if (status !== 200 && bad.length < 5) bad.push(`${new Date().toISOString().slice(11, 23)} ${path} ${status}`)
  }
  for (let turn = 0; !isOver; turn++) {
    if (open < 64) void one(turn % 2 ? kept : false, '/tickets', { cookie: options.cookie })
    await new Promise(resolve => setTimeout(resolve, 16))
  }
  while (open > 0) await new Promise(resolve => setTimeout(resolve, 50))
  print({ counts, bad })
  process.exit()
}

/** Desk: says what it received. */
function desk() {
  const server = http.createServer((request, answer) => {
    const { url, headers } = request
    answer.setHeader('x-frame-options', 'SAMEORIGIN')
    request.resume().on('end', () => answer.end(JSON.stringify({ url, headers })))
  })
  server.listen(3000, '0.0.0.0')
  process.on('SIGTERM', () => process.exit())
}

/** Passes everything on to the gateway, upgrades too, and names the client as an ingress controller does. */
function front() {
  const [key, cert] = ['tls.key', 'tls.crt'].map(name => readFileSync(`/tls/${name}`))
  const pass = ({ method, url, headers, socket }) => {
    const named = { ...headers, 'x-forwarded-for': socket.remoteAddress, 'x-forwarded-proto': 'https' }
    return http
      .request(options.base + url, { method, headers: named, agent: false })
      .on('error', () => socket.destroy())
  }
  const server = https.createServer({ key, cert, maxHeaderSize: 65_536 }, (request, answer) => {
    const onward = pass(request).on('response', got => got.pipe(answer.writeHead(got.statusCode, got.rawHeaders)))
    request.pipe(onward)
  })
  server.on('upgrade', (request, socket) => {
    const onward = pass(request).on('upgrade', ({ rawHeaders }, behind, first) => {
      const lines = rawHeaders.map((text, at) => text + (at % 2 ? '\r\n' : ': '))
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('')}\r\n`)
      socket.write(first)
      for (const [one, other] of [
        [socket, behind],
        [behind, socket],
      ])
        one.on('error', () => other.destroy()).pipe(other)
    })
    onward.on('response', () => socket.destroy()).end()
  })
  server.listen(8443, '0.0.0.0')
  http
    .createServer(({ url }, answer) => answer.writeHead(308, { location: `https://${host}${url}` }).end())
    .listen(8080)
  process.on('SIGTERM', () => process.exit())
}

await { login, get, load, desk, front }[command]()
