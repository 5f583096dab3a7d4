// The street of one generation, put together: who asks → guard → headers → Desk. Only wiring.

import type { IncomingMessage } from 'node:http'
import type { Config } from '../config/schema/index.js'
import type { Handle, Random, Sessions } from '../core/contracts.js'
import type { Log } from '../ops/log.js'
import { createCallers } from './address.js'
import type { Cookies } from './cookies.js'
import { openDesk } from './desk-connection.js'
import type { DeskLogout } from './desk-logout.js'
import { createForwarder } from './forward.js'
import { createGuard } from './guard.js'
import type { Paths } from './paths.js'
import { createRequestHeaders } from './request-headers.js'
import { createResponseHeaders } from './response-headers.js'
import { createUpgrader } from './upgrade.js'
import type { Bearer, IdentityWriter, Street } from './visit.js'

export interface StreetDeps {
  config: Pick<Config, 'publicUrl' | 'trustedProxies' | 'desk' | 'sessions'>
  paths: Paths
  cookies: Cookies
  identity: IdentityWriter
  sessions: Pick<Sessions, 'peek' | 'read' | 'touch'>
  handleOf: (cookie: string) => Handle
  bearer?: Bearer | undefined
  deskLogout?: DeskLogout | undefined
  random: Random
  log: Log
}

export function createStreet(deps: StreetDeps): Street {
  const { config, paths, cookies, identity, sessions, handleOf, random, log } = deps
  const { desk, publicUrl, trustedProxies } = config
  const host = new URL(desk.host === 'public' ? publicUrl : desk.url).host
  const requestHeaders = createRequestHeaders({ identity, cookies, publicUrl, host })
  const responseHeaders = createResponseHeaders({ cookies, publicUrl, deskOrigin: desk.url, host })
  const connection = openDesk(desk)
  const callers = createCallers({ trustedProxies, random })
  return {
    guard: createGuard({
      paths,
      publicRules: desk.public,
      idleRules: config.sessions.idleIgnore,
      cookies,
      sessions,
      handleOf,
      bearer: deps.bearer,
    }),
    caller: (request: IncomingMessage) => callers(request),
    send: createForwarder({
      desk: connection,
      requestHeaders,
      responseHeaders,
      deskLogout: deps.deskLogout,
      log,
    }),
    upgrade: createUpgrader({ desk, requestHeaders, responseHeaders, log }),
    close: () => connection.close(),
  }
}
