// The demo's configuration: like a small production one, but with its files and secrets in memory.

import { formatProblem, loadConfigText } from '../config/load.js'
import type { Config } from '../config/schema/index.js'
import { type ConfigReader, Unreadable } from '../config/schema/values.js'
import { createSecret } from '../core/secret.js'
import { demoIdpPaths } from './idp.js'

export interface DemoPlan {
  /** Origins, all on one host name: cookies and providers then behave as on one site. */
  publicUrl: string
  idpUrl: string
  deskUrl: string
  /** host:port. */
  listen: string
  /** The gateway's SAML SP entity ID. */
  entityId: string
  /** PEM. */
  idpCertificate: string
  jwtSecret: string
  /** The agents file. */
  agents: string
}

/** `now` in milliseconds since the epoch. Throws when the settings are invalid, which is a bug. */
export function demoSettings(plan: DemoPlan, now: number): Config {
  const reader = readerOf({ 'idp.crt': plan.idpCertificate, 'agents.yaml': plan.agents })
  // JSON is YAML.
  const loaded = loadConfigText(JSON.stringify(settingsOf(plan)), { file: 'demo', reader, now })
  if ('config' in loaded) return loaded.config
  throw new Error(loaded.problems.map(formatProblem).join('\n'))
}

function settingsOf(plan: DemoPlan): object {
  const idp = (path: string) => `${plan.idpUrl}${path}`
  return {
    publicUrl: plan.publicUrl,
    listen: plan.listen,
    site: plan.entityId,
    desk: { url: plan.deskUrl, public: ['GET /assets/*'] },
    providers: [
      {
        id: 'saml',
        type: 'saml',
        name: 'Aloha (SAML)',
        issuer: plan.idpUrl,
        loginUrl: idp(demoIdpPaths.samlLogin),
        logoutUrl: idp(demoIdpPaths.logout),
        certificates: ['idp.crt'],
        attributes: { email: 'NameID', name: 'displayName', roles: 'groups' },
      },
      {
        id: 'jwt',
        type: 'jwt',
        name: 'Aloha (JWT)',
        loginUrl: idp(demoIdpPaths.jwtLogin),
        logoutUrl: idp(demoIdpPaths.logout),
        secrets: [plan.jwtSecret],
        issuer: plan.idpUrl,
        audience: plan.publicUrl,
      },
    ],
    agents: [{ file: 'agents.yaml' }],
    ops: { listen: '127.0.0.1:0' },
    log: { level: 'warn' },
    audit: { to: '/dev/null' },
    drain: '2s',
  }
}

function readerOf(files: Record<string, string>): ConfigReader {
  return {
    env: name => {
      throw new Unreadable(`the demo reads no variable ${name}`)
    },
    file: path => {
      const text = files[path]
      if (text === undefined) throw new Unreadable(`the demo has no file ${path}`)
      return { path, text, madeUp: true }
    },
    path: path => path,
    secret: createSecret,
  }
}
