// The demo Desk's live line: server-sent events, so that one sees a stream pass through the gateway.

import type { ServerResponse } from 'node:http'

export interface Live {
  /** Keeps a response open and tells it what happens; it leaves by itself when it closes. */
  join(response: ServerResponse, agent: string): void
  tell(event: 'reply', data: { agent: string; ticket: number }): void
  /** The names of those who are here, each once. */
  here(): string[]
  close(): void
}

/** The most streams at once; more are turned away. */
const mostStreams = 200
/** A comment this often (ms) keeps proxies from taking the stream for dead. */
const heartbeat = 15_000

export function createLive(): Live {
  const streams = new Map<ServerResponse, string>()
  const send = (text: string) => {
    for (const response of streams.keys()) response.write(text)
  }
  const here = () => [...new Set(streams.values())].sort()
  const tellWho = () => send(`event: here\ndata: ${JSON.stringify({ agents: here() })}\n\n`)
  const timer = setInterval(() => send(': still here\n\n'), heartbeat)
  timer.unref()

  return {
    join(response, agent) {
      if (streams.size >= mostStreams) {
        response.writeHead(503).end()
        return
      }
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
      response.on('close', () => {
        streams.delete(response)
        tellWho()
      })
      streams.set(response, agent)
      tellWho()
    },
    tell: (event, data) => send(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`),
    here,
    close() {
      clearInterval(timer)
      for (const response of streams.keys()) response.end()
    },
  }
}
