// The gateway's pages as templates. Every value is escaped by `html`; `!` stands only before markup that a template here
// has built. Decides nothing: access was checked before.

import { html } from 'ghtml'
import type { PageName } from '../../config/page-templates.js'
import type { Navigation } from '../../core/providers.js'
import type { Reason } from '../../core/reasons.js'
import { type NoticeText, refusalOf, type Texts } from './i18n/texts.js'
import { fragmentField, layout, type PageContext, type RenderedPage, sendScript, withSources } from './layout.js'
import { fill, markup, type TextValue, type Words } from './sentence.js'

/** Where a button leads: a link, or a form that is sent to `post`. */
export interface Button {
  label: Words
  to: { get: string } | { post: string; fields?: Record<string, string> }
  look?: 'quiet' | 'small' | 'link'
  /** A data: URI. */
  icon?: string | undefined
  opens?: 'new tab' | 'top'
  /** Of a button in a row: the ID of the element that says what it is about. */
  about?: string
  /** Of a link: what becomes of the fragment of the page's address (see layout.ts). By default it is lost. */
  fragment?: 'post' | 'keep' | undefined
}

export function chooserPage(
  context: PageContext,
  options: {
    /** In this order. Without a name: Desk's own login. */
    ways: { name: string | undefined; href: string; icon?: string | undefined; look?: 'quiet' | undefined }[]
    already?: { email: string; href: string } | undefined
    fragment: 'kept' | 'lost'
  },
): RenderedPage {
  const { texts } = context
  const { chooser } = texts
  const { ways, already } = options
  const [post, keep] = options.fragment === 'kept' ? (['post', 'keep'] as const) : []
  const items = ways.map(({ name, href, icon, look = already && 'quiet' }) => {
    const label = name === undefined ? chooser.desk : fill(chooser.with, { name })
    return html`<li>!${button(texts, { label, to: { get: href }, icon, fragment: post, ...(look ? { look } : {}) })}</li>`
  })
  const list = html`<ul class="ways">!${items}</ul>`
  if (!already) {
    const main = html`<h1>${chooser.title}</h1><p>${leadOf(chooser, ways)}</p>!${list}`
    return layout(context, { name: 'login', title: chooser.title, main })
  }
  const { email, href } = already
  const stay = button(texts, { label: fill(texts.buttons.stay, { email }), to: { get: href }, fragment: keep })
  const main = html`<h1>${chooser.title}</h1><p>!${markup(fill(chooser.already, { email }), texts)}</p><div class="actions">!${stay}</div><p class="next">${chooser.others}</p>!${list}`
  return layout(context, { name: 'login', title: chooser.title, main })
}

function leadOf(chooser: PageContext['texts']['chooser'], ways: readonly { name: string | undefined }[]): string {
  const [first, ...others] = ways
  if (!first) return chooser.none
  if (others.length > 0) return chooser.text
  return first.name === undefined ? chooser.onlyDesk : chooser.single
}

/** Begins a login at `href`, at once. Small, and nothing to see: every login by a browser loads it. */
export function sendingPage({ texts, brand }: PageContext, href: string): RenderedPage {
  const text = html`<!doctype html>
<html lang="${texts.lang}" dir="${texts.dir}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${brand.name}</title>
<noscript><meta http-equiv="refresh" content="0; url=${href}"></noscript>
<link rel="icon" href="data:,">
<body><form method="post" action="${href}"><input type="hidden" name="${fragmentField}"><noscript><button>${texts.leaving.button}</button></noscript></form><script>!${sendScript}</script>
`
  return withSources(text, [], [sendScript])
}

/**
 * Sends the browser's form on to an identity provider, by itself or, without scripts, by the button. To an address the
 * Refresh header of the response leads, or the button.
 */
export function leavingPage(
  context: PageContext,
  text: Words,
  to: Extract<Navigation, { post: string }> | { get: string },
): RenderedPage {
  const { leaving } = context.texts
  const send = button(context.texts, { label: leaving.button, to })
  const main = html`<h1>${leaving.title}</h1><p>!${markup(text, context.texts)}</p><div class="actions">!${send}</div>`
  const sends = 'post' in to ? ({ sends: 'at once' } as const) : {}
  return layout(context, { name: 'leaving', title: leaving.title, main, ...sends })
}

