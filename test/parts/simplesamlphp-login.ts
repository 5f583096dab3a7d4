// Logs in at SimpleSAMLphp by its own login form, as an HTTP client with a cookie jar: what its last page would post to
// the service is handed back, not sent.

import { formIn, type PageForm } from './forms.js'
import { type SimpleSamlPhp, type User, users } from './simplesamlphp.js'
import { createUserAgent, type Page, type UserAgent } from './user-agent.js'

/** A browser as far as this identity provider sees it. */
export function visitorOf(idp: SimpleSamlPhp): UserAgent {
  return createUserAgent(idp.url, { port: idp.port })
}

/** From the address that the browser was sent to, or `initiated`, to the form that goes to the service. */
export async function answerOf(idp: SimpleSamlPhp, visitor: UserAgent, user: User, from: string): Promise<PageForm> {
  let page = await follow(idp, visitor, await visitor.visit(pathOf(idp, from)))
  const login = formIn(page.body)
  // Whoever is logged in there already is not asked again.
  if ('password' in login.fields) {
    const entered = { ...login.fields, username: user, password: users[user].password }
    page = await follow(idp, visitor, await visitor.send('/module.php/core/loginuserpass.php', entered))
  }
  return formIn(page.body)
}

async function follow(idp: SimpleSamlPhp, visitor: UserAgent, page: Page): Promise<Page> {
  let last = page
  for (let hops = 0; last.status >= 300 && last.status < 400; hops++) {
    if (hops > 10) throw new Error('SimpleSAMLphp redirects in circles')
    last = await visitor.visit(pathOf(idp, last.location))
  }
  if (last.status !== 200) throw new Error(`SimpleSAMLphp answers ${last.status}: ${await idp.log()}`)
  return last
}

function pathOf(idp: SimpleSamlPhp, address: string): string {
  if (!address.startsWith(`${idp.url}/`)) throw new Error(`the way leads away from SimpleSAMLphp: ${address}`)
  return address.slice(idp.url.length)
}
