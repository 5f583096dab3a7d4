// How Desk's answer goes out to the client: in one piece where it came whole, piece by piece where it lasts, and never
// faster than the client reads.

import type { Exchange } from './exchange.js'
import { passTrailers } from './hints-and-trailers.js'
import { createSoon } from './soon.js'

export interface Passing {
  /** Names and values alternate. */
  head(exchange: Exchange, status: number, reason: string, headers: string[]): void
  /** False: no more before the exchange is resumed. */
  data(exchange: Exchange, chunk: Buffer): boolean
  end(exchange: Exchange, trailers: unknown): void
}

/** Bytes of a body that leave in one string with their head. */
const small = 12 * 1024

export function createPassing(): Passing {
  const flush = (exchange: Exchange) => {
    const { response, first, flushed, over } = exchange
    if (flushed || over) return
    exchange.flushed = true
    if (first) response.write(first)
    // Not flushHeaders(): with it Node writes the head as UTF-8.
    else response.write('', 'latin1')
  }
  // Head and first bytes wait a moment for the end: nearly all answers leave whole then. An event stream may stay silent
  // for long after either: they go out by themselves.
  const soon = createSoon(flush)

  return {
    head(exchange, status, reason, headers) {
      const { response } = exchange
      response.writeHead(status, reasonPhrase(reason), headers)
      soon(exchange)
    },
    data(exchange, chunk) {
      if (!exchange.flushed && !exchange.first) {
        exchange.first = chunk
        return true
      }
      flush(exchange)
      if (exchange.response.write(chunk)) return true
      waitForReader(exchange)
      return false
    },
    end(exchange, trailers) {
      const { response, first, flushed } = exchange
      passTrailers(response, trailers)
      if (flushed || !first) response.end()
      else if (first.length > small) response.end(first)
      // Node writes a head and a body that are both text in one go: for less than two pieces cost.
      else response.end(first.toString('latin1'), 'latin1')
      // Nothing more comes, and still the client has to read the last of it in time.
      exchange.unread = true
      exchange.still = 0
    },
  }
}

/** Goes on when the client has read what lies before it. */
function waitForReader(exchange: Exchange): void {
  exchange.unread = true
  exchange.response.once('drain', () => {
    exchange.unread = false
    exchange.still = 0
    exchange.resume()
  })
}

const unsafe = /[^\t\x20-\x7e\x80-\xff]/

/** undici reads the phrase as UTF-8; what cannot be sent again as latin1 is replaced by the standard one. */
function reasonPhrase(reason: string): string | undefined {
  return reason === '' || unsafe.test(reason) ? undefined : reason
}
