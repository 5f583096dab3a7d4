// Outgoing calls against real servers: limits, redirects, TLS and proxies.

import { execFile } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { selfSignedCertificate } from '../../src/demo/certificate.js'
import { createHttpClient } from '../../src/runtime/http-client.js'
import { startHttpServer } from '../parts/http-server.js'

const run = promisify(execFile)
const root = join(import.meta.dirname, '..', '..')

function open(test: Test) {
  const fetchText = createHttpClient()
  test.teardown(fetchText.close)
  return fetchText
}

t.test('brings the text, its ETag and its type', async t => {
  const server = await startHttpServer((_, response) => {
    response.writeHead(200, { etag: '"7"', 'content-type': 'application/json' }).end('{"keys":"ä"}')
  })
  t.teardown(server.close)
  const answer = await open(t)(`${server.url}/jwks?tenant=1`)
  t.strictSame(answer, { text: '{"keys":"ä"}', etag: '"7"', type: 'application/json' })
  t.strictSame(server.seen, ['/jwks?tenant=1'])
})

t.test('with the ETag of the copy at hand the answer may be that it is unchanged', async t => {
  const server = await startHttpServer((request, response) => {
    const known = request.headers['if-none-match'] === '"7"'
    response.writeHead(known ? 304 : 200, { etag: '"7"' }).end(known ? undefined : 'text')
  })
  t.teardown(server.close)
  const fetchText = open(t)
  t.strictSame(await fetchText(server.url, { etag: '"7"' }), { text: '', unchanged: true, etag: '"7"' })
  t.strictSame(await fetchText(server.url, { etag: '"6"' }), { text: 'text', etag: '"7"' })
})

t.test('a redirect is refused and not followed', async t => {
  const target = await startHttpServer((_, response) => response.end('evil'))
  t.teardown(target.close)
  for (const status of [301, 302, 303, 307, 308]) {
    const server = await startHttpServer((_, response) => response.writeHead(status, { location: target.url }).end())
    t.teardown(server.close)
    await t.rejects(open(t)(server.url), { name: 'FetchFailed', message: /redirects are not followed/ })
  }
  t.strictSame(target.seen, [])
})

t.test('redirects within the origin are followed where some are allowed, and no others', async t => {
  const other = await startHttpServer((_, response) => response.end('evil'))
  const server = await startHttpServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://x')
    const to = searchParams.get('to')
    if (to !== null) return response.writeHead(Number(searchParams.get('status') ?? 302), { location: to }).end()
    return response.end(pathname)
  })
  t.teardown(server.close)
  t.teardown(other.close)
  const fetchText = open(t)
  const ask = (to: string, redirects = 2, status = 302) =>
    fetchText(`${server.url}/?status=${status}&to=${encodeURIComponent(to)}`, { redirects })
  for (const status of [301, 302, 303, 307, 308]) t.equal((await ask('/final', 2, status)).text, '/final')
  t.equal((await ask(`${server.url}/whole`)).text, '/whole')
  t.equal((await ask('/?to=/twice')).text, '/twice')
  await t.rejects(ask('/?to=/twice', 1), { message: /redirects are not followed/ })
  await t.rejects(ask('/final', 0), { message: /redirects are not followed/ })
  for (const to of [
    other.url,
    `${other.url}/x`,
    'https://example.com/secret?key=7',
    '//example.com/',
    'file:///etc/passwd',
  ]) {
    await t.rejects(ask(to), { name: 'FetchFailed', message: /redirects to another origin are not followed/ }, to)
  }
  await t.rejects(ask('https://example.com/m?key=7'), { message: /answered 302 to https:\/\/example\.com\/m:/ })
  await t.rejects(ask('http://user:pass@127.0.0.1/'), { message: /another origin/ })
  t.strictSame(other.seen, [])
})

t.test('gzip is unpacked where it is asked for, and counted unpacked', async t => {
  const bodies: Record<string, Buffer> = {
    '/good': gzipSync('text with \u00e4'),
    '/bomb': gzipSync(Buffer.alloc(10_000_000)),
    '/cut': gzipSync('a'.repeat(5000)).subarray(0, 20),
    '/none': Buffer.from('plain'),
    '/latin': gzipSync(Buffer.from([0xe4])),
  }
  const server = await startHttpServer((request, response) => {
    const coding = request.url === '/identity' ? 'identity' : request.url === '/br' ? 'br' : 'gzip'
    response.writeHead(200, { 'content-encoding': coding }).end(bodies[request.url ?? ''] ?? 'plain')
  })
  t.teardown(server.close)
  const ask = (path: string) => open(t)(server.url + path, { gzip: true, bytes: 100_000 })
  t.equal((await ask('/good')).text, 'text with \u00e4')
  t.equal((await ask('/identity')).text, 'plain')
  await t.rejects(ask('/bomb'), { message: /larger than 100000 bytes/ })
  await t.rejects(ask('/cut'), { message: /damaged/ })
  await t.rejects(ask('/none'), { message: /damaged/ })
  await t.rejects(ask('/latin'), { message: /not UTF-8/ })
  await t.rejects(ask('/br'), { message: /compressed/ })
})

