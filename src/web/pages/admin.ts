// The pages of the session desk as templates. Every value is escaped; forms carry what the guard gives them.

import { html } from 'ghtml'
import type { Session } from '../../core/sessions.js'
import type { RefusedLoginEntry, RefusedLoginReport } from '../../ops/refused-logins.js'
import type { BreakglassLink } from '../../providers/breakglass.js'
import { refusalOf, type Texts } from './i18n/texts.js'
import { layout, type PageContext, type RenderedPage } from './layout.js'
import { actions, browserWords, button, endOf } from './pages.js'
import { fill, markup, valueMarkup, type Words } from './sentence.js'

/** What every page of the session desk needs. */
export interface AdminFrame {
  page: PageContext
  /** The path of the session desk. */
  admin: string
  /** The operator's address. */
  operator: string
  /** The name of a provider, or its ID where it is no longer configured. */
  providerName(id: string): string
  /** The fields of a form for one change. */
  action(kind: 'session' | 'agent' | 'link', of: string): Record<string, string>
  /** A field of the page's address. */
  field(name: string): string | undefined
  /** Milliseconds since the epoch. */
  now: number
}

type SectionName = 'sessions' | 'refused' | 'state' | 'links'

export interface AdminPart {
  section: SectionName
  main: string
  /** Default 200. */
  status?: 404
}

const places: Record<SectionName, string> = { sessions: '', refused: '/refused', state: '/state', links: '/links' }

export function adminPage(frame: AdminFrame, { section, main }: AdminPart): RenderedPage {
  const { admin, buttons } = frame.page.texts
  const say = sayIn(frame)
  const links = Object.entries(places).map(([name, path]) => {
    const current = name === section ? ' aria-current="page"' : ''
    return html`<a href="${frame.admin}${path}"!${current}>${admin[name as SectionName].title}</a>`
  })
  const whole = html`<nav class="tabs" aria-label="${admin.title}">!${links}<a href="/">${buttons.home}</a></nav>
<h1>${admin[section].title}</h1>!${doneNote(frame, admin)}!${main}
<p class="reference">!${say(fill(admin.operator, { email: frame.operator }))}</p>`
  return layout(frame.page, { title: `${admin[section].title} · ${admin.title}`, main: whole, width: 'full' })
}

/** A text of the operator's language as markup. */
const sayIn =
  ({ page }: Pick<AdminFrame, 'page'>) =>
  (words: Words) =>
    markup(words, page.texts)

/** Lines of a row: those that there is something to say in. */
const lines = (frame: AdminFrame, words: (Words | undefined)[]) =>
  words.map(line => (line === undefined ? '' : html`<span>!${sayIn(frame)(line)}</span>`)).join('')

function doneNote(frame: AdminFrame, { done }: Texts['admin']): string {
  const [count = '0'] = /^\d{1,6}$/.exec(frame.field('count') ?? '') ?? []
  const name = frame.field('done')
  if (name === undefined || !Object.hasOwn(done, name)) return ''
  const { text, values } = fill(done.ended, { count })
  const words = name === 'ended' ? { text, values } : done[name as keyof typeof done]
  return html`<p class="note" role="status">!${sayIn(frame)(words)}</p>`
}

function searchForm({ admin, field, page }: AdminFrame, path: string, label: string): string {
  const { search } = page.texts.admin
  return html`<form class="search" action="${admin}${path}" role="search"><label>${label}<input name="q" type="search" autocomplete="off" maxlength="254" value="${field('q') ?? ''}"></label><button class="button small">${search}</button></form>`
}

/** A link to the same page with these fields. */
function more({ admin, field, page }: AdminFrame, path: string, fields: Record<string, string>): string {
  const q = field('q')
  const query = new URLSearchParams({ ...(q === undefined ? {} : { q }), ...fields })
  return actions(page.texts, [{ label: page.texts.admin.more, to: { get: `${admin}${path}?${query}` }, look: 'quiet' }])
}

export interface ShownSession extends Session {
  /** Milliseconds since the epoch. */
  expiresAt: number
  here: boolean
}

