// The demo Desk's tickets: a few made-up ones in memory, bounded, gone with the process.

import type { Clock } from '../core/clock.js'

export type Status = 'new' | 'open' | 'waiting' | 'solved'

export interface Message {
  author: string
  from: 'customer' | 'agent'
  text: string
  /** Milliseconds since the epoch. */
  at: number
}

export interface Ticket {
  id: number
  subject: string
  requester: string
  status: Status
  messages: Message[]
}

export interface Tickets {
  /** The latest activity first. */
  list(): Ticket[]
  find(id: number): Ticket | undefined
  /** Adds an agent's reply; a new ticket becomes open, a solved one open again. */
  reply(ticket: Ticket, author: string, text: string): void
}

/** The most messages a ticket keeps; the oldest replies go first, the customer's first words stay. */
const mostMessages = 50

const minutes = 60_000

const seeds: { id: number; subject: string; requester: string; status: Status; texts: [number, string, string][] }[] = [
  {
    id: 1048,
    subject: 'Two charges for one booking',
    requester: 'Lena Fischer',
    status: 'new',
    texts: [
      [12, 'Lena Fischer', 'Hi, my card was charged twice for the snorkelling trip on Friday (AL-2291). Can you look?'],
    ],
  },
  {
    id: 1047,
    subject: 'Change of name on a voucher',
    requester: 'Pavel Novák',
    status: 'open',
    texts: [
      [95, 'Pavel Novák', 'The voucher is for my sister. How do I get her name on it?'],
      [61, 'Maya Okafor', 'Happy to help. Could you send me the number that is printed below the barcode?'],
      [48, 'Pavel Novák', 'It says V-70 114. Thank you!'],
    ],
  },
  {
    id: 1044,
    subject: 'Wheelchair access on the sunset cruise?',
    requester: 'Grace Mbeki',
    status: 'waiting',
    texts: [
      [300, 'Grace Mbeki', 'My father uses a wheelchair. Is the upper deck out of reach for him?'],
      [
        240,
        'João Silva',
        'The main deck is step-free, with the same view. I asked the crew about the lift and will write again.',
      ],
    ],
  },
  {
    id: 1039,
    subject: 'Invoice for the company outing',
    requester: 'Tom <Office> & Co',
    status: 'solved',
    texts: [
      [2900, 'Tom <Office> & Co', 'We need an invoice with our VAT number for the outing on the 3rd.'],
      [2800, 'Maya Okafor', 'It is in your inbox. Have a good week!'],
    ],
  },
]

const agents = new Set(['Maya Okafor', 'João Silva'])

export function createTickets(clock: Clock): Tickets {
  const start = clock.now()
  const tickets: Ticket[] = seeds.map(({ texts, ...ticket }) => ({
    ...ticket,
    messages: texts.map(([ago, author, text]) => ({
      author,
      from: agents.has(author) ? 'agent' : 'customer',
      text,
      at: start - ago * minutes,
    })),
  }))

  return {
    list: () => tickets.toSorted((a, b) => lastOf(b).at - lastOf(a).at),
    find: id => tickets.find(ticket => ticket.id === id),
    reply(ticket, author, text) {
      if (ticket.messages.length >= mostMessages) ticket.messages.splice(1, 1)
      ticket.messages.push({ author, from: 'agent', text, at: clock.now() })
      if (ticket.status !== 'open') ticket.status = 'open'
    },
  }
}

export function lastOf(ticket: Ticket): Message {
  const last = ticket.messages.at(-1)
  if (!last) throw new Error(`ticket ${ticket.id} is empty`)
  return last
}

/** "just now", "12 min ago", "5 h ago", "2 days ago". */
export function ago(at: number, now: number): string {
  const passed = Math.max(0, Math.floor((now - at) / minutes))
  if (passed < 1) return 'just now'
  if (passed < 60) return `${passed} min ago`
  if (passed < 48 * 60) return `${Math.floor(passed / 60)} h ago`
  return `${Math.floor(passed / 1440)} days ago`
}
