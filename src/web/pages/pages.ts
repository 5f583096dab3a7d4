// The gateway's pages as templates. Every value is escaped by `html`; `!` stands only before markup that a template here
// has built. Decides nothing: access was checked before.

import { html } from 'ghtml'
import type { Navigation } from '../../core/contracts.js'
import type { Reason } from '../../core/reasons.js'
import type { NoticeText } from './i18n/en.js'
import { layout, type PageContext } from './layout.js'

/** Where a button leads: a link, or a form that is sent to `post`. */
export interface Button {
  label: string
  to: { get: string } | { post: string; fields?: Record<string, string> }
  look?: 'quiet' | 'small'
  opens?: 'new tab' | 'top'
}

export function chooserPage(
  context: PageContext,
  options: {
    methods: { name: string; href: string }[]
    /** The start of Desk's own login, where that is allowed. */
    desk?: string | undefined
    already?: { email: string; href: string } | undefined
  },
): string {
  const { chooser } = context.texts
  const { methods, desk, already } = options
  const lead = leadOf(chooser, methods.length, desk)
  const items = methods.map(
    ({ name, href }) => html`<li>!${button({ label: chooser.with(name), to: { get: href } })}</li>`,
  )
  const deskItem =
    desk === undefined ? '' : html`<li>!${button({ label: chooser.desk, to: { get: desk }, look: 'quiet' })}</li>`
  const stay = already
    ? html`<div class="note"><p>${chooser.already(already.email)}</p>!${button({ label: chooser.stay, to: { get: already.href }, look: 'quiet' })}</div>`
    : ''
  const main = html`<h1>${chooser.title}</h1><p>${lead}</p><ul class="ways">!${items}!${deskItem}</ul>!${stay}`
  return layout(context, { title: chooser.title, main })
}

function leadOf(chooser: PageContext['texts']['chooser'], providers: number, desk: string | undefined): string {
  if (desk !== undefined) return providers === 0 ? chooser.onlyDesk : chooser.text
  if (providers === 0) return chooser.none
  return providers === 1 ? chooser.single : chooser.text
}

/** Sends the browser's form on to an identity provider, by itself or, without scripts, by the button. */
export function leavingPage(context: PageContext, text: string, target: Extract<Navigation, { post: string }>): string {
  const { leaving } = context.texts
  const send = button({ label: leaving.button, to: target })
  const main = html`<h1>${leaving.title}</h1><p>${text}</p><div class="actions">!${send}</div>`
  return layout(context, { title: leaving.title, main, sends: 'at once' })
}

/** The same without a form: the Refresh header of the response continues, or the button. */
export function refreshPage(context: PageContext, text: string, href: string): string {
  const { leaving } = context.texts
  const go = button({ label: leaving.button, to: { get: href } })
  const main = html`<h1>${leaving.title}</h1><p>${text}</p><div class="actions">!${go}</div>`
  return layout(context, { title: leaving.title, main })
}

/** `words` replaces the login text of the reason. */
export function refusedPage(
  context: PageContext,
  refused: { reason: Reason; reference: string; button: Button; more?: Button[]; words?: NoticeText },
): string {
  const { texts } = context
  const { title, text } = refused.words ?? texts.refusals[refused.reason]
  const main = html`<p class="alert" aria-hidden="true">&#33;</p><h1>${title}</h1><p>${text}</p>
!${actions([refused.button, ...(refused.more ?? [])])}
<p class="reference">${texts.reference}<code>${refused.reference}</code>${texts.referenceHint} <small>${refused.reason}</small></p>`
  return layout(context, { title, main })
}

/** A short text and its buttons; `reason` is shown for support. */
export function noticePage(context: PageContext, notice: NoticeText & { buttons: Button[]; reason?: Reason }): string {
  const code = notice.reason === undefined ? '' : html`<p class="reference"><small>${notice.reason}</small></p>`
  const main = html`<h1>${notice.title}</h1><p>${notice.text}</p>!${actions(notice.buttons)}!${code}`
  return layout(context, { title: notice.title, main })
}

export interface SessionRow {
  handle: string
  browser: string
  address: string
  /** Milliseconds since the epoch. */
  createdAt: number
  seenAt: number
  here: boolean
  /** It was opened by a break-glass link. */
  oneTime?: true
}

export function sessionsPage(
  context: PageContext,
  view: { email: string; rows: SessionRow[]; cut: boolean; end: string; logout: string },
): string {
  const { sessions, buttons } = context.texts
  const rows = view.rows.map(row => {
    const here = row.here ? html`<em>${sessions.here}</em>` : ''
    const oneTime = row.oneTime ? html`<em>${sessions.oneTime}</em>` : ''
    const facts = sessions.facts(moment(row.createdAt), row.address)
    const end = button({
      label: sessions.end,
      to: { post: view.end, fields: { handle: row.handle } },
      look: 'small',
    })
    return html`<li><div><b>${row.browser || sessions.unknown} !${here}!${oneTime}</b><span>${facts}</span><span>${sessions.seen(moment(row.seenAt))}</span></div>!${end}</li>`
  })
  const others: Button = { label: sessions.endOthers, to: { post: view.end, fields: { others: '1' } }, look: 'quiet' }
  const main = html`<h1>${sessions.title}</h1><p>${sessions.agent(view.email)}</p><ul class="sessions">!${rows}</ul>
!${view.cut ? html`<p>${sessions.more}</p>` : ''}
!${actions([
    { label: sessions.back, to: { get: '/' } },
    ...(view.rows.length > 1 ? [others] : []),
    { label: buttons.logout, to: { post: view.logout }, look: 'quiet' },
  ])}`
  return layout(context, { title: sessions.title, main, width: 'wide' })
}

function actions(buttons: Button[]): string {
  return html`<div class="actions">!${buttons.map(button)}</div>`
}

function button({ label, to, look, opens }: Button): string {
  const looks = look === 'small' ? 'button quiet small' : `button ${look ?? ''}`.trim()
  if ('get' in to) {
    const where = { 'new tab': ' target="_blank" rel="noopener"', top: ' target="_top"', here: '' }[opens ?? 'here']
    return html`<a class="${looks}" href="${to.get}"!${where}>${label}</a>`
  }
  const fields = Object.entries(to.fields ?? {}).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
  )
  return html`<form method="post" action="${to.post}">!${fields}<button class="${looks}">${label}</button></form>`
}

/** Coordinated Universal Time: the server does not know where the agent is. */
function moment(at: number): string {
  return `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`
}
