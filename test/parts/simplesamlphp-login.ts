// Walks through SimpleSAMLphp as an HTTP client with a cookie jar: logs in by its own login form, goes through its logout.
// What it would send to the service by way of the browser is handed back, not sent.

import type { Navigation } from '../../src/core/providers.js'
import { formIn, type PageForm } from './forms.js'
import { type SimpleSamlPhp, type User, users } from './simplesamlphp.js'
import { createUserAgent, type Page, type UserAgent } from './user-agent.js'

/** A browser as far as this identity provider sees it. */
export function visitorOf(idp: SimpleSamlPhp): UserAgent {
  return createUserAgent(idp.url, { port: idp.port })
}

/** From the address or the form that the browser was sent off with to the form that goes to the service. */
export async function answerOf(
  idp: SimpleSamlPhp,
  visitor: UserAgent,
  user: User,
  from: string | Navigation,
): Promise<PageForm> {
  let page = await pageAt(idp, visitor, await arrive(idp, visitor, from))
  const login = formIn(page.body)
  // Anyone who is logged in there already is not asked again.
  if (asksToLogIn(page)) {
    const entered = { ...login.fields, username: user, password: users[user].password }
    page = await pageAt(idp, visitor, await visitor.send('/module.php/core/loginuserpass.php', entered))
  }
  return formIn(page.body)
}

/** Whether anyone who comes from there is asked to log in. */
export async function isAsked(idp: SimpleSamlPhp, visitor: UserAgent, from: string | Navigation): Promise<boolean> {
  return asksToLogIn(await pageAt(idp, visitor, await arrive(idp, visitor, from)))
}

/** What the browser is sent off with in the end. */
export async function leaving(idp: SimpleSamlPhp, visitor: UserAgent, from: string | Navigation): Promise<Navigation> {
  const last = await follow(idp, visitor, await arrive(idp, visitor, from))
  if (last.status !== 200) return { redirect: last.location }
  const { action, fields } = formIn(last.body)
  return { post: action, fields }
}

/** The page at the end, which is one of SimpleSAMLphp's own. */
export async function pageFrom(idp: SimpleSamlPhp, visitor: UserAgent, from: string | Navigation): Promise<Page> {
  return pageAt(idp, visitor, await arrive(idp, visitor, from))
}

function arrive(idp: SimpleSamlPhp, visitor: UserAgent, from: string | Navigation): Promise<Page> {
  const leave = typeof from === 'string' ? { redirect: from } : from
  if ('redirect' in leave) return visitor.visit(pathOf(idp, leave.redirect))
  // Without TLS its cookies cannot be SameSite=None, and a form of another site would come without them.
  return visitor.send(pathOf(idp, leave.post), leave.fields)
}

async function pageAt(idp: SimpleSamlPhp, visitor: UserAgent, page: Page): Promise<Page> {
  const last = await follow(idp, visitor, page)
  if (last.status !== 200) throw new Error(`the way leads away from SimpleSAMLphp: ${last.location}`)
  return last
}

/** Its own redirects; its error pages, whose status is 200, are errors. */
async function follow(idp: SimpleSamlPhp, visitor: UserAgent, page: Page): Promise<Page> {
  let last = page
  for (let hops = 0; isRedirect(last) && last.location.startsWith(`${idp.url}/`); hops++) {
    if (hops > 10) throw new Error('SimpleSAMLphp redirects in circles')
    last = await visitor.visit(pathOf(idp, last.location))
  }
  const cause = /Caused by: ([^\n<]*)/.exec(last.body)?.[1]
  if (cause !== undefined) throw new Error(`SimpleSAMLphp refuses: ${cause}`)
  if (last.status !== 200 && !isRedirect(last)) {
    throw new Error(`SimpleSAMLphp answers ${last.status}: ${await idp.log()}`)
  }
  return last
}

function isRedirect({ status }: Page): boolean {
  return status >= 300 && status < 400
}

function asksToLogIn({ body }: Page): boolean {
  return 'password' in formIn(body).fields
}

function pathOf(idp: SimpleSamlPhp, address: string): string {
  if (!address.startsWith(`${idp.url}/`)) throw new Error(`the way leads away from SimpleSAMLphp: ${address}`)
  return address.slice(idp.url.length)
}