t.test('anything but 200 is a failure', async t => {
  for (const status of [204, 206, 304, 401, 404, 500, 503]) {
    const server = await startHttpServer((_, response) => response.writeHead(status).end())
    t.teardown(server.close)
    await t.rejects(open(t)(server.url), { name: 'FetchFailed', message: new RegExp(`answered ${status}`) })
  }
})

t.test('a server that never answers is given up on', async t => {
  const server = await startHttpServer(() => {})
  t.teardown(server.close)
  await t.rejects(open(t)(server.url, { ms: 100 }), { message: /no complete response within 100 ms/ })
})

t.test('a body that drips is given up on', async t => {
  const server = await startHttpServer((_, response) => {
    const drip = setInterval(() => response.write('x'), 10)
    response.on('close', () => clearInterval(drip))
  })
  t.teardown(server.close)
  await t.rejects(open(t)(server.url, { ms: 150 }), { message: /no complete response within 150 ms/ })
})

t.test('an endless body is cut off at the limit, also without Content-Length', async t => {
  let sent = 0
  const server = await startHttpServer((_, response) => {
    const chunk = Buffer.alloc(64 * 1024, 'a')
    const more = () => {
      while (!response.destroyed && response.write(chunk)) sent += chunk.length
    }
    response.on('drain', more)
    more()
  })
  t.teardown(server.close)
  await t.rejects(open(t)(server.url), { message: /larger than 1048576 bytes/ })
  t.ok(sent < 16 * 1024 * 1024, 'the connection was closed')
})

t.test('a limit of its own, to the byte', async t => {
  const server = await startHttpServer((_, response) => response.end('12345'))
  t.teardown(server.close)
  t.equal((await open(t)(server.url, { bytes: 5 })).text, '12345')
  await t.rejects(open(t)(server.url, { bytes: 4 }), { message: /larger than 4 bytes/ })
})

t.test('Attack: a compressed body is not unpacked', async t => {
  const server = await startHttpServer((_, response) => {
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(10_000_000)))
  })
  t.teardown(server.close)
  await t.rejects(open(t)(server.url), { message: /compressed/ })
})

t.test('bytes that are not UTF-8 are refused', async t => {
  const server = await startHttpServer((_, response) => response.end(Buffer.from([0x7b, 0xff, 0x7d])))
  t.teardown(server.close)
  await t.rejects(open(t)(server.url), { message: /not UTF-8/ })
})

t.test('only http and https, without a user', async t => {
  const fetchText = open(t)
  for (const url of ['file:///etc/passwd', 'ftp://a/b', 'data:,x', 'jwks.json', '', 'http://']) {
    await t.rejects(fetchText(url), { name: 'FetchFailed', message: /only http/ })
  }
  await t.rejects(fetchText('http://me:hunter2@127.0.0.1:1/x'), { message: /not supported/ })
})

t.test('messages hold no user, password or query, and say what failed', async t => {
  const fetchText = open(t)
  const messages = await Promise.all(
    ['http://127.0.0.1:1/a?key=hunter2', 'http://me:hunter2@127.0.0.1:1/a', 'http://x.invalid/?t=hunter2'].map(url =>
      fetchText(url).catch((error: Error) => error.message),
    ),
  )
  t.notMatch(messages.join(), /hunter2/)
  t.match(messages[0], 'http://127.0.0.1:1/a: no connection (ECONNREFUSED)')
  t.match(messages[2], /x\.invalid\/: no connection \((ENOTFOUND|EAI_AGAIN)\)/)
})

t.test('a server that hangs up is a failure', async t => {
  const server = await startHttpServer((_, response) => {
    response.writeHead(200, { 'content-length': '100' }).write('part')
    setImmediate(() => response.destroy())
  })
  t.teardown(server.close)
  await t.rejects(open(t)(server.url), { name: 'FetchFailed', message: /no connection/ })
})

t.test('closing aborts calls in flight and refuses later ones', async t => {
  let arrive = () => {}
  const arrived = new Promise<void>(resolve => {
    arrive = resolve
  })
  const server = await startHttpServer(() => arrive())
  t.teardown(server.close)
  const fetchText = createHttpClient()
  const pending = t.rejects(fetchText(server.url), { name: 'FetchFailed' })
  await arrived
  await fetchText.close()
  await pending
  await t.rejects(fetchText(server.url), { name: 'FetchFailed' })
})