/** `agent`: all rows are of this one; `next`: the cursor of the next page. */
export function sessionsPart(
  frame: AdminFrame,
  view: { rows: ShownSession[]; next: string | undefined; agent: string | undefined },
): AdminPart {
  const { texts } = frame.page
  const { sessions: words } = texts.admin
  const { agent } = view
  const rows = view.rows.map((row, at) => {
    const id = `row-${at}`
    const to = { post: frame.admin, fields: fieldsOf(frame, row) }
    const end = { label: words.end, to, look: 'small' as const, about: id }
    const here = row.here ? html` <em>${words.here}</em>` : ''
    const others = html`<a href="${frame.admin}?${new URLSearchParams({ q: row.agent.email })}" aria-describedby="${id}">${words.all}</a>`
    const facts = lines(frame, [
      row.agent.name === undefined ? undefined : fill('{name}', { name: row.agent.name }),
      fill(words.since, {
        since: { at: row.createdAt },
        address: row.from.address,
        browser: browserWords(row.from.browser, texts),
      }),
      fill(texts.sessions.seen, { when: { at: row.seenAt } }),
      endOf({ idleEndsAt: row.expiresAt, endsAt: row.endsAt }, texts),
      fill(words.by, { provider: frame.providerName(row.provider) }),
    ])
    return html`<li><div id="${id}"><b>!${valueMarkup(row.agent.email, texts)}!${here}</b>!${facts}!${agent === undefined ? others : ''}</div>!${button(texts, end)}</li>`
  })
  const list = rows.length > 0 ? html`<ul class="sessions">!${rows}</ul>` : html`<p>${words.none}</p>`
  const next = view.next === undefined ? '' : more(frame, '', { cursor: view.next })
  const main = html`!${searchForm(frame, '', words.label)}!${list}!${agent === undefined ? '' : endAll(frame, agent)}!${next}`
  return { section: 'sessions', main }
}

function endAll(frame: AdminFrame, email: string): string {
  const { texts } = frame.page
  const fields = { ...frame.action('agent', email), q: email }
  const label = fill(texts.admin.sessions.endAll, { email })
  return actions(texts, [{ label, to: { post: frame.admin, fields }, look: 'quiet' }])
}

function fieldsOf({ action, field }: AdminFrame, { handle }: ShownSession): Record<string, string> {
  const q = field('q')
  return { ...action('session', handle), ...(q === undefined ? {} : { q }) }
}

export function refusedPart(
  frame: AdminFrame,
  view: { rows: RefusedLoginReport[]; total: number; page: number; more: boolean },
): AdminPart {
  const { texts } = frame.page
  const { refused: words } = texts.admin
  const rows = view.rows.map((report, row) => {
    const { reference, at, reason } = report
    const id = `row-${row}`
    const facts = lines(frame, [
      toldOf(texts, report),
      { text: '{at} · {reason} · {reference}', values: { at: { at }, reason, reference } },
      factsOf(frame, report),
    ])
    return html`<li><div id="${id}"><b>!${whoOf(frame, report)}</b>!${facts}</div>!${showReport(frame, words.show, reference, id)}</li>`
  })
  const total = sayIn(frame)(fill(words.total, { count: String(view.total) }))
  const list = rows.length > 0 ? html`<p>!${total}</p><ul class="sessions">!${rows}</ul>` : html`<p>${words.none}</p>`
  const next = view.more ? more(frame, '/refused', { page: String(view.page + 1) }) : ''
  return { section: 'refused', main: html`!${searchForm(frame, '/refused', words.label)}!${list}!${next}` }
}

function factsOf(frame: AdminFrame, { provider, address, browser }: RefusedLoginReport): Words {
  const { texts } = frame.page
  const name = provider === undefined ? '–' : frame.providerName(provider)
  return fill(texts.admin.refused.facts, { provider: name, address, browser: browserWords(browser, texts) })
}

/** What the page of the refusal said to the agent; a revocation has none. */
function toldOf({ admin, refusals, logoutRefused }: Texts, { reason, of }: RefusedLoginReport): Words | undefined {
  if (of === 'revocation') return undefined
  const { title } = of === 'logout' ? logoutRefused : refusals[refusalOf[reason]]
  return fill(admin.refused.told, { title })
}

function whoOf({ page }: AdminFrame, { agent }: RefusedLoginReport): string {
  return agent === undefined ? html`${page.texts.admin.refused.nobody}` : valueMarkup(agent, page.texts)
}

function showReport({ admin, page }: AdminFrame, label: string, reference: string, about: string): string {
  const to = { get: `${admin}/refused?ref=${reference}` }
  return button(page.texts, { label, to, look: 'small', about })
}

