// The inner parts of libraries that the code relies on, each as it is used (docs/adr/0010-library-internals.md). A test here
// that fails after an upgrade says which place has to be read again.

import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTcpServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { type Profile, SAML, ValidateInResponseTo } from '@node-saml/node-saml'
import { getVerifiedXml, parseDomFromString } from '@node-saml/node-saml/lib/xml.js'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { buildConnector, type Dispatcher, Pool } from 'undici'
import { SignedXml } from 'xml-crypto'
import * as z from 'zod'
import { createBatches } from '../src/store/redis/client.js'
import { dropParser } from '../src/web/connections/read-again.js'
import { openRaw } from './parts/raw-http.js'
import { createSamlIdp, entityId, newSigningKey } from './parts/saml-idp.js'
import { until } from './parts/wait-until.js'

const manifest = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8'))

t.test('the libraries whose inner parts are used are pinned to their minor version', async t => {
  for (const name of ['undici', '@node-saml/node-saml', 'zod', 'xml-crypto', 'ioredis']) {
    t.match(manifest.dependencies[name], /^~/, name)
  }
})

t.test(
  'undici calls the raw handler: head as buffers, a resume function, and the waiting request within connect',
  async t => {
    const server = createServer((_, response) => response.writeHead(200, 'Fine', { 'X-Name': 'Value' }).end('body'))
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    t.teardown(() => server.close())
    const { port } = server.address() as { port: number }
    const connector = buildConnector({})
    let within = false
    const pool = new Pool(`http://127.0.0.1:${port}`, {
      pipelining: 1,
      connections: 1,
      connect(options, callback) {
        connector(options, (...result) => {
          within = true
          callback(...result)
          within = false
        })
      },
    })
    t.teardown(() => pool.close())
    const seen: { fresh: boolean[]; head: unknown[]; order: string[] } = { fresh: [], head: [], order: [] }
    const ask = () =>
      new Promise<void>((resolve, reject) => {
        const handler: Dispatcher.DispatchHandler = {
          onConnect(abort) {
            seen.fresh.push(within)
            seen.order.push(`connect ${typeof abort}`)
          },
          onResponseStarted: () => void seen.order.push('started'),
          onHeaders(status, headers, resume, reason) {
            const text = (headers as Buffer[]).map(String).join(' ').toLowerCase()
            seen.head.push([status, Buffer.isBuffer(headers[0]), text.includes('x-name value'), typeof resume, reason])
            return true
          },
          onData(chunk) {
            seen.order.push(`data ${Buffer.isBuffer(chunk)}`)
            return true
          },
          onComplete: () => resolve(),
          onError: reject,
        }
        pool.dispatch({ path: '/', method: 'GET', headers: ['X-A', '1'] }, handler)
      })
    await ask()
    await ask()
    t.strictSame(seen.fresh, [true, false], 'only the first request of a connection is written while it connects')
    t.strictSame(seen.head[0], [200, true, true, 'function', 'Fine'])
    t.strictSame(seen.order.slice(0, 3), ['connect function', 'started', 'data true'])
  },
)

t.test(
  'node-saml hands the verified bytes to one method, and verifies a single signature by its own function',
  async t => {
    const signing = newSigningKey()
    const idp = createSamlIdp({ signing, clock: { now: () => Date.now() } })
    const message = idp.message()
    class SignatureOnly extends SAML {
      signed = ''
      protected override async processValidlySignedAssertionAsync(
        xml: string,
      ): Promise<{ profile: Profile; loggedOut: boolean }> {
        this.signed = xml
        return { profile: { issuer: '', nameID: '', nameIDFormat: '' }, loggedOut: false }
      }
    }
    const saml = new SignatureOnly({
      callbackUrl: 'urn:unused',
      issuer: entityId,
      idpCert: [signing.certificate],
      validateInResponseTo: ValidateInResponseTo.never,
      audience: false,
    })
    await saml.validatePostResponseAsync({ SAMLResponse: message })
    t.match(saml.signed, /^<(\w+:)?Assertion /, 'the canonical assertion alone')
    const xml = idp.xml()
    const { documentElement } = await parseDomFromString(xml)
    t.match(getVerifiedXml(xml, documentElement, [signing.certificate]), /^<(\w+:)?Response /)
    t.equal(getVerifiedXml(xml, documentElement, [newSigningKey().certificate]), null, 'undone by another key')
  },
)

