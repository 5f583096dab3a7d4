// Sends Desk's response to the client: in one piece when it arrives at once, else chunk by chunk, and never faster than
// the client reads.

import type { ServerResponse } from 'node:http'
import { versions } from 'node:process'
import type { UnreadLimit } from '../../connections/unread-limit.js'
import type { DeskQueue } from '../desk-queue.js'
import type { Exchange } from './exchange.js'
import { passTrailers } from './hints-and-trailers.js'

export interface ResponseSender {
  /** Names and values alternate. */
  head(exchange: Exchange, status: number, reason: string, headers: string[]): void
  /** False: stop reading until the exchange is resumed. */
  data(exchange: Exchange, chunk: Buffer): boolean
  end(exchange: Exchange, trailers: unknown): void
}

/** Node 20 and 22. */
const endsInTwo = Number.parseInt(versions.node, 10) < 24

/** The most bytes of a body that is sent in one string with its head. */
const maxInlineBody = 12 * 1024

export interface ResponseSenderDeps {
  queue: Pick<DeskQueue, 'goesOn' | 'stalled' | 'reads'>
  unread: Pick<UnreadLimit, 'grew'>
}

export function createResponseSender({ queue, unread }: ResponseSenderDeps): ResponseSender {
  const flush = (exchange: Exchange) => {
    const { response, firstChunk, flushed, finished } = exchange
    if (flushed || finished) return
    exchange.flushed = true
    if (firstChunk) response.write(firstChunk)
    // Not flushHeaders(): with it Node writes the head as UTF-8.
    else response.write('', 'latin1')
    queue.goesOn(exchange)
  }
  // Head and first chunk wait until the next immediate: nearly all responses are complete by then and go out in one
  // write. Those of an event stream must not wait any longer.
  const flushSoon = batchImmediate(flush)

  return {
    head(exchange, status, reason, headers) {
      const { response } = exchange
      response.writeHead(status, reasonPhrase(reason), headers)
      flushSoon(exchange)
    },
    data(exchange, chunk) {
      if (!exchange.flushed && !exchange.firstChunk) {
        exchange.firstChunk = chunk
        return true
      }
      flush(exchange)
      if (exchange.response.write(chunk)) return true
      unread.grew(exchange.response.writableLength)
      queue.stalled(exchange)
      waitForReader(exchange, queue)
      return false
    },
    end(exchange, trailers) {
      const { response, firstChunk, flushed } = exchange
      passTrailers(response, trailers)
      if (flushed || !firstChunk) response.end()
      else if (firstChunk.length > maxInlineBody) response.end(firstChunk)
      else sendWhole(response, firstChunk.toString('latin1'))
      // The client still has to read the rest in time.
      exchange.unread = true
      exchange.idle = 0
      const { writableLength } = response
      if (writableLength > 0) unread.grew(writableLength)
    },
  }
}

/**
 * Node sends a head and a body that are both strings in one write, which is cheaper than two. Before Node 24 end() adds an
 * empty string to them, and sends all by the slower way for several buffers: there the write comes first.
 */
function sendWhole(response: ServerResponse, body: string): void {
  const { socket } = response
  if (!endsInTwo || response.chunkedEncoding || !socket) {
    response.end(body, 'latin1')
    return
  }
  response.write(body, 'latin1')
  socket.uncork()
  response.end()
}

/** Resumes when the client has read. */
function waitForReader(exchange: Exchange, queue: Pick<DeskQueue, 'reads'>): void {
  const { response, resume } = exchange
  exchange.unread = true
  const onDrain = () => {
    // Node emits `drain` also when a response behind this one is written to (pipelining), and then only once.
    if (response.socket && response.writableLength >= response.writableHighWaterMark) {
      response.socket.once('drain', onDrain)
      return
    }
    exchange.unread = false
    exchange.idle = 0
    queue.reads(exchange)
    // That write may come from within undici's parser, which cannot be entered twice.
    process.nextTick(resume)
  }
  response.once('drain', onDrain)
}

const unsafe = /[^\t\x20-\x7e\x80-\xff]/

/** undici decodes the phrase as UTF-8; one that cannot be sent as latin1 is replaced by the standard phrase. */
function reasonPhrase(reason: string): string | undefined {
  return reason === '' || unsafe.test(reason) ? undefined : reason
}
/**
 * Collects items and gives each to `work` in one setImmediate for all, in their order: one timer for each would cost
 * more than the work. `work` must not throw.
 */
export function batchImmediate<Item>(work: (item: Item) => void): (item: Item) => void {
  let batch: Item[] = []
  const run = () => {
    const items = batch
    batch = []
    for (const item of items) work(item)
  }
  return item => {
    if (batch.push(item) === 1) setImmediate(run)
  }
}
