// Interim responses and trailers of Desk. Neither may carry a field that belongs into the head.

import type { IncomingMessage, ServerResponse } from 'node:http'

/** Passes Early Hints (RFC 8297) to a client that knows interim responses; drops the others. */
export function passHints(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  received: Buffer[],
): true {
  if (status !== 103 || request.httpVersion !== '1.1') return true
  const links: string[] = []
  for (let i = 0; i < received.length; i += 2) {
    if (latin1(received[i] as Buffer).toLowerCase() === 'link') links.push(latin1(received[i + 1] as Buffer))
  }
  try {
    if (links.length > 0) response.writeEarlyHints({ link: links })
  } catch {
    // Node rejects links that it cannot parse; a hint may be left out.
  }
  return true
}

/** Fields that must not come as trailers (RFC 9110 6.5.1). */
const neverTrailer =
  /^(?:content-.*|transfer-encoding|trailer|te|host|connection|keep-alive|upgrade|set-cookie|location|cache-control|expires|vary|age|date|www-authenticate|proxy-.*)$/i

export function passTrailers(response: ServerResponse, trailers: unknown): void {
  if (!Array.isArray(trailers) || trailers.length === 0 || !response.chunkedEncoding) return
  const kept: [string, string][] = []
  for (let i = 0; i < trailers.length; i += 2) {
    const [name, value] = [String(trailers[i]), latin1(trailers[i + 1])]
    if (!neverTrailer.test(name)) kept.push([name, value])
  }
  if (kept.length > 0) response.addTrailers(kept)
}

/** Header bytes as Node writes them. */
export function latin1(bytes: Buffer): string {
  return bytes.toString('latin1')
}

/**
 * Each by itself: lines of one head may lie in several buffers, of which one is shared with others (Buffer.poolSize).
 */
export function latin1Lines(lines: readonly Buffer[]): string[] {
  const texts: string[] = []
  for (const line of lines) texts.push(line.toString('latin1'))
  return texts
}