/** Fetches in a process of its own, whose environment is the test's. */
async function fetchElsewhere(url: string, env: Record<string, string>): Promise<string> {
  const script = `
    import { createHttpClient } from './src/runtime/http-client.ts'
    const print = text => process.stdout.write(text)
    try { print((await createHttpClient()(process.argv[1])).text) } catch (error) { print(error.message) }`
  const args = ['--no-warnings', '--import=tsx', '--input-type=module', '--eval', script, url]
  const clean = { PATH: process.env.PATH ?? '', ...env }
  return (await run(process.execPath, args, { cwd: root, env: clean })).stdout
}

function certify(): { key: string; cert: string } {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const [notBefore, notAfter] = [Date.now() - 86_400_000, Date.now() + 86_400_000]
  const cert = selfSignedCertificate({
    commonName: 'localhost',
    serial: 1,
    notBefore,
    notAfter,
    privateKey,
    publicKey,
  })
  return { key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), cert }
}

t.test('TLS is verified, whatever the environment says, and NODE_EXTRA_CA_CERTS is honoured', async t => {
  const tls = certify()
  const server = await startHttpServer((_, response) => response.end('over tls'), tls)
  t.teardown(server.close)
  const ca = join(t.testdir({ 'ca.pem': tls.cert }), 'ca.pem')
  const proxy = await startProxy(t)
  const [plain, lax, trusted, wrongName, proxied, proxiedLax] = await Promise.all([
    fetchElsewhere(server.url, {}),
    fetchElsewhere(server.url, { NODE_TLS_REJECT_UNAUTHORIZED: '0' }),
    fetchElsewhere(server.url, { NODE_EXTRA_CA_CERTS: ca }),
    fetchElsewhere(server.url.replace('localhost', '127.0.0.1'), { NODE_EXTRA_CA_CERTS: ca }),
    fetchElsewhere(server.url, { NODE_EXTRA_CA_CERTS: ca, HTTPS_PROXY: proxy.url }),
    fetchElsewhere(server.url, { NODE_TLS_REJECT_UNAUTHORIZED: '0', HTTPS_PROXY: proxy.url }),
  ])
  t.match(plain, /no connection \(DEPTH_ZERO_SELF_SIGNED_CERT\)/)
  t.match(lax, /no connection \(DEPTH_ZERO_SELF_SIGNED_CERT\)/)
  t.equal(trusted, 'over tls')
  t.match(wrongName, /no connection \(ERR_TLS_CERT_ALTNAME_INVALID\)/)
  t.equal(proxied, 'over tls')
  t.match(proxiedLax, /no connection \(DEPTH_ZERO_SELF_SIGNED_CERT\)/)
  t.strictSame(proxy.tunnels, [`localhost:${server.port}`, `localhost:${server.port}`])
})

t.test('NO_PROXY is honoured, and a proxy that is none shows no password', async t => {
  const server = await startHttpServer((_, response) => response.end('direct'))
  t.teardown(server.close)
  const proxy = await startProxy(t)
  const [direct, through, broken, refused] = await Promise.all([
    fetchElsewhere(server.url, { HTTP_PROXY: proxy.url, NO_PROXY: '127.0.0.1' }),
    fetchElsewhere(server.url, { HTTP_PROXY: proxy.url }),
    fetchElsewhere(server.url, { HTTPS_PROXY: 'me:hunter2@:::' }),
    fetchElsewhere(server.url, { HTTP_PROXY: 'http://me:hunter2@127.0.0.1:1' }),
  ])
  t.equal(direct, 'direct')
  t.equal(through, 'direct')
  t.strictSame(proxy.tunnels, [`127.0.0.1:${server.port}`])
  t.equal(broken, 'HTTPS_PROXY or HTTP_PROXY holds no proxy URL')
  t.match(refused, /no connection \(ECONNREFUSED\)/)
  t.notMatch(refused, /hunter2/)
})

/** A proxy that only knows CONNECT. */
async function startProxy(t: Test): Promise<{ url: string; tunnels: string[] }> {
  const tunnels: string[] = []
  const server = createServer()
  server.on('connect', (request: IncomingMessage, client: Socket) => {
    tunnels.push(request.url ?? '')
    const [host = '', port] = (request.url ?? '').split(':')
    const upstream = connect(Number(port), host, () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n')
      upstream.pipe(client).pipe(upstream)
    })
    for (const end of [upstream, client]) end.on('error', () => {})
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, tunnels }
}
