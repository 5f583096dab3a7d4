// The pages of the session desk: what each reads, and which fields its address may have. What this process knows of
// providers, directory and store comes from the metrics.

import type { Clock } from '../../core/clock.js'
import { canonicalEmail } from '../../core/email.js'
import { hintOf, settingOf } from '../../core/reasons.js'
import type { Session, Sessions } from '../../core/sessions.js'
import type { Store } from '../../core/store.js'
import type { Audit } from '../../ops/audit.js'
import type { Metrics } from '../../ops/metrics.js'
import type { RefusedLoginReport, RefusedLogins } from '../../ops/refused-logins.js'
import type { Breakglass } from '../../providers/breakglass.js'
import type { RequestContext } from '../context.js'
import type { Sealer } from '../login/attempts.js'
import type { BrowserSessions } from '../login/browser-sessions.js'
import {
  type AdminFrame,
  type AdminPart,
  linksPart,
  type ProviderRow,
  refusedPart,
  reportPart,
  sessionsPart,
  statePart,
} from '../pages/admin.js'
import type { Paths } from '../request/paths.js'

export interface AdminDeps {
  paths: Paths
  store: Pick<Store, 'claim' | 'get' | 'probe'>
  sessions: Pick<Sessions, 'list' | 'endAndConfirm' | 'verify' | 'touch' | 'expiresAt'>
  browserSessions: BrowserSessions
  keyring: Sealer
  clock: Clock
  refusedLogins: RefusedLogins
  breakglass: Pick<Breakglass, 'list' | 'revoke'>
  lastLogins: LastLogins
  metrics: Metrics
  audit: Audit
}

interface Asker {
  context: RequestContext
  operator: Session
}

export interface Section {
  /** Behind the session desk's own path. */
  path: '' | '/refused' | '/state' | '/links'
  fields: readonly string[]
  render(deps: AdminDeps, frame: AdminFrame, asker: Asker): Promise<AdminPart>
}

/** Rows of a page. */
const perPage = 50
/** Milliseconds after which a search shows what it has, and how much of the store it may read. */
const searchTime = 150
const searchedPages = 50

export const sections = {
  sessions: { path: '', fields: ['q', 'cursor', 'done', 'count'], render: sessions },
  refused: { path: '/refused', fields: ['q', 'ref', 'page'], render: refused },
  state: { path: '/state', fields: [], render: state },
  links: { path: '/links', fields: ['done', 'count'], render: links },
} as const satisfies Record<string, Section>

async function sessions(deps: AdminDeps, frame: AdminFrame, { operator }: Asker): Promise<AdminPart> {
  const q = frame
    .field('q')
    ?.trim()
    .replace(/[A-Z]+/g, letters => letters.toLowerCase())
  const agent = canonicalEmail(q ?? '')
  const cursor = cursorOf(frame.field('cursor'))
  const exact = agent === undefined ? undefined : await deps.sessions.list({ email: agent }, cursor)
  const { items, cursor: next } =
    exact && (exact.items.length > 0 || cursor !== undefined) ? exact : await search(deps, q, cursor)
  const rows = items.map(session => ({
    ...session,
    expiresAt: deps.sessions.expiresAt(session),
    here: session.handle === operator.handle,
  }))
  return sessionsPart(frame, { rows, next, agent: exact && exact.items.length > 0 ? agent : undefined })
}

/** The store is read until there is a page full, for a limited time: the next page goes on from there. */
async function search({ sessions, clock }: AdminDeps, prefix: string | undefined, from: string | undefined) {
  const began = clock.now()
  const items: Session[] = []
  let cursor = from
  for (let pages = 0; pages < searchedPages; pages++) {
    const page = await sessions.list('all', cursor)
    items.push(...page.items.filter(({ agent }) => prefix === undefined || agent.email.startsWith(prefix)))
    cursor = page.cursor
    if (cursor === undefined || items.length >= perPage || clock.now() - began > searchTime) break
  }
  return { items, cursor }
}

