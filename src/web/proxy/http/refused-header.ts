// Finds the header for which a response of Desk was refused: the parsers say that a head is invalid, not which line of it.
// Used for the log only; what is refused is theirs to decide.

import type { Socket } from 'node:net'

/** The most bytes of an earlier chunk that are kept for the case that a head comes in two. */
const keptBytes = 4096
/** The most characters of a name in the log. */
const longestName = 80

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const control = /[\u0000-\u0008\u000a-\u001f\u007f]/

/** An error of undici's that is about the response head, with the name of the header where it could be found. */
export type HeadError = Error & { header?: string }

/**
 * Adds the header's name to a parser error of this connection. undici reads with `socket.read()` and destroys the socket
 * with its error while it still parses that chunk, so that one reference is all that has to be kept.
 */
export function nameRefusedHeaders(socket: Socket): void {
  const read = socket.read.bind(socket)
  const destroy = socket.destroy.bind(socket)
  let last: Buffer | undefined
  let before: Buffer | undefined

  socket.read = (size?: number) => {
    const chunk: Buffer | null = read(size)
    if (chunk === null && last) before = last.length > keptBytes ? undefined : last
    last = chunk ?? undefined
    return chunk
  }
  socket.destroy = (error?: HeadError) => {
    if (last && error && !socket.destroyed) {
      const header = refusedHeader(Buffer.concat(before ? [before, last] : [last]).toString('latin1'))
      if (header !== undefined) error.header = header
    }
    return destroy(error)
  }
}

/**
 * The name of the first header line that no parser should accept; of two that contradict each other, both.
 * @param text bytes of a response (latin1) that end in or behind the line; what comes before the last status line is skipped
 */
export function refusedHeader(text: string): string | undefined {
  const start = text.lastIndexOf('HTTP/1.')
  const lines = text.slice(Math.max(0, start)).split('\n').slice(1)
  const framing = new Map<string, string>()
  let previous: string | undefined
  for (const line of lines) {
    if (line === '\r' || line === '') break
    // RFC 9112 5.2: a line that begins with white space continues with the one before.
    if (/^[ \t]/.test(line)) return previous === undefined ? undefined : shown(previous)
    const [name = ''] = line.replace(/\r$/, '').split(':', 1)
    const value = line.slice(name.length + 1).replace(/\r$/, '')
    if (!line.includes(':') || !token.test(name) || control.test(value)) return shown(name)
    const folded = name.toLowerCase()
    const said = framing.get(folded)
    if (folded === 'content-length' && (!/^[ \t]*\d+[ \t]*$/.test(value) || (said ?? value).trim() !== value.trim())) {
      return shown(name)
    }
    if (folded === 'content-length' || folded === 'transfer-encoding') framing.set(folded, value)
    if (framing.size === 2) return 'Content-Length and Transfer-Encoding'
    previous = name
  }
  return undefined
}

function shown(name: string): string {
  return name.slice(0, longestName).replace(/[^\x20-\x7e]/g, '?')
}