t.test('xml-crypto sets its tables in the constructor, where a setter of the prototype adds to them', async t => {
  await import('../src/providers/saml/signature/methods.js')
  const { SignatureAlgorithms, HashAlgorithms } = new SignedXml()
  const more = 'http://www.w3.org/2001/04/xmldsig-more#'
  for (const name of ['rsa-sha256', 'rsa-sha384', 'ecdsa-sha256', 'ecdsa-sha384']) {
    t.ok(Object.hasOwn(SignatureAlgorithms, `${more}${name}`), name)
  }
  t.ok(Object.hasOwn(HashAlgorithms, `${more}sha384`))
})

t.test('zod keeps the valid parts when it is run from inside, and shows its definitions', async t => {
  const schema = z.object({ good: z.string(), bad: z.number().default(1) })
  const { value, issues } = schema._zod.run({ value: { good: 'x', bad: 'y' }, issues: [] }, { async: false }) as {
    value: unknown
    issues: { path: unknown }[]
  }
  t.match(value, { good: 'x' })
  t.strictSame(
    issues.map(({ path }) => path),
    [['bad']],
  )
  t.equal(schema._zod.def.type, 'object')
  t.equal(schema.shape.bad._zod.def.type, 'default')
  t.equal(z.union([z.string(), z.number()])._zod.def.options.length, 2)
})

