// What stands before a gateway, with one fault at a time: TLS ends here, and the gateway sees it as 127.0.0.2.

import { request as ask, createServer as createPlain, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'

export interface Fault {
  /** Cookie does not get through. */
  dropCookies?: true
  /** Of Set-Cookie, what matches goes. */
  strip?: RegExp
  /** The most bytes of a head. */
  largest?: number
  /** Answers come when they are whole. */
  buffers?: true
  /** Upgrade and Connection stay here, as in a proxy that nobody has told of WebSockets. */
  noUpgrade?: true
  /** Everything outside /auth goes here. */
  past?: number
  /** In the place of Host. */
  host?: string
  /** Adds no X-Forwarded-For, and passes none on or what came; or names itself, like a client on its own host. */
  forwarded?: 'none' | 'as it came' | 'itself'
  /** In the place of the gateway. */
  answers?: (request: IncomingMessage, response: ServerResponse) => void
}

export interface FaultyFront {
  fault: Fault
  present(tls: { cert: string; key: string }): void
  /** Speaks http on its port from now on, or https again. */
  speak(scheme: 'http' | 'https'): Promise<void>
  close(): Promise<void>
}

export async function startFaultyFront(
  port: number,
  { gateway, tls }: { gateway(): number; tls: { cert: string; key: string } },
): Promise<FaultyFront> {
  const front: FaultyFront = {
    fault: {},
    present: pair => secure.setSecureContext(pair),
    async speak(scheme) {
      await stop()
      server = scheme === 'http' ? plain : secure
      await start()
    },
    close: () => stop(),
  }
  const onRequest = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const { fault } = front
    if (fault.answers) return fault.answers(incoming, outgoing)
    const size = incoming.rawHeaders.reduce((sum, text) => sum + text.length, 0)
    if (size > (fault.largest ?? Number.POSITIVE_INFINITY)) {
      outgoing.writeHead(400).end('Request Header Or Cookie Too Large')
      return
    }
    const { method, url = '/' } = incoming
    const to = fault.past !== undefined && !url.startsWith('/auth') ? fault.past : gateway()
    const local = { localAddress: '127.0.0.2', agent: false }
    const onward = ask({
      host: '127.0.0.1',
      port: to,
      method,
      path: url,
      headers: headersOf(incoming, fault),
      ...local,
    })
    onward.on('response', answer => {
      const headers = answer.rawHeaders.map((text, i) => {
        const isCookie = i % 2 === 1 && answer.rawHeaders[i - 1]?.toLowerCase() === 'set-cookie'
        return isCookie && fault.strip ? text.replace(fault.strip, '') : text
      })
      const whole: Buffer[] = []
      if (!fault.buffers) outgoing.writeHead(answer.statusCode ?? 502, headers)
      if (!fault.buffers) return answer.pipe(outgoing)
      answer.on('data', chunk => whole.push(chunk))
      answer.on('end', () => outgoing.writeHead(answer.statusCode ?? 502, headers).end(Buffer.concat(whole)))
      return undefined
    })
    onward.on('error', () => outgoing.destroy())
    incoming.pipe(onward)
  }
  const onUpgrade = (incoming: IncomingMessage, client: Duplex) => {
    const onward = connect({ port: gateway(), host: '127.0.0.1', localAddress: '127.0.0.2' })
    const flat = headersOf(incoming, front.fault)
    const lines = flat.map((text, i) => (i % 2 === 0 ? `${text}: ` : `${text}\r\n`))
    onward.write(`GET ${incoming.url} HTTP/1.1\r\n${lines.join('')}\r\n`)
    for (const [from, into] of [
      [client, onward],
      [onward, client],
    ] as const) {
      from.on('error', () => into.destroy())
      from.pipe(into)
    }
  }
  const roomy = { maxHeaderSize: 64 * 1024 }
  const secure: Server = createServer({ ...tls, ...roomy }, onRequest)
  const plain = createPlain(roomy, onRequest)
  for (const one of [secure, plain])
    one.on('upgrade', (incoming, client) => {
      client.on('error', () => {})
      if (!front.fault.noUpgrade) return onUpgrade(incoming, client)
      client.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
    })
  let server: Server | typeof plain = secure
  const start = () => new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
  const stop = () =>
    new Promise<void>(resolve => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  await start()
  return front
}

function headersOf({ rawHeaders, socket }: IncomingMessage, fault: Fault): string[] {
  const flat: string[] = []
  let claimed = ''
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const [name = '', value = ''] = rawHeaders.slice(i, i + 2)
    const lower = name.toLowerCase()
    if (lower === 'x-forwarded-for') claimed = value
    else if (lower === 'cookie' && fault.dropCookies) continue
    else flat.push(name, lower === 'host' ? (fault.host ?? value) : value)
  }
  const added = `${claimed === '' ? '' : `${claimed}, `}${socket.remoteAddress}`
  if (fault.forwarded === undefined) flat.push('X-Forwarded-For', added)
  if (fault.forwarded === 'itself') flat.push('X-Forwarded-For', '127.0.0.2')
  if (fault.forwarded === 'as it came' && claimed !== '') flat.push('X-Forwarded-For', claimed)
  return flat
}
