// How Desk's answer goes out to the client: in one piece where it came whole, piece by piece where it lasts, and never
// faster than the client reads.

import type { ServerResponse } from 'node:http'
import type { Exchange } from './exchange.js'
import { passTrailers } from './side-messages.js'
import { createSoon } from './soon.js'

export interface Passing {
  /** Names and values alternate. */
  head(exchange: Exchange, status: number, reason: string, headers: string[]): void
  /** False: no more before `proceed` is called. */
  data(exchange: Exchange, chunk: Buffer, proceed: () => void): boolean
  end(exchange: Exchange, trailers: unknown): void
}

/** Bytes of a body that leave in one string with their head. */
const small = 12 * 1024

/** `patience`: milliseconds that a client may leave an answer unread. */
export function createPassing({ patience }: { patience: number }): Passing {
  const flush = (exchange: Exchange) => {
    const { response, first, flushed, over } = exchange
    if (flushed || over) return
    exchange.flushed = true
    if (first) response.write(first)
    else response.flushHeaders()
  }
  // Head and first bytes wait a moment for the end: nearly all answers leave whole then. An event stream may stay silent
  // for long after either: they go out by themselves.
  const soon = createSoon(flush)

  return {
    head(exchange, status, reason, headers) {
      exchange.response.writeHead(status, reasonPhrase(reason), headers)
      soon(exchange)
    },
    data(exchange, chunk, proceed) {
      if (!exchange.flushed && !exchange.first) {
        exchange.first = chunk
        return true
      }
      flush(exchange)
      if (exchange.response.write(chunk)) return true
      waitForDrain(exchange.response, patience, proceed)
      return false
    },
    end({ response, first, flushed }, trailers) {
      passTrailers(response, trailers)
      if (flushed || !first) response.end()
      else if (first.length > small) response.end(first)
      // Node writes a head and a body that are both text in one go: for less than two pieces cost.
      else response.end(first.toString('latin1'), 'latin1')
      giveUpUnread(response, patience)
    },
  }
}

/** Goes on when the client has read what waits for it, or gives it up when it does not read at all. */
function waitForDrain(response: ServerResponse, patience: number, proceed: () => void): void {
  const done = () => {
    clearTimeout(timer)
    response.off('drain', done).off('close', done)
    proceed()
  }
  const timer = setTimeout(() => response.destroy(), patience)
  timer.unref()
  response.on('drain', done).on('close', done)
}

/** The last of an answer: nothing waits for its drain any more. */
function giveUpUnread(response: ServerResponse, patience: number): void {
  if (response.socket === null || response.socket.writableLength === 0) return
  const timer = setTimeout(() => response.destroy(), patience).unref()
  response.once('close', () => clearTimeout(timer))
}

const unsafe = /[^\t\x20-\x7e\x80-\xff]/

/** undici reads the phrase as UTF-8; what cannot be sent again as latin1 is replaced by the standard one. */
function reasonPhrase(reason: string): string | undefined {
  return reason === '' || unsafe.test(reason) ? undefined : reason
}
