// The pages of the demo's Desk: a queue, a ticket, a page for admins, and the identity that reached it. All text from
// a header, an assertion or a form is escaped.

import { html } from 'ghtml'
import { initialsOf } from './people.js'
import { ago, lastOf, type Message, type Ticket } from './tickets.js'
import type { NoVisitor, Visitor } from './visitor.js'

export interface View {
  visitor: Visitor
  tickets: Ticket[]
  /** Names of the agents with a page open. */
  here: string[]
  /** Milliseconds since the epoch. */
  now: number
}

function shell(title: string, body: string): string {
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · Aloha Desk</title><link rel="icon" href="/assets/logo.svg"><link rel="stylesheet" href="/assets/desk.css"></head>
<body>!${body}</body></html>`
}

/** The gateway's paths: where the log-out form posts to, and the script that warns before the session ends. */
function page(title: string, view: View, current: 'queue' | 'ticket' | 'team', main: string): string {
  const { visitor } = view
  const mark = (name: string) => (name === current ? ' aria-current="page"' : '')
  const team = isAdmin(visitor) ? html`<a href="/team"!${mark('team')}>Team</a>` : ''
  return shell(
    title,
    html`<header><div class="bar"><a class="logo" href="/"><img src="/assets/logo.svg" alt="">Aloha Desk</a>
<nav><a href="/"!${mark('queue')}>Tickets</a>!${team}</nav>
<div class="me"><div class="avatar" aria-hidden="true">${initialsOf(visitor.name)}</div><span>${visitor.name}</span></div>
<form method="post" action="/auth/logout"><button>Log out</button></form></div></header>
<div class="page"><main>!${main}</main><aside>!${identityCard(visitor)}!${isAdmin(visitor) ? teamCard(view) : ''}</aside></div>
<script src="/assets/desk.js"></script><script src="/auth/session.js" defer></script>`,
  )
}

const liveLine = '<p class="live" id="live" role="status">Live updates are starting.</p>'

export function queuePage(view: View): string {
  const rows = view.tickets.map(
    ticket => html`<li><a href="/tickets/${ticket.id}"><b>${ticket.subject}</b>
<span class="pill ${ticket.status}">${ticket.status}</span>
<small>#${ticket.id} · ${ticket.requester}</small><span class="when">${ago(lastOf(ticket).at, view.now)}</span></a></li>`,
  )
  const waiting = view.tickets.filter(ticket => ticket.status === 'new' || ticket.status === 'open').length
  return page(
    'Tickets',
    view,
    'queue',
    html`<h1>Aloha, ${firstNameOf(view.visitor.name)}</h1><p class="lead">${waiting} tickets are for you and your team.</p>
!${liveLine}<div class="card"><ul class="tickets">!${rows.join('')}</ul></div>`,
  )
}

export function ticketPage(view: View, ticket: Ticket): string {
  return page(
    `#${ticket.id}`,
    view,
    'ticket',
    html`<a class="back" href="/">‹ All tickets</a><div class="title"><h1>${ticket.subject}</h1>
<span class="pill ${ticket.status}">${ticket.status}</span></div><p class="lead">#${ticket.id} from ${ticket.requester}</p>
!${liveLine}<div class="card"><ol class="talk">!${ticket.messages.map(message => messageItem(message, view.now)).join('')}</ol>
<form class="reply" method="post" action="/tickets/${ticket.id}/replies"><label for="text">Reply as ${view.visitor.name}</label>
<textarea id="text" name="text" maxlength="2000" required></textarea><button class="main">Send reply</button></form></div>`,
  )
}

export function teamPage(view: View): string {
  const names = [...new Set([view.visitor.name, ...view.here])]
  const rows = names.map(name => html`<li><div><b>${name}</b><span class="pill open">here now</span></div></li>`)
  return page(
    'Team',
    view,
    'team',
    html`<h1>Team</h1><p class="lead">Only agents with the role admin get here.</p>
!${liveLine}<div class="card"><ul class="tickets">!${rows.join('')}</ul></div>`,
  )
}

function messageItem({ author, from, text, at }: Message, now: number): string {
  return html`<li><div class="avatar ${from}" aria-hidden="true">${initialsOf(author)}</div>
<div><b>${author}</b><small>${ago(at, now)}</small><p>${text}</p></div></li>`
}

/** Which identity reached Desk, and why it is trusted. */
function identityCard(visitor: Visitor): string {
  const { assertion, headers } = visitor
  const facts: [string, string][] = [
    ['Name', visitor.name],
    ['E-mail', visitor.email],
    ['Agent', visitor.id === '' ? 'no number' : visitor.id],
    ['Roles', visitor.roles.join(', ')],
    ['Provider', visitor.provider],
    ['Assertion', `${assertion.algorithm}, good for ${assertion.left} s`],
    ['Session', assertion.session],
  ]
  return html`<section class="card" id="identity"><div class="aside-head"><h2>Who reached Desk</h2><span class="seal">✓ verified</span></div>
<p>The gateway said so, and its signed assertion matches a key that it publishes.</p>
<dl>!${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`).join('')}</dl>
<details><summary>Headers as they arrived</summary><dl>
!${headers.map(([name, value]) => html`<dt>${name}</dt><dd>${value === '' ? '(empty)' : value}</dd>`).join('')}
<dt>x-agent-assertion</dt><dd>(a JWS, key ${assertion.keyId})</dd></dl></details></section>`
}

function teamCard({ tickets }: View): string {
  const statuses = ['new', 'open', 'waiting', 'solved'] as const
  const numbers = statuses.map(status => {
    const count = tickets.filter(ticket => ticket.status === status).length
    return html`<div><b>${count}</b><span>${status}</span></div>`
  })
  return html`<section class="card" id="admin"><div class="aside-head"><h2>For team leads</h2></div>
<div class="numbers">!${numbers.join('')}</div></section>`
}

const refusals: Record<NoVisitor | 'role' | 'origin', { title: string; text: string }> = {
  missing: {
    title: 'This request did not come through the gateway',
    text: 'It has no signed assertion, so Desk accepts no identity from it.',
  },
  invalid: {
    title: 'Somebody tried to pass as an agent',
    text: 'The assertion of this request is not signed by the gateway, not meant for Desk, or no longer good.',
  },
  mismatch: {
    title: 'The headers do not match the signature',
    text: 'The identity headers of this request differ from the signed assertion. Desk accepts neither.',
  },
  keys: {
    title: "The gateway's keys cannot be read",
    text: 'Without them nothing can be verified, so Desk lets nobody in.',
  },
  role: { title: 'This page is for team leads', text: 'It needs the role admin.' },
  origin: {
    title: 'This form came from elsewhere',
    text: 'Desk only takes replies that were written on its own pages.',
  },
}

export function refusalPage(why: keyof typeof refusals, publicUrl: string): string {
  const { title, text } = refusals[why]
  return shell(
    'Refused',
    html`<main class="alone"><div class="alarm"><small>403 · refused by Desk</small><h1>${title}</h1><p>${text}</p>
<p><a href="${publicUrl}/">Go to Desk through the gateway</a></p></div></main>`,
  )
}

export function plainPage(title: string, text: string): string {
  return shell(
    title,
    html`<main class="alone"><h1>${title}</h1><p class="lead">${text}</p><p><a href="/">All tickets</a></p></main>`,
  )
}

export function isAdmin(visitor: Visitor): boolean {
  return visitor.roles.includes('admin')
}

function firstNameOf(name: string): string {
  return name.split(' ')[0] ?? name
}
