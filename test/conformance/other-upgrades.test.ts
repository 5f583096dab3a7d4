// An offer to upgrade to anything but WebSocket is ignored (RFC 9110 7.8): the request is answered as if it had not come,
// on every path, with bodies, and on kept connections. Java's HTTP client and curl send such offers.

import { execFile, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { promisify } from 'node:util'
import t from 'tap'
import { onWebSocketOffer } from '../../src/web/connections/read-again.js'
import { rsaPair } from '../parts/configuration.js'
import { startDesk } from '../parts/desk.js'
import { startProxy } from '../parts/proxy-server.js'
import { openRaw, sendRaw } from '../parts/raw-http.js'
import { missingParts, programPath } from '../parts/required-parts.js'
import { until } from '../parts/wait-until.js'
import { openWebSocket } from '../parts/websocket.js'

const desk = await startDesk()
const proxy = await startProxy({ deskUrl: desk.url })
t.teardown(async () => {
  await proxy.close()
  await desk.close()
})
const { cookie } = await proxy.logIn()
const mine = `Cookie: ${cookie}`
const run = promisify(execFile)
const hasCurl = String(spawnSync('curl', ['--version']).stdout).includes('HTTP2')

const offers = [
  ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__'],
  ['connection: upgrade', 'upgrade: H2C'],
  ['Connection: Upgrade', 'Upgrade: TLS/1.0, HTTP/1.1'],
  ['Connection: Upgrade, X-Private', 'X-Private: 1', 'Upgrade: foo/2'],
  ['Connection: keep-alive', 'Connection: Upgrade', 'Upgrade: h2c', 'Upgrade: other'],
  ['Upgrade: h2c'],
]
const request = (line: string, headers: string[], body = '') => [line, 'Host: x', ...headers, '', body].join('\r\n')

t.test('Desk gets the request without the offer, and the client its response', async t => {
  const bodies: [string, string[], string, string][] = [
    ['GET /x?a=%2e HTTP/1.1', [], '', ''],
    ['HEAD /x HTTP/1.1', [], '', ''],
    ['POST /x HTTP/1.1', ['Content-Length: 2'], '{}', '{}'],
    ['PUT /x HTTP/1.1', ['Transfer-Encoding: chunked'], '2\r\nab\r\n1\r\nc\r\n0\r\n\r\n', 'abc'],
    ['DELETE /x HTTP/1.1', ['Content-Length: 0'], '', ''],
    ['GET /open HTTP/1.1', [], '', ''],
  ]
  for (const offer of offers) {
    for (const [line, headers, body, arrives] of bodies) {
      const connection = openRaw(proxy.port)
      connection.send(request(line, [mine, 'X-Mine: caf\xe9', ...offer, ...headers], body))
      t.equal((await connection.response(line.split(' ')[0])).status, 200, `${line} ${offer}`)
      const got = desk.last()
      t.equal(`${got.method} ${got.url} HTTP/1.1`, line)
      t.equal(got.body.toString(), arrives)
      for (const name of ['upgrade', 'http2-settings', 'x-private']) t.same(got.all(name), [], name)
      t.same(got.all('x-mine'), ['caf\xe9'])
      connection.close()
    }
  }
})

t.test('paths of the gateway, refusals, and what is malformed', async t => {
  for (const offer of offers) {
    for (const [line, status] of [
      ['GET /auth/login HTTP/1.1', 200],
      ['POST /auth/jwt HTTP/1.1', 200],
      ['GET /auth/nothing HTTP/1.1', 404],
      ['GET /x HTTP/1.1', 401],
      ['GET /a/../x HTTP/1.1', 400],
      ['TRACE /x HTTP/1.1', 405],
    ] as const) {
      const connection = openRaw(proxy.port)
      connection.send(request(line, [...offer, 'Content-Length: 0']))
      t.equal((await connection.response()).status, status, `${line} ${offer}`)
      connection.close()
    }
  }
})

t.test('one connection, many offers: in order, whole, and without leftovers', async t => {
  const warnings: Error[] = []
  const note = (warning: Error) => warnings.push(warning)
  process.on('warning', note)
  t.teardown(() => process.off('warning', note))
  desk.onRequest((request, response) => request.on('end', () => response.end(request.url)))
  const connection = openRaw(proxy.port)
  for (let round = 0; round < 30; round++) {
    const offer = offers[round % offers.length] ?? []
    const plain = request('GET /before HTTP/1.1', [mine])
    const post = request('POST /offer HTTP/1.1', [mine, ...offer, 'Content-Length: 3'], 'abc')
    connection.send(plain + plain + post + post + plain)
    for (const url of ['/before', '/before', '/offer', '/offer', '/before']) {
      t.equal((await connection.response()).body.toString(), url)
    }
  }
  connection.close()
  t.same(warnings, [])
})

t.test('a body that comes in later packets, and what is sent behind it', async t => {
  for (const [headers, pieces] of [
    [['Content-Length: 6'], ['ab', 'cdef']],
    [['Content-Length: 6'], ['', 'abcdef']],
    [['Transfer-Encoding: chunked'], ['2\r\nab\r\n4\r', '\ncdef\r\n0\r\n\r\n']],
    [['Transfer-Encoding: chunked'], ['', '6\r\nabcdef\r\n0\r\n\r\n']],
  ] as const) {
    for (const offer of offers) {
      const connection = openRaw(proxy.port)
      await once(connection.socket, 'connect')
      connection.socket.setNoDelay(true)
      const before = desk.seen.length
      const received = once(proxy.app.server, 'request')
      connection.send(request('POST /offer HTTP/1.1', [mine, ...offer, ...headers], pieces[0]))
      await received
      // Desk gets the head with the first byte of the body.
      if (pieces[0]) await until(() => desk.seen.length > before)
      connection.send(`${pieces[1]}${request('GET /behind HTTP/1.1', [mine, ...offer])}`)
      for (const body of ['/offer', '/behind']) t.equal((await connection.response()).body.toString(), body)
      t.equal(desk.seen.at(-2)?.body.toString(), 'abcdef')
      connection.close()
    }
  }
})

t.test('over TLS', async t => {
  const { key, certificate } = rsaPair(Date.UTC(2035, 0, 1))
  const server = createServer({ key, cert: certificate }, (request, response) => {
    let body = ''
    request.on('data', chunk => {
      body += chunk
    })
    request.on('end', () => response.end(`${request.method} ${request.url} ${body};`))
  })
  onWebSocketOffer(server, (_request, socket) => socket.end('HTTP/1.1 400 x\r\n\r\n'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const socket = connect({ port: (server.address() as AddressInfo).port, rejectUnauthorized: false })
  let seen = ''
  socket.on('data', chunk => {
    seen += chunk
  })
  const post = (name: string) => request(`POST /${name} HTTP/1.1`, [...(offers[0] ?? []), 'Content-Length: 3'], 'abc')
  socket.write(`${post('one')}${post('two')}${request('GET /three HTTP/1.1', [])}`)
  await until(() => seen.endsWith('GET /three ;'))
  socket.write(post('four'))
  await until(() => seen.endsWith('POST /four abc;'))
  t.same(seen.match(/(?:GET|POST) \/\w+ \w*;/g), [
    'POST /one abc;',
    'POST /two abc;',
    'GET /three ;',
    'POST /four abc;',
  ])
  socket.destroy()
})

t.test('a client that goes away while an earlier response is under way', async t => {
  let over: () => void = () => {}
  const closed = new Promise<void>(resolve => {
    over = resolve
  })
  desk.onRequest((_, response) => void response.on('close', over).write('never the end'))
  const connection = openRaw(proxy.port)
  connection.send(request('GET /long HTTP/1.1', [mine]) + request('GET /x HTTP/1.1', [mine, ...(offers[0] ?? [])]))
  await connection.until(seen => seen.includes('never'))
  connection.close()
  await closed
  t.notOk(desk.seen.some(({ url, complete }) => url === '/x' && !complete))
  desk.onRequest((request, response) => request.on('end', () => response.end('hello')))
})

t.test('a WebSocket client beside them', async t => {
  const socket = await openWebSocket(proxy.port, cookie)
  t.equal((await sendRaw(proxy.port, request('GET /x HTTP/1.1', [mine, ...(offers[0] ?? [])]))).status, 200)
  socket.raw.close()
})

t.test('the browser of a page is still a browser', async t => {
  const page = ['Sec-Fetch-Mode: navigate', 'Sec-Fetch-Dest: document', 'Sec-Fetch-Site: none']
  t.equal((await sendRaw(proxy.port, request('GET /x HTTP/1.1', [mine, ...page, ...(offers[0] ?? [])]))).status, 200)
})

t.test('curl --http2', { skip: hasCurl ? false : 'not here: a curl with HTTP/2' }, async t => {
  const url = `http://127.0.0.1:${proxy.port}/x`
  const args = ['-sS', '--http2', '-H', mine, '-o', '/dev/null', '-w', '%{http_code} %{num_connects}\n']
  const { stdout } = await run('curl', [...args, url, '-o', '/dev/null', url])
  t.equal(stdout, '200 1\n200 0\n', 'both on one connection')
  const post = await run('curl', [...args, '-d', '{"a":1}', url])
  t.match([post.stdout, desk.last().body.toString()], [/^200 /, '{"a":1}'])
})

const java = `import java.net.URI; import java.net.http.*;
public class Offer { public static void main(String[] a) throws Exception {
  HttpClient c = HttpClient.newHttpClient();
  for (String method : new String[]{"GET", "POST", "PUT"}) {
    HttpRequest.Builder b = HttpRequest.newBuilder(URI.create(a[0])).header("Cookie", a[1]);
    if (method.equals("GET")) b.GET(); else b.method(method, HttpRequest.BodyPublishers.ofString("{}"));
    System.out.println(method + " " + c.send(b.build(), HttpResponse.BodyHandlers.ofString()).statusCode());
  } } }`

t.test("Java's HTTP client", { skip: missingParts('java') }, async t => {
  const file = join(await mkdtemp(join(tmpdir(), 'offer-')), 'Offer.java')
  await writeFile(file, java)
  const { stdout } = await run(programPath('java'), [file, `http://127.0.0.1:${proxy.port}/x`, cookie])
  t.equal(stdout, 'GET 200\nPOST 200\nPUT 200\n')
})