t.test('Node names the response that is being written on its socket, until it is over', async t => {
  let seen: ServerResponse | null | undefined
  const server = createServer((_, response) => {
    response.writeHead(200, { 'Content-Length': 10 }).write('12345')
  })
  server.on('clientError', (_, socket) => {
    seen = (socket as Socket & { _httpMessage?: ServerResponse | null })._httpMessage
    socket.destroy()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as { port: number }
  const connection = openRaw(port)
  connection.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n\0 invalid\r\n\r\n')
  await connection.ended()
  t.equal(seen?.headersSent, true)
})

/** A server whose parser is looked at as src/web/connections does. */
const connectionOf = async (t: Test, listener: (socket: Socket, port: number) => void) => {
  const server = createServer((_, response) => response.end('seen'))
  const errors: (NodeJS.ErrnoException & { bytesParsed?: number; rawPacket?: Buffer })[] = []
  server.on('clientError', (error, socket) => {
    errors.push(error)
    socket.destroy()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as { port: number }
  server.on('connection', (socket: Socket) => listener(socket, port))
  return { server, port, errors }
}

type Parser = { onIncoming: (request: IncomingMessage, keepAlive: boolean) => number } & Record<string, unknown>
const parserOf = (socket: Socket) => (socket as Socket & { parser: Parser }).parser

t.test("the connection's parser stops behind the head of an upgrade when its onIncoming returns 2", async t => {
  const { server, port } = await connectionOf(t, socket => {
    const parser = parserOf(socket)
    t.type(parser.onIncoming, 'function', 'there once the listener of Node has run')
    const own = parser.onIncoming
    parser.onIncoming = (request, keepAlive) => {
      const rest = own(request, keepAlive)
      return (request as IncomingMessage & { upgrade: unknown }).upgrade ? 2 : rest
    }
  })
  const seen: unknown[] = []
  server.on('upgrade', (_request, socket, head) => {
    seen.push(head.toString(), 'remoteAddress' in socket)
    socket.end()
  })
  const connection = openRaw(port)
  const head = 'POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 30\r\n\r\n'
  connection.send(`${head}the body`)
  await connection.ended()
  t.same(seen, ['the body', true], 'the body is among the bytes behind the head, and the connection is the socket')
})

t.test('the parser of a connection can be taken off, with all its listeners, and another put on', async t => {
  const { server, port } = await connectionOf(t, () => {})
  const connections: Socket[] = []
  server.on('connection', socket => connections.push(socket))
  const connection = openRaw(port)
  connection.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await connection.response()
  const [socket] = connections as [Socket]
  const names = () =>
    ['data', 'end', 'close', 'drain', 'error', 'timeout', 'resume', 'pause'].flatMap(event =>
      socket
        .listeners(event)
        .map(({ name }) => name)
        .filter(name => /socketOn|onSocket/.test(name)),
    )
  const expected = ['socketOnData', 'socketOnEnd', 'socketOnClose', 'socketOnDrain', 'socketOnError']
  for (const name of expected)
    t.ok(
      names().some(one => one.endsWith(name)),
      name,
    )
  const parser = parserOf(socket)
  for (const method of ['unconsume', 'remove', 'close']) t.type(parser[method], 'function', method)
  dropParser(socket)
  t.same(names(), [], 'none of the listeners is left')
  server.emit('connection', socket)
  t.not(parserOf(socket), parser)
  connection.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  t.equal((await connection.response()).body.toString(), 'seen')
  connection.close()
})

t.test('the handle of a connection stops and starts reading at once, and resume starts it too', async t => {
  const { server, port } = await connectionOf(t, () => {})
  const connected = new Promise<Socket>(resolve => server.once('connection', resolve))
  const connection = openRaw(port)
  const socket = (await connected) as Socket & {
    _handle: { reading: boolean; readStop(): void; readStart(): void }
    parser: object | null
  }
  const { _handle: handle } = socket
  const ask = async () => {
    connection.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    return (await connection.response()).body.toString()
  }
  t.equal(await ask(), 'seen')
  t.equal(handle.reading, true)
  t.ok(socket.parser)
  const before = socket.bytesRead
  handle.reading = false
  handle.readStop()
  connection.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  const other = openRaw(port)
  other.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await other.response()
  other.close()
  t.equal(socket.bytesRead, before, 'nothing more is read, while others are')
  socket.pause()
  socket.resume()
  t.equal((await connection.response()).body.toString(), 'seen')
  t.equal(handle.reading, true, 'the socket has started it')
  connection.close()
})

t.test('an error of the parser has the bytes, and where it stopped', async t => {
  const { port, errors } = await connectionOf(t, () => {})
  const bytes = Buffer.from('GET /a?\xe9 HTTP/1.1\r\nHost: a\r\n\r\n', 'latin1')
  const connection = openRaw(port)
  connection.send(bytes)
  await connection.ended()
  t.match(errors, [{ code: 'HPE_INVALID_URL', bytesParsed: 7 }])
  t.same(errors[0]?.rawPacket, bytes)
})

t.test('a response whose turn has not come is told once that its connection is gone', async t => {
  const closes: number[] = []
  const responses: ServerResponse[] = []
  const server = createServer((_, response) => {
    const index = responses.push(response) - 1
    response.on('close', () => closes.push(index))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const connection = openRaw((server.address() as { port: number }).port)
  connection.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(2))
  await until(() => responses.length === 2)
  connection.close()
  await until(() => closes.length > 0)
  const second = responses[1] as ServerResponse
  second.destroy()
  await new Promise(resolve => process.nextTick(resolve))
  if (!second.closed) second.emit('close')
  await new Promise(setImmediate)
  t.same(closes, [0, 1])
})

t.test('ioredis writes commands to its stream: what is sent in one turn of the loop arrives in one piece', async t => {
  const pieces: string[] = []
  const server = createTcpServer(socket => {
    socket.on('data', piece => {
      pieces.push(String(piece))
      socket.write('$1\r\nx\r\n'.repeat(String(piece).split('*2\r\n').length - 1))
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const client = new Redis({ port, enableReadyCheck: false, disableClientInfo: true, protocol: 2, lazyConnect: true })
  t.teardown(() => {
    client.disconnect()
    server.close()
  })
  await client.connect()
  const batch = createBatches(() => [client])
  for (let turn = 0; turn < 2; turn++) {
    pieces.length = 0
    t.same(
      await Promise.all(
        Array.from({ length: 50 }, async (_, key) => {
          batch()
          return client.get(`k${key}`)
        }),
      ),
      Array(50).fill('x'),
    )
    t.equal(pieces.length, 1)
  }
})
