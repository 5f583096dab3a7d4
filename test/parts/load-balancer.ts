// A plain load balancer: TLS ends here, and each request goes to the next server in turn, whatever client sent it.

import { request as ask, type IncomingMessage, type RequestListener } from 'node:http'
import { createServer } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import type { Duplex } from 'node:stream'

export interface Switch {
  port: number
  /** What was asked of each server, as METHOD PATH, in its order. */
  served: string[][]
  close(): Promise<void>
}

/** `ports`: of the servers, on this machine. Listens on `port`, which must be free. */
export async function startSwitch(
  ports: readonly number[],
  how: { port: number; tls: { cert: string; key: string } },
): Promise<Switch> {
  const served: string[][] = ports.map(() => [])
  let turn = 0
  const pass: RequestListener = (incoming, outgoing) => {
    const to = turn++ % ports.length
    served[to]?.push(`${incoming.method} ${incoming.url?.split('?', 1)[0]}`)
    const { method, url: path, rawHeaders: headers } = incoming
    const onward = ask({ host: '127.0.0.1', port: ports[to], method, path, headers, agent: false })
    onward.on('response', (answer: IncomingMessage) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
      answer.pipe(outgoing)
    })
    onward.on('error', () => outgoing.destroy())
    incoming.pipe(onward)
  }
  const server = createServer(how.tls, pass)
  server.on('upgrade', (incoming: IncomingMessage, client: Duplex, head: Buffer) => {
    const to = turn++ % ports.length
    served[to]?.push(`UPGRADE ${incoming.url?.split('?', 1)[0]}`)
    const onward = connect(ports[to] ?? 0, '127.0.0.1')
    const lines = incoming.rawHeaders.map((text, i) => (i % 2 === 0 ? `${text}: ` : `${text}\r\n`))
    onward.write(`GET ${incoming.url} HTTP/1.1\r\n${lines.join('')}\r\n`)
    onward.write(head)
    for (const [from, into] of [
      [client, onward],
      [onward, client],
    ] as const) {
      from.on('error', () => into.destroy())
      from.on('close', () => into.destroy())
      from.pipe(into)
    }
  })
  await new Promise<void>(resolve => server.listen(how.port, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    served,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