/** As both stores write them. */
function cursorOf(text: string | undefined): string | undefined {
  return text !== undefined && /^\d{1,16}(?:\.[!-~]{1,270})?$/.test(text) ? text : undefined
}

async function refused({ refusedLogins }: AdminDeps, frame: AdminFrame): Promise<AdminPart> {
  const q = frame.field('q')?.trim()
  const agent = canonicalEmail(q ?? '')
  // What is no address is a reference, as agents read it out.
  const reference = frame.field('ref') ?? (agent === undefined ? q : undefined)
  if (reference !== undefined) {
    const report = await refusedLogins.find(reference)
    const advice = report && { hint: adviceOf(report), setting: settingOf(report.reason) }
    return reportPart(frame, { reference, ...(report && advice ? { report, ...advice } : {}) })
  }
  const page = Math.max(0, Math.floor(Number(frame.field('page') ?? 0)) || 0)
  const all = await refusedLogins.recent(agent)
  const shown = all.slice(page * perPage, (page + 1) * perPage)
  const reports = await Promise.all(shown.map(entry => refusedLogins.find(entry.reference)))
  const rows = reports.filter(report => report !== undefined)
  return refusedPart(frame, { rows, total: all.length, page, more: all.length > (page + 1) * perPage })
}

function adviceOf({ hint, checks, reason }: RefusedLoginReport): string | undefined {
  return hint ?? checks.at(-1)?.hint ?? hintOf(reason)
}

async function state(deps: AdminDeps, frame: AdminFrame, { context }: Asker): Promise<AdminPart> {
  const { snapshot } = context
  const [gauge, recent, failure] = await Promise.all([
    readGauges(deps.metrics),
    deps.refusedLogins.recent().catch(() => []),
    deps.store.probe().then(
      () => undefined,
      (error: Error) => error.message,
    ),
  ])
  const providers = snapshot.providers.map(({ id, name, type }): ProviderRow => {
    const { accepted, refused: refusedAt } = deps.lastLogins.of(id)
    return {
      ...{ id, name, type, accepted, refusedAt },
      expiry: gauge('deskgate_idp_certificate_expiry_seconds', id),
      skew: gauge('deskgate_idp_clock_skew_seconds', id),
      lastReport: recent.find(({ provider }) => provider === id),
    }
  })
  const sources = (snapshot.directory.sources?.() ?? []).map(name => ({
    name,
    agents: gauge('deskgate_directory_agents', name),
    readAt: gauge('deskgate_directory_read_timestamp_seconds', name),
  }))
  return statePart(frame, { providers, sources, failure })
}

async function links({ breakglass }: AdminDeps, frame: AdminFrame): Promise<AdminPart> {
  return linksPart(frame, await breakglass.list())
}

/** When each provider has let somebody in and refused somebody, in this process. Milliseconds since the epoch. */
export interface LastLogins {
  note(provider: string, outcome: 'accepted' | 'refused'): void
  of(provider: string): { accepted?: number; refused?: number }
}

export function createLastLogins(clock: Clock): LastLogins {
  // Bounded: only providers that were configured come here.
  const known = new Map<string, { accepted?: number; refused?: number }>()
  return {
    note: (provider, outcome) => void known.set(provider, { ...known.get(provider), [outcome]: clock.now() }),
    of: provider => known.get(provider) ?? {},
  }
}

/** The same metrics, which note each login. */
export function countingLogins(metrics: Metrics, last: LastLogins): Metrics {
  return {
    ...metrics,
    login(provider, outcome, reason) {
      last.note(provider, outcome)
      metrics.login(provider, outcome, reason)
    },
  }
}

/** The gauges of one process, by the value of their label. */
async function readGauges(metrics: Metrics): Promise<(name: string, label: string) => number | undefined> {
  const values = new Map<string, number>()
  for (const part of await metrics.parts()) {
    for (const { labels, value } of part.values) values.set(`${part.name} ${Object.values(labels)[0] ?? ''}`, value)
  }
  return (name, label) => values.get(`${name} ${label}`)
}
