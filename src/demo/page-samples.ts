// Every page of the gateway with sample data, by name: what `deskgate pages --preview` shows. Nobody is asked for anything.

import { html } from 'ghtml'
import { type Reason, reasons } from '../core/reasons.js'
import { nextSteps } from '../web/login/refuse-login.js'
import { refusalOf, type Texts } from '../web/pages/i18n/texts.js'
import { type PageContext, type RenderedPage, withSources } from '../web/pages/layout.js'
import {
  type Button,
  chooserPage,
  keptPage,
  leavingPage,
  noticePage,
  popupPage,
  refusedPage,
  sessionsPage,
} from '../web/pages/pages.js'
import { fill, type Words } from '../web/pages/sentence.js'
import { createPaths } from '../web/request/paths.js'
import { dialogSource } from '../web/routes/session-script.js'
import { browsers, deskSamples, email, hour, minute, other, reference, type Sample } from './session-desk-samples.js'

const home = { get: '/' }
const paths = createPaths('/auth')

/** By name, as in the address. */
export function samplePages(now: number): Map<string, Sample> {
  const ways = ['Aloha Adventures', 'Aloha Portal'].map((name, at) => ({ name, href: `${paths.login}/${at}` }))
  const desk = { name: undefined, href: '/login', look: 'quiet' as const }
  const pages: [string, Sample][] = [
    ['login', context => chooserPage(context, { ways: [...ways, desk], fragment: 'lost' })],
    ['login-one-way', context => chooserPage(context, { ways: ways.slice(0, 1), fragment: 'lost' })],
    ['login-known', context => chooserPage(context, { ways, already: { email, href: '/' }, fragment: 'lost' })],
    ['login-none', context => chooserPage(context, { ways: [], fragment: 'lost' })],
    ['leaving', context => leavingPage(context, fill(context.texts.leaving.text, { name: 'Aloha' }), home)],
    ['leaving-form', leavingSample],
    ['login-done-in-a-small-window', context => still(popupPage(context, context.texts.popup.done))],
    ['other-address', otherAddressSample],
    ['logout', logoutSample],
    ['logged-out', loggedOutSample],
    ['sessions', context => sessionsSample(context, now)],
    ['one-time-link', oneTimeLinkSample],
    ['reply-not-sent', context => notice(fixed(context), context.texts.notSent)],
    ['reply-kept-login', keptLoginSample],
    ['reply-kept', context => keptSample(context, now, 'to send')],
    ['reply-kept-claimed', context => keptSample(context, now, 'claimed')],
    ['reply-thrown-away', context => notice(context, context.texts.kept.discarded)],
    ...errorSamples(),
    ...refusalSamples(),
    ...deskSamples(now),
    ...warningSamples(),
  ]
  return new Map(pages)
}

/** Without the script that would send the form away, or close the window. */
function still(page: RenderedPage): RenderedPage {
  return { ...page, text: page.text.replace(/<script>.*?<\/script>/s, '') }
}

function leavingSample(context: PageContext): RenderedPage {
  const target = { post: '/', fields: { a: 'b' } }
  return still(leavingPage(context, fill(context.texts.leaving.text, { name: 'Aloha' }), target))
}

function notice(
  context: PageContext,
  { title, text, button }: { title: string; text: Words; button?: Words },
): RenderedPage {
  return noticePage(context, { title, text, buttons: [{ label: button ?? context.texts.buttons.home, to: home }] })
}

/** As it is in the place of a page of Desk. */
const fixed = (context: PageContext): PageContext => ({ ...context, languageSwitch: undefined })

function otherAddressSample(context: PageContext): RenderedPage {
  const { title, text, button } = context.texts.otherHost
  const url = 'https://desk.example.com'
  return notice(fixed(context), { title, text: fill(text, { url }), button: fill(button, { url }) })
}

function logoutSample(context: PageContext): RenderedPage {
  const { logout } = context.texts
  const buttons: Button[] = [
    { label: logout.button, to: { post: paths.logout } },
    { label: logout.back, to: home, look: 'quiet' },
  ]
  return noticePage(context, { name: 'logout', title: logout.title, text: fill(logout.text, { email }), buttons })
}

function loggedOutSample(context: PageContext): RenderedPage {
  const { loggedOut } = context.texts
  const buttons: Button[] = [
    { label: loggedOut.button, to: { get: paths.login } },
    { label: loggedOut.sessions, to: { get: paths.session }, look: 'link' },
  ]
  return noticePage(context, { ...loggedOut, name: 'logged-out', buttons })
}

function oneTimeLinkSample(context: PageContext): RenderedPage {
  const { title, text, button } = context.texts.breakglass
  return noticePage(context, { title, text, buttons: [{ label: button, to: { post: '/' } }] })
}

function keptLoginSample(context: PageContext): RenderedPage {
  const { kept } = context.texts.kept
  const text = fill(kept.text, { time: { count: 10, unit: 'minute' } })
  return notice(fixed(context), { title: kept.title, text, button: context.texts.buttons.login })
}

function keptSample(context: PageContext, now: number, state: 'to send' | 'claimed'): RenderedPage {
  const send = state === 'claimed' ? undefined : { post: paths.kept }
  const page = '/tickets/4711'
  const times = { at: now - 7 * minute, until: now + 3 * minute }
  return keptPage(context, { ...times, where: page, page, send, discard: paths.keptDiscard })
}