/** `words` replaces the login text of the reason. */
export function refusedPage(
  context: PageContext,
  refused: {
    reason: Reason
    reference: string
    button: Button
    more?: Button[]
    words?: NoticeText
    /** The address that the provider vouched for. */
    email?: string | undefined
    /** The agent who is logged in here, if it is another one. */
    here?: string | undefined
  },
): RenderedPage {
  const { texts } = context
  const { title, text } = refused.words ?? texts.refusals[refusalOf[refused.reason]]
  const { email, here } = refused
  const lines = [
    ...(here === undefined ? [] : [fill(texts.loggedInHere, { email: here })]),
    ...(email === undefined ? [] : [fill(here === undefined ? texts.loggedInAs : texts.newLogin, { email })]),
  ].map(line => html`<span>!${markup(line, texts)}</span>`)
  const who = lines.length === 0 ? '' : html`<p class="note">!${lines}</p>`
  const main = html`<p class="alert" aria-hidden="true">&#33;</p><h1>${title}</h1><p>${text}</p>!${who}
!${actions(texts, [refused.button, ...(refused.more ?? [])])}
<p class="reference">${texts.reference}<code>${refused.reference}</code>${texts.referenceHint} <small>${refused.reason}</small></p>!${traceLine(context)}`
  return layout(context, { name: 'refused', title, main })
}

/** A short text and its buttons; `reason` and `requestId` are shown for support. */
export function noticePage(
  context: PageContext,
  notice: { name?: PageName; title: string; text: Words; buttons: Button[]; reason?: Reason; requestId?: string },
): RenderedPage {
  const { reason, requestId } = notice
  const code = reason === undefined ? '' : html`<p class="reference"><small>${reason}</small></p>`
  const { texts } = context
  const id =
    requestId === undefined
      ? ''
      : html`<p class="reference">${texts.requestId} <small>${requestId}</small>${texts.referenceHint}</p>`
  const trace = notice.name === 'error' ? traceLine(context) : ''
  const main = html`<h1>${notice.title}</h1><p>!${markup(notice.text, texts)}</p>!${actions(texts, notice.buttons)}!${code}!${id}!${trace}`
  return layout(context, { name: notice.name ?? 'other', title: notice.title, main })
}

function traceLine({ texts, trace }: PageContext): string {
  return trace === undefined ? '' : html`<p class="reference">${texts.traceId} <small>${trace}</small></p>`
}

/** The end of a login in a small window: it closes by itself where the browser lets it. */
export function popupPage(context: PageContext, words: NoticeText): RenderedPage {
  const home: Button = { label: context.texts.buttons.home, to: { get: '/' }, look: 'link' }
  const main = html`<h1>${words.title}</h1><p>${words.text}</p>!${actions(context.texts, [home])}`
  return layout(context, { title: words.title, main, closes: 'at once' })
}

export interface SessionRow {
  handle: string
  browser: string
  address: string
  /** Milliseconds since the epoch. */
  createdAt: number
  seenAt: number
  /** When it ends if it is not used, and at the latest. */
  idleEndsAt: number
  endsAt: number
  here: boolean
  /** It was opened by a one-time link. */
  oneTime?: true
}

export function sessionsPage(
  context: PageContext,
  view: { email: string; rows: SessionRow[]; cut: boolean; end: string; logout: string },
): RenderedPage {
  const { texts } = context
  const { sessions, buttons } = texts
  const rows = view.rows.map((row, at) => {
    const id = `row-${at}`
    const here = row.here ? html`<em>${sessions.here}</em>` : ''
    const oneTime = row.oneTime ? html`<em>${sessions.oneTime}</em>` : ''
    const facts = markup(fill(sessions.facts, { since: { at: row.createdAt }, address: row.address }), texts)
    const seen = markup(fill(sessions.seen, { when: { at: row.seenAt } }), texts)
    const browser = markup(fill('{browser}', { browser: browserWords(row.browser, texts) }), texts)
    const endButton = button(texts, {
      label: sessions.end,
      to: { post: view.end, fields: { handle: row.handle } },
      look: 'small',
      about: id,
    })
    return html`<li><div id="${id}"><b>!${browser} !${here}!${oneTime}</b><span>!${facts}</span><span>!${seen}</span><span>!${markup(endOf(row, texts), texts)}</span></div>!${endButton}</li>`
  })
  const others: Button = { label: sessions.endOthers, to: { post: view.end, fields: { others: '1' } }, look: 'quiet' }
  const main = html`<h1>${sessions.title}</h1><p>!${markup(fill(sessions.agent, { email: view.email }), texts)}</p><ul class="sessions">!${rows}</ul>
!${view.cut ? html`<p>${sessions.more}</p>` : ''}
!${actions(texts, [
    { label: sessions.back, to: { get: '/' } },
    ...(view.rows.length > 1 ? [others] : []),
    { label: buttons.logout, to: { post: view.logout }, look: 'quiet' },
  ])}`
  return layout(context, { name: 'sessions', title: sessions.title, main, width: 'wide' })
}

