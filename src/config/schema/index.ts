// The whole configuration as one schema, in the order of the reference. Types, config/schema.json and
// config/reference.yaml come from here; rules across keys are in ../rules.ts.

import * as z from 'zod'
import { access, agents, breakglass, tests } from './agents.js'
import { desk } from './desk.js'
import {
  drain,
  hsts,
  limits,
  listen,
  mode,
  observe,
  prefix,
  publicUrl,
  runtime,
  secrets,
  tls,
  trustedProxies,
  workers,
} from './gateway.js'
import { identity } from './identity.js'
import { login, site } from './login.js'
import { admin, audit, log, ops, tracing } from './ops.js'
import { pages } from './pages.js'
import { providers } from './providers.js'
import { sessions } from './sessions.js'
import type { ConfigReader } from './values.js'

export const configSchema = (read: ConfigReader) =>
  z.strictObject({
    publicUrl: publicUrl(),
    listen: listen(),
    tls: tls(read),
    prefix: prefix(),
    workers: workers(),
    mode: mode(),
    observe: observe(),
    trustedProxies: trustedProxies(),
    secrets: secrets(read),
    desk: desk(read),
    site: site(),
    providers: providers(read),
    login: login(),
    agents: agents(read),
    access: access(),
    tests: tests(),
    breakglass: breakglass(),
    pages: pages(read),
    hsts: hsts(),
    admin: admin(),
    sessions: sessions(read),
    identity: identity(read),
    ops: ops(read),
    log: log(),
    audit: audit(read),
    tracing: tracing(),
    limits: limits(),
    drain: drain(),
    runtime: runtime(),
  })

export type Config = z.output<ReturnType<typeof configSchema>>