function sessionsSample(context: PageContext, now: number): RenderedPage {
  const rows = browsers.map((browser, at) => ({
    handle: String(at),
    browser,
    address: `192.0.2.${at + 7}`,
    createdAt: now - (at + 2) * hour,
    seenAt: now - at * hour,
    idleEndsAt: Math.min(now + (8 - at) * hour, now + (22 - 6 * at) * hour),
    endsAt: now + (22 - 6 * at) * hour,
    here: at === 0,
    ...(at === 3 ? { oneTime: true as const } : {}),
  }))
  return sessionsPage(context, { email, rows, cut: false, end: paths.sessionEnd, logout: paths.logout })
}

/** With what each leads on to: the start page, the logout, the same page again, or that and the start page. */
const errors = {
  not_found: 'home',
  bad_request: 'home',
  link_gone: 'home',
  too_large: 'home',
  forbidden: 'logout',
  wrong_origin: 'quiet',
  store_unavailable: 'again',
  desk_unreachable: 'again',
  desk_timeout: 'retry',
  desk_busy: 'again',
  kept_gone: 'home',
  kept_claimed: 'home',
  internal: 'retry',
} as const satisfies Partial<Record<keyof Texts['errors'], 'home' | 'quiet' | 'logout' | 'again' | 'retry'>>
const ownErrors: readonly string[] = ['not_found', 'bad_request', 'link_gone', 'too_large']

function errorSamples(): [string, Sample][] {
  return Object.entries(errors).map(([code, next]) => [
    `error-${code}`,
    context => {
      const { texts } = context
      const { buttons, sessions } = texts
      const start: Button = { label: buttons.home, to: home }
      const again: Button = { label: buttons.retry, to: home }
      const out: Button = { label: buttons.logout, to: { post: paths.logout }, look: 'quiet' }
      const lead: Record<typeof next, Button[]> = {
        home: [start],
        quiet: [{ ...start, look: 'quiet' }],
        logout: [start, out],
        again: [again],
        retry: [again, { ...start, look: 'quiet' }],
      }
      const see: Button = { label: sessions.see, to: { get: paths.session }, look: 'link' }
      const links = ['store_unavailable', 'link_gone'].includes(code) ? lead[next] : [...lead[next], see]
      const requestId =
        next === 'retry' || next === 'again' ? { requestId: '6f1d0c1e-8c3b-4f65-9d2a-5b8f3c1a7e90' } : {}
      const page = ownErrors.includes(code) ? context : fixed(context)
      return noticePage(page, {
        ...texts.errors[code as keyof typeof errors],
        name: 'error',
        buttons: links,
        ...requestId,
      })
    },
  ])
}

/** One for each text. */
function refusalSamples(): [string, Sample][] {
  const first = reasons.filter(
    (reason, at) => reasons.findIndex(other => refusalOf[other] === refusalOf[reason]) === at,
  )
  return first.map(reason => [`refused-${reason}`, context => refusalSample(context, reason)])
}

function refusalSample(context: PageContext, reason: Reason): RenderedPage {
  const { buttons } = context.texts
  const again: Button = { label: buttons.retry, to: home }
  const logout: Button = { label: buttons.logout, to: { post: paths.logout }, look: 'quiet' }
  if (nextSteps[reason] === 'logout') {
    const button = { label: fill(buttons.stay, { email }), to: home }
    return refusedPage(context, { reason, reference, button, more: [logout], email: other, here: email })
  }
  const next = nextSteps[reason]
  if (next === undefined) {
    const button: Button = refusalOf[reason] === 'setUpWrong' ? { ...again, look: 'quiet' } : again
    return refusedPage(context, { reason, reference, button })
  }
  if (next === 'login' || next === 'usual')
    return refusedPage(context, { reason, reference, button: { ...again, label: buttons.login } })
  const labels = [buttons.otherAccount, buttons.other]
  const [first = '', second = ''] = next === 'other' ? labels.reverse() : labels
  const more: Button[] = [{ label: second, to: home, look: 'quiet' }]
  const who = reason.startsWith('agent.') ? { email } : {}
  return refusedPage(context, { reason, reference, button: { label: first, to: home }, more, ...who })
}

/** The dialog of session.js, on a page that stands for Desk. It needs scripts. */
function warningSamples(): [string, Sample][] {
  return (['idle', 'absolute', 'ended', 'stepUp'] as const).map(kind => [
    `warning-${kind}`,
    ({ texts }) => {
      const { lang, dir, warning } = texts
      const setup = JSON.stringify({ ...warning, lang, dir }).replaceAll('<', '\\u003c')
      const actions = '{ keep() {}, dismiss() {} }'
      const style = 'body{margin:2rem;font-family:system-ui,sans-serif}'
      const script = `${dialogSource}\nconst dialog = createDialog(${setup}, ${actions})\ndialog.show('${kind}', '/')\ndialog.count(95000)\n`
      const text = html`<!doctype html>
<html lang="${lang}" dir="${dir}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Desk</title>
<link rel="icon" href="data:,">
<style>!${style}</style>
<body><h1>Desk</h1><script>!${script}</script>
`
      return withSources(text, [style], [script])
    },
  ])
}
