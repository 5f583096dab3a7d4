// A small collector for spans: OTLP over HTTP with JSON bodies, as an OpenTelemetry collector takes it on port 4318.

import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface ReceivedSpan {
  traceId: string
  spanId: string
  parentSpanId?: string
  name: string
  kind: number
  attributes: Record<string, unknown>
  failed: boolean
}

export interface Collector {
  url: string
  spans: ReceivedSpan[]
  /** The bodies, as they came. */
  bodies: string[]
  /** How it answers from now on: 200, another status, or never. */
  answers(how: number | 'never'): void
  close(): Promise<void>
}

interface Otlp {
  resourceSpans: { scopeSpans: { spans: OtlpSpan[] }[] }[]
}
interface OtlpSpan extends Omit<ReceivedSpan, 'attributes' | 'failed'> {
  attributes: { key: string; value: Record<string, unknown> }[]
  status: { code?: number }
}

/** `port`: where it comes back. */
export async function startCollector(port = 0): Promise<Collector> {
  const spans: ReceivedSpan[] = []
  const bodies: string[] = []
  let how: number | 'never' = 200
  const server = createServer(async (request, response) => {
    const body = await textOf(request)
    if (how === 'never') return
    if (how === 200 && request.url === '/v1/traces' && request.headers['content-type'] === 'application/json') {
      bodies.push(body)
      spans.push(...spansIn(JSON.parse(body) as Otlp))
    }
    response.writeHead(how, { 'content-type': 'application/json' }).end('{}')
  })
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    bodies,
    answers(next) {
      how = next
    },
    async close() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

function spansIn({ resourceSpans }: Otlp): ReceivedSpan[] {
  return resourceSpans.flatMap(({ scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map(({ attributes, status, ...span }) => ({
        ...span,
        attributes: Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]])),
        failed: status.code === 2,
      })),
    ),
  )
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}
