// The demo's Desk: a small ticket page behind the gateway. It trusts an identity only when the signed assertion
// verifies, refuses everything else loudly, and serves only its public files without one.

import type { ServerResponse } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { assets } from './desk-assets.js'
import * as pages from './desk-pages.js'
import { createListener, textOf } from './listener.js'
import { createTickets, type Ticket, type Tickets } from './tickets.js'
import { createRecognise, type Visitor, type VisitorDeps } from './visitor.js'

interface DemoDeskDeps extends VisitorDeps {
  /** PEM; plain HTTP without it. */
  tls?: { cert: string; key: string } | undefined
}

/** No form-action: it would also apply to the redirect of a logout to any provider's page. */
const policy =
  "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

/** The only route that asks for no identity. */
const publicRoute = '/assets/:name'

const visitors = new WeakMap<FastifyRequest, Visitor>()

/** A Fastify app that is not listening yet. `issuer` is the gateway's publicUrl. */
export function createDemoDesk(deps: DemoDeskDeps): FastifyInstance {
  const app = createListener({ tls: deps.tls, policy, errorPage })
  const desk: Desk = { deps, tickets: createTickets(deps.clock), live: createLive() }
  app.addHook('onClose', async () => desk.live.close())
  const recognise = createRecognise(deps)
  app.addHook('onRequest', async (request, reply) => {
    if (request.routeOptions.url === publicRoute) return
    const visitor = await recognise(request.headers)
    if (typeof visitor === 'string') return refuse(reply, visitor, deps.issuer)
    visitors.set(request, visitor)
  })
  app.get(publicRoute, (request, reply) => sendAsset(request, reply))
  addPages(app, desk)
  addReplies(app, desk)
  return app
}

interface Desk {
  deps: DemoDeskDeps
  tickets: Tickets
  live: Live
}

function addPages(app: FastifyInstance, desk: Desk): void {
  const view = (request: FastifyRequest): pages.View => ({
    visitor: visitorOf(request),
    tickets: desk.tickets.list(),
    here: desk.live.here(),
    now: desk.deps.clock.now(),
  })
  app.get('/', (request, reply) => sendPage(reply, pages.queuePage(view(request))))
  app.get('/tickets', (_request, reply) => reply.redirect('/'))
  app.get('/tickets/:id', (request, reply) => {
    const ticket = ticketOf(request, desk.tickets)
    return ticket ? sendPage(reply, pages.ticketPage(view(request), ticket)) : reply.callNotFound()
  })
  app.get('/team', (request, reply) => {
    if (!pages.isAdmin(visitorOf(request))) return refuse(reply, 'role', desk.deps.issuer)
    return sendPage(reply, pages.teamPage(view(request)))
  })
  app.get('/api/me', request => visitorOf(request))
  app.get('/live', (request, reply) => {
    reply.hijack()
    desk.live.join(reply.raw, visitorOf(request).name)
  })
}

function addReplies(app: FastifyInstance, { deps, tickets, live }: Desk): void {
  app.post('/tickets/:id/replies', (request, reply) => {
    // Attack: another site's page posts a reply with the agent's session.
    const { origin } = request.headers
    if (origin !== undefined && origin !== deps.issuer) return refuse(reply, 'origin', deps.issuer)
    const ticket = ticketOf(request, tickets)
    const text = textOf(request.body, 'text', 2000)?.trim()
    if (!ticket) return reply.callNotFound()
    if (!text) return sendPage(reply.code(400), errorPage(400))
    const { name } = visitorOf(request)
    tickets.reply(ticket, name, text)
    live.tell('reply', { agent: name, ticket: ticket.id })
    return reply.redirect(`/tickets/${ticket.id}`, 303)
  })
}

function visitorOf(request: FastifyRequest): Visitor {
  const visitor = visitors.get(request)
  if (!visitor) throw new Error('a page behind the check was reached without it')
  return visitor
}

function ticketOf(request: FastifyRequest, tickets: Tickets): Ticket | undefined {
  return tickets.find(Number(textOf(request.params, 'id', 10)))
}

function sendAsset(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const name = textOf(request.params, 'name', 64) ?? ''
  const asset = Object.hasOwn(assets, name) ? assets[name] : undefined
  if (!asset) return reply.code(404).type('text/plain').send('no such file\n')
  return reply.header('cache-control', 'public, max-age=300').type(asset.type).send(asset.text)
}

function sendPage(reply: FastifyReply, page: string): FastifyReply {
  return reply.type('text/html; charset=utf-8').send(page)
}

function refuse(reply: FastifyReply, why: Parameters<typeof pages.refusalPage>[0], publicUrl: string): FastifyReply {
  return sendPage(reply.code(403), pages.refusalPage(why, publicUrl))
}

function errorPage(status: number): string {
  if (status === 404) return pages.plainPage('Nothing here', 'There is no such page or ticket.')
  return pages.plainPage('That did not work', 'Please go back and try again.')
}

interface Live {
  /** Keeps a response open and sends it all events; a closed response is removed. */
  join(response: ServerResponse, agent: string): void
  tell(event: 'reply', data: { agent: string; ticket: number }): void
  /** The names of the connected agents, each once. */
  here(): string[]
  close(): void
}

/** The most streams at once; more are turned away. */
const mostStreams = 200
/** Milliseconds between comments, which keep proxies from closing an idle stream. */
const heartbeat = 15_000

function createLive(): Live {
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