/** When a session ends: if it is not used, and at the latest. */
export function endOf({ idleEndsAt, endsAt }: Pick<SessionRow, 'idleEndsAt' | 'endsAt'>, { sessions }: Texts): Words {
  const [idle, end] = [{ at: idleEndsAt }, { at: endsAt }]
  return idleEndsAt < endsAt ? fill(sessions.endsIdle, { idle, end }) : fill(sessions.ends, { end })
}

/** A name that browserName has made, in the language of the page. */
export function browserWords(name: string, { sessions }: Texts): TextValue {
  if (name === '') return { text: sessions.unknown, values: {} }
  const [, browser, system] = /^([\w ]{1,20}) on (\w{1,20})$/.exec(name) ?? []
  return browser === undefined || system === undefined ? name : fill(sessions.browser, { browser, system })
}

export function keptPage(
  context: PageContext,
  view: {
    /** Milliseconds since the epoch. */
    at: number
    until: number
    where: string
    /** The page that it was written on; '/' when that is not known. */
    page: string
    /** Undefined once the form may have been sent. */
    send: Extract<Button['to'], { post: string }> | undefined
    discard: string
  },
): RenderedPage {
  const { texts } = context
  const { title, text, once, hint, send, discard, open } = texts.kept.page
  const claimed = texts.errors.kept_claimed
  const home: Button = { label: texts.buttons.home, to: { get: '/' }, look: 'link' }
  const buttons: Button[] = [
    view.send
      ? { label: send, to: view.send }
      : { label: view.page === '/' ? texts.buttons.home : open, to: { get: view.page } },
    { label: discard, to: { post: view.discard }, look: 'quiet' },
    ...(view.send || view.page !== '/' ? [home] : []),
  ]
  const said = [fill(text, { when: { at: view.at }, page: view.where })]
  if (view.send) said.push(fill(once, { time: { at: view.until } }))
  const lead = said.map(one => markup(one, texts)).join(' ')
  const [heading, note] = view.send ? [title, hint] : [claimed.title, claimed.text]
  const main = html`<h1>${heading}</h1><p>!${lead}</p><p class="note">${note}</p>!${actions(texts, buttons)}`
  return layout(context, { title: heading, main })
}

export function actions(texts: Texts, buttons: Button[]): string {
  return html`<div class="actions">!${buttons.map(one => button(texts, one))}</div>`
}

export function button(texts: Texts, { label, to, look, icon, opens, fragment, about }: Button): string {
  const words = markup(label, texts)
  // A button is a flex box: parts of one text must not become columns.
  const shown = words.includes('<') ? html`<span>!${words}</span>` : words
  const picture = icon === undefined ? '' : html`<img src="${icon}" alt="">`
  const described = about === undefined ? '' : html` aria-describedby="${about}"`
  const looks = look === 'link' ? look : look === 'small' ? 'button quiet small' : `button ${look ?? ''}`.trim()
  if ('get' in to) {
    const where = { 'new tab': ' target="_blank" rel="noopener"', top: ' target="_top"', here: '' }[opens ?? 'here']
    const kept = fragment ? html` data-fragment="${fragment}"` : ''
    return html`<a class="${looks}"!${kept} href="${to.get}"!${where}!${described}>!${picture}!${shown}</a>`
  }
  const fields = Object.entries(to.fields ?? {}).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
  )
  return html`<form method="post" action="${to.post}">!${fields}<button class="${looks}"!${described}>!${picture}!${shown}</button></form>`
}
