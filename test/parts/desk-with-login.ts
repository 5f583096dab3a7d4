// A Desk with a login of its own, as help desks have it: a form, a session cookie, and an address that says who is logged
// in. What it does wrong is for the test to choose.

import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Desk, startDesk } from './desk.js'

export const deskCookie = '_desk_session'
export const deskLogin = { paths: ['/login', '/login/*'], whoami: '/api/v2/me', email: '/email', cookie: deskCookie }

export interface DeskWithLogin extends Desk {
  /** A cookie of Desk as somebody's own browser would have it: logged in, and got elsewhere. */
  cookieOf(email: string): string
  /** How often whoami was asked so far. */
  asked(): number
  /** Whether Desk knows who is behind the cookie. */
  knows(cookie: string): string | undefined
  /** Answers whoami instead of Desk, from now on. */
  onWhoami(handler: (request: IncomingMessage, response: ServerResponse) => void): void
}

export interface DeskHabits {
  /** What a login does to the session of the form: a new one, as it should be, or the same with somebody in it. */
  login?: 'renews' | 'keeps'
  /** Attributes of its cookie. */
  attributes?: string
}

/** Everybody's password is "open sesame". */
export async function startDeskWithLogin(habits: DeskHabits = {}): Promise<DeskWithLogin> {
  const { login = 'renews', attributes = '; Path=/; HttpOnly' } = habits
  const desk = await startDesk()
  const people = new Map<string, string | undefined>()
  let whoami: Parameters<DeskWithLogin['onWhoami']>[0] | undefined

  const begin = (email?: string) => {
    const cookie = randomBytes(12).toString('hex')
    people.set(cookie, email)
    return cookie
  }
  const set = (response: ServerResponse, cookie: string) =>
    response.setHeader('set-cookie', `${deskCookie}=${cookie}${attributes}`)

  const form = (request: IncomingMessage, response: ServerResponse, note = '') => {
    const given = cookieIn(request)
    // It sets its cookie with every page, as frameworks with a rolling session do.
    set(response, given !== undefined && people.has(given) ? given : begin())
    page(response, note === '' ? 200 : 422, `<h1>Desk's own login</h1><p>${note}</p>${loginForm}`)
  }
  const logIn = (request: IncomingMessage, response: ServerResponse, body: string) => {
    const fields = new URLSearchParams(body)
    if (fields.get('password') !== 'open sesame') return form(request, response, 'Wrong password')
    const email = fields.get('email') ?? ''
    const given = cookieIn(request)
    const cookie = login === 'keeps' && given !== undefined && people.has(given) ? given : begin(email)
    people.set(cookie, email)
    set(response, cookie)
    response.writeHead(303, { location: '/' }).end()
  }
  const me = (request: IncomingMessage, response: ServerResponse) => {
    if (whoami) return whoami(request, response)
    const email = people.get(cookieIn(request) ?? '')
    response.writeHead(email ? 200 : 401, { 'content-type': 'application/json' })
    response.end(JSON.stringify(email ? { email } : { error: 'nobody is logged in' }))
  }

  desk.onRequest((request, response, seen) => {
    request.on('end', () => {
      const path = (request.url ?? '').split('?', 1)[0]
      if (path === deskLogin.whoami) return me(request, response)
      if (path !== '/login') return page(response, 200, welcome(seen.folded('x-agent-email'), request))
      if (request.method === 'POST') return logIn(request, response, seen.body.toString())
      form(request, response)
    })
  })
  return {
    ...desk,
    cookieOf: begin,
    knows: cookie => people.get(cookie),
    asked: () => desk.seen.filter(({ url }) => url === deskLogin.whoami).length,
    onWhoami: handler => {
      whoami = handler
    },
  }
}

const loginForm = `<form method="post" action="/login">
<label>E-mail <input name="email"></label> <label>Password <input name="password" type="password"></label>
<button>Sign in to Desk</button></form>`

function welcome(emails: string[], request: IncomingMessage): string {
  return `<h1>Desk</h1><p id="agent">${emails.join(' AND ')}</p><p id="path">${request.url}</p>
<p id="referer">${request.headers.referer ?? 'none'}</p>
<form method="post" action="/auth/logout"><button>Log out of Desk</button></form>`
}

function page(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8' })
  response.end(`<!doctype html><title>Desk</title><link rel="icon" href="data:,">${body}`)
}

/** As a lenient server reads it: the first of two. */
function cookieIn({ headers }: IncomingMessage): string | undefined {
  return new RegExp(`(?:^|;) *${deskCookie}=([^;]*)`).exec(headers.cookie ?? '')?.[1]
}