/** One report; without it, that there is none. */
export function reportPart(
  frame: AdminFrame,
  view: { reference: string; report?: RefusedLoginReport; hint?: string | undefined; setting?: string | undefined },
): AdminPart {
  const { refused: words } = frame.page.texts.admin
  const say = sayIn(frame)
  const form = searchForm(frame, '/refused', words.label)
  const { report, hint = '', reference } = view
  const back = actions(frame.page.texts, [{ label: words.back, to: { get: `${frame.admin}/refused` }, look: 'quiet' }])
  if (!report) {
    const main = html`!${form}<p role="status">!${say(fill(words.unknown, { reference }))}</p>!${back}`
    return { section: 'refused', main, status: 404 }
  }
  const named = (text: typeof words.seen | typeof words.setting | typeof words.expected, value: string | undefined) =>
    value === undefined ? undefined : fill(text, { value })
  const checks = report.checks.map(({ name, ok, expected, seen, setting }) => {
    const facts = lines(frame, [
      named(words.expected, expected),
      named(words.seen, seen),
      named(words.setting, setting),
    ])
    return html`<li><div><b><bdi lang="en" dir="ltr">${name}</bdi> !${ok ? html`<em>${words.passed}</em>` : html`<em class="bad">${words.failed}</em>`}</b>!${facts}</div></li>`
  })
  const setting = named(words.setting, view.setting)
  const told = toldOf(frame.page.texts, report)
  const what = { text: '{at} · {reason}', values: { at: { at: report.at }, reason: report.reason } }
  const main = html`!${form}<h2>${report.reference}</h2><ul class="sessions"><li><div><b>!${whoOf(frame, report)}</b>!${lines(frame, [told, what, factsOf(frame, report)])}</div></li></ul>
<p class="note"><span lang="en" dir="ltr">${hint}</span>!${lines(frame, [setting])}</p><h2>${words.checks}</h2><ul class="sessions">!${checks}</ul>!${back}`
  return { section: 'refused', main }
}

/** Times in milliseconds, `expiry` and `skew` in seconds; undefined: not known. */
export interface ProviderRow {
  id: string
  name: string
  type: string
  expiry: number | undefined
  skew: number | undefined
  accepted: number | undefined
  refusedAt: number | undefined
  /** The newest report of all processes. */
  lastReport: RefusedLoginEntry | undefined
}

function clockWords({ agrees, ahead, behind }: Texts['admin']['state'], skew: number): Words {
  const time = { count: Math.abs(skew), unit: 'second' } as const
  if (time.count < 0.05) return agrees
  return skew > 0 ? fill(ahead, { time }) : fill(behind, { time })
}

export function statePart(
  frame: AdminFrame,
  view: {
    providers: ProviderRow[]
    /** `readAt` in seconds since the epoch. */
    sources: { name: string; agents: number | undefined; readAt: number | undefined }[]
    /** Why the store does not answer. */
    failure: string | undefined
  },
): AdminPart {
  const { state: words, here } = frame.page.texts.admin
  const providers = view.providers.map(({ id, name, type, expiry, skew, accepted, refusedAt, lastReport }, row) => {
    const refusal = Math.max(refusedAt ?? 0, lastReport?.at ?? 0)
    const facts = lines(frame, [
      expiry === undefined ? undefined : fill(words.until, { when: { at: frame.now + expiry * 1000 } }),
      skew === undefined ? undefined : clockWords(words, skew),
      accepted === undefined ? words.never : fill(words.login, { when: { at: accepted } }),
      refusal === 0 ? undefined : fill(words.refusal, { when: { at: refusal } }),
    ])
    const show = lastReport ? showReport(frame, words.show, lastReport.reference, `row-${row}`) : ''
    return html`<li><div id="row-${row}"><b>!${valueMarkup(name, frame.page.texts)} <em>${type} · ${id}</em></b>!${facts}</div>!${show}</li>`
  })
  const sources = view.sources.map(({ name, agents, readAt = 0 }) => {
    const read = fill(words.agents, { count: String(agents), when: { at: readAt * 1000 } })
    return html`<li><div><b>!${valueMarkup(name, frame.page.texts)}</b>!${lines(frame, [agents === undefined ? words.noList : read])}</div></li>`
  })
  const main = html`<p>${here}</p><h2>${words.providers}</h2><ul class="sessions">!${providers}</ul>
!${sources.length > 0 ? html`<h2>${words.sources}</h2><ul class="sessions">!${sources}</ul>` : ''}<h2>${words.store}</h2><p>${view.failure ?? words.up}</p>`
  return { section: 'state', main }
}

export function linksPart(frame: AdminFrame, links: BreakglassLink[]): AdminPart {
  const { texts } = frame.page
  const { links: words } = texts.admin
  const rows = links.map(({ id, agent, reason, operator, until, minutes }, row) => {
    const about = `row-${row}`
    const facts = lines(frame, [
      fill(words.facts, { reason, operator: operator === '' ? '–' : operator }),
      fill(words.until, { when: { at: until }, time: { count: minutes, unit: 'minute' } }),
    ])
    const to = { post: frame.admin, fields: frame.action('link', id) }
    return html`<li><div id="${about}"><b>!${valueMarkup(agent, texts)}</b>!${facts}</div>!${button(texts, { label: words.revoke, to, look: 'small', about })}</li>`
  })
  const list = rows.length > 0 ? html`<ul class="sessions">!${rows}</ul>` : html`<p>${words.none}</p>`
  const make = sayIn(frame)(fill(words.make, { command: { code: 'deskgate breakglass' } }))
  return { section: 'links', main: html`!${list}<p class="reference">!${make}</p>` }
}
