// Upgrades to anything but WebSocket are ignored (RFC 9110 7.8): Java's HTTP client and curl offer h2c with every request,
// and get their response over HTTP/1.1. Node has stopped reading HTTP when it emits `upgrade`: the request is read again,
// without the offer, from the same connection. Not by shouldUpgradeCallback: Node loses what a client sent behind a request
// whose offer that function declines.

import type { IncomingMessage, Server } from 'node:http'
import { Server as TlsServer } from 'node:https'
import type { Duplex } from 'node:stream'
import { offersWebSocket } from '../request/fetch-metadata.js'
import { afterEarlierResponses, noticeEnd, readAgain } from './read-again.js'

type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

/** Calls `listener` for offers of WebSocket; every other request that came with an offer becomes a plain one. */
export function onWebSocketOffer(server: Server, listener: UpgradeListener): void {
  server.on(server instanceof TlsServer ? 'secureConnection' : 'connection', leaveBodiesUnread)
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (offersWebSocket(request)) return listener(request, socket, head)
    const stop = noticeEnd(socket)
    afterEarlierResponses(socket, () => {
      stop()
      if (socket.destroyed || socket.writableEnded) return
      readAgain(server, socket, Buffer.concat([headWithoutOffer(request), head]))
    })
  })
}

/** Node's parser of a connection. What `onIncoming` returns is what the parser does with the rest of the request. */
interface Parser {
  onIncoming?: (request: IncomingMessage, keepAlive: boolean) => number
}

/** The parser stops behind the head; the body is among the bytes that are read again. */
const stopBehindHead = 2

/** As Node 20 to 24 do. Newer ones read the body for the listener of `upgrade`, who could not read it again. */
function leaveBodiesUnread(socket: Duplex & { parser?: Parser | null }): void {
  const { parser } = socket
  const own = parser?.onIncoming
  if (!parser || !own) return
  parser.onIncoming = (request, keepAlive) => {
    const rest = own(request, keepAlive)
    return (request as IncomingMessage & { upgrade: unknown }).upgrade ? stopBehindHead : rest
  }
}

/** As it was received, without the offer and what belongs to it (RFC 9110 7.6.1, RFC 7540 3.2.1). */
function headWithoutOffer({ method, url, httpVersion, rawHeaders }: IncomingMessage): Buffer {
  let text = `${method} ${url} HTTP/${httpVersion}\r\n`
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const [name = '', value = ''] = rawHeaders.slice(i, i + 2)
    const folded = name.toLowerCase()
    if (folded === 'upgrade' || folded === 'http2-settings') continue
    const kept = folded === 'connection' ? withoutOffer(value) : value
    if (kept !== undefined) text += `${name}: ${kept}\r\n`
  }
  return Buffer.from(`${text}\r\n`, 'latin1')
}

function withoutOffer(connection: string): string | undefined {
  const left = connection.split(',').filter(option => !/^\s*(?:upgrade|http2-settings)\s*$/i.test(option))
  return left.length === 0 ? undefined : left.join(',')
}
