// Upgrades to anything but WebSocket are ignored (RFC 9110 7.8): Java's HTTP client and curl offer h2c with every request,
// and get their response over HTTP/1.1. Newer Node asks shouldUpgradeCallback; Node 20 has stopped reading HTTP when it
// emits `upgrade`, so the request is read again there, without the offer, from the same connection.

import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { offersWebSocket } from '../request/fetch-metadata.js'
import { afterEarlierResponses, noticeEnd, readAgain } from './read-again.js'

type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

/** For the options of the server: Node 24.9 and newer ask it, older ones do not know it. */
export const upgradeOptions = { shouldUpgradeCallback: offersWebSocket }

/** Calls `listener` for offers of WebSocket; every other request that came with an offer becomes a plain one. */
export function onWebSocketOffer(server: Server, listener: UpgradeListener): void {
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
