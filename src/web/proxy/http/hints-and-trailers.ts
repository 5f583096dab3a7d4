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
 * The lines of a head, names and values by turns. Each by itself: they may lie in several buffers, of which one is shared
 * with others (Buffer.poolSize). A name is looked up by its bytes, which costs less than to decode it: Desk sends the same
 * dozen again and again.
 */
export function latin1Lines(lines: readonly Buffer[]): string[] {
  const texts: string[] = []
  for (let i = 0; i < lines.length; i += 2) texts.push(nameFrom(lines[i] as Buffer), latin1(lines[i + 1] as Buffer))
  return texts
}

/** The last name of each slot. */
const names = new Array<string>(256).fill('')
const longestName = 32

function nameFrom(line: Buffer): string {
  const { length } = line
  if (length === 0 || length > longestName) return latin1(line)
  const slot = (length * 41 + (line[0] as number) * 3 + (line[length - 1] as number) * 5) % names.length
  const known = names[slot] as string
  if (known.length === length && isSpelt(known, line)) return known
  const name = latin1(line)
  names[slot] = name
  return name
}

function isSpelt(text: string, bytes: Buffer): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[i]) return false
  return true
}
