// Whether the running gateway can begin a login at each provider, and whether its response brings the cookie of the login.

import { isSameSite } from '../../config/rules/gateway.js'
import type { Config } from '../../config/schema/index.js'
import type { RehearsalAnswer } from '../../ops/api/rehearsal.js'
import { createPaths } from '../../web/request/paths.js'
import { readFetched } from '../commands/check-online.js'
import { type Browser, type FetchedPage, navigation } from './browser.js'
import { causeOf, type Findings } from './findings.js'

export interface ProvidersParts {
  rehearsal: RehearsalAnswer
  browser: Browser
  config: Config
}

export async function checkProviders(found: Findings, parts: ProvidersParts): Promise<void> {
  for (const provider of parts.config.providers) await checkProvider(found, parts, provider)
}

async function checkProvider(
  found: Findings,
  { browser, config, rehearsal }: ProvidersParts,
  provider: Config['providers'][number],
): Promise<void> {
  const name = `provider ${provider.id}`
  const { publicUrl } = rehearsal
  // Without the page for another host: Host is a check of its own.
  const address = `${publicUrl}${createPaths(config.prefix).login}/${provider.id}?here=1`
  const headers = { ...navigation, 'sec-fetch-site': 'none' }
  const page = await browser.ask(address, { headers, cookies: 'none' }).catch(causeOf)
  if (typeof page === 'string')
    return found.problem(name, `no response: ${page}`, "see the front's own log, and its timeouts")
  if (page.status >= 400) {
    const why = provider.type === 'saml' && provider.metadata ? await readFetched(provider) : undefined
    const seen = `no login begins: HTTP ${page.status}`
    if (why === undefined) return found.problem(name, seen, "see the gateway's log")
    const change = 'check providers[].metadata, and that the gateway reaches it: deskgate check --online'
    return found.problem(name, `metadata unreadable: ${why}`, change)
  }
  const target = loginPageIn(page)
  if (!target) return found.ok(name, 'the gateway begins its login')
  const { origin } = new URL(target)
  if (publicUrl.startsWith('http:') && !isSameSite(publicUrl, target)) {
    const seen = `${origin} is another site, and publicUrl is http: its POST does not bring the cookie of the login`
    return found.problem(name, seen, 'publicUrl: use https, or one host name for both')
  }
  found.ok(name, `the gateway sends its logins to ${origin}`)
}

/** Where a redirect leads, or a form of SAML's POST binding. */
function loginPageIn({ location, body }: FetchedPage): string | undefined {
  const target = location || /<form[^>]* action="([^"]+)"/.exec(body)?.[1]
  return target !== undefined && URL.canParse(target) ? target : undefined
}
