import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { html } from 'ghtml'
import t from 'tap'
import { reasons } from '../../../src/core/reasons.js'
import { ar } from '../../../src/web/pages/i18n/ar.js'
import { de } from '../../../src/web/pages/i18n/de.js'
import { en } from '../../../src/web/pages/i18n/en.js'
import { fr } from '../../../src/web/pages/i18n/fr.js'
import { refusalOf, type Texts } from '../../../src/web/pages/i18n/texts.js'
import { languagesOf } from '../../../src/web/pages/languages.js'
import type { RenderedPage } from '../../../src/web/pages/layout.js'
import {
  browserWords,
  chooserPage,
  keptPage,
  leavingPage,
  noticePage,
  refusedPage,
  sendingPage,
  sessionsPage,
} from '../../../src/web/pages/pages.js'
import { fill, markup } from '../../../src/web/pages/sentence.js'
import { browserName } from '../../../src/web/request/fetch-metadata.js'
import { plainBrand } from '../../parts/brand.js'

const evil = `"><script>alert(1)</script>'&=`
const brand = plainBrand()
const place = { texts: en, brand }

for (const texts of languagesOf({ languages: [], texts: null })) {
  t.test(`every reason has words of its own kind: a title, what to do: ${texts.lang}`, async t => {
    for (const reason of reasons) {
      const { title, text } = texts.refusals[refusalOf[reason]]
      t.ok(title.length > 5 && title.length < 60, `${reason}: ${title}`)
      t.ok(text.length > 20, reason)
      t.notMatch(text, /assertion|token|JWT|SAML|signature|IdP/, 'plain words')
      const button = { label: 'x', to: { get: '/' } }
      const page = refusedPage({ ...place, texts }, { reason, reference: 'ABCDE-FGHJK', button }).text
      t.match(page, 'ABCDE-FGHJK')
      t.ok(page.includes(html`<h1>${title}</h1>`), title)
      t.match(page, reason)
    }
  })

  t.test(`no text is left over from English, and each has its values once: ${texts.lang}`, async t => {
    const walk = (english: object, other: object, path: string): void => {
      t.strictSame(Object.keys(other), Object.keys(english), `${path} in the order of English`)
      for (const [key, value] of Object.entries(english)) {
        const translated = (other as Record<string, unknown>)[key]
        if (typeof value === 'object') walk(value, translated as object, `${path}.${key}`)
        else {
          const names = (text: unknown) => (String(text).match(/\{\w+\}/g) ?? []).sort()
          t.strictSame(names(translated), names(value), `${path}.${key}`)
          // Operators' technical words are often the same.
          if (texts.lang !== 'en' && key !== 'dir' && !path.includes('.admin'))
            t.not(translated, value, `${path}.${key}`)
        }
      }
    }
    walk(en, texts, texts.lang)
  })
}

t.test('a moment is said in the language of the page, and in a form for scripts', async t => {
  const at = Date.UTC(2026, 10, 30, 14, 3)
  const shown = (lang: string) => markup(fill(en.sessions.seen, { when: { at } }), { lang, dir: 'ltr' })
  t.match(shown('en'), '<time datetime="2026-11-30T14:03:00.000Z">Nov 30, 2026, 2:03 PM UTC</time>')
  t.match(shown('de'), '30. Nov. 2026, 14:03 UTC')
  t.match(shown('ar'), '30 نوفمبر 2026')
})

t.test('a length of time is in words, with the form that its number needs, and isolated', t => {
  const inWords = (count: number, { kept, ...texts }: Texts) =>
    markup(fill(kept.kept.text, { time: { count, unit: 'minute' } }), texts)
  t.match(inWords(1, en), 'kept for 1 minute.')
  t.match(inWords(10, en), 'kept for 10 minutes.')
  t.match(inWords(10, ar), '<bdi dir="rtl">10 دقائق</bdi>')
  t.match(inWords(11, ar), '>11 دقيقة<')
  const ahead = { time: { count: 2.54, unit: 'second' } } as const
  t.match(markup(fill(de.admin.state.ahead, ahead), de), 'um 2,5 Sekunden')
  const large = { size: { count: 64, unit: 'kilobyte' } } as const
  t.match(markup(fill(fr.kept.whyNot.large, large), fr), /64\s+ko/)
  t.end()
})

t.test('the name of a browser is in the language of the page, wherever it stands', t => {
  const shown = (name: string, texts: Texts) =>
    markup({ text: '{browser}', values: { browser: browserWords(name, texts) } }, texts)
  t.equal(shown('Chrome on Linux', en), 'Chrome on Linux')
  t.equal(shown('Chrome on Linux', de), 'Chrome (Linux)')
  t.match(shown('Chrome on Linux', ar), '<bdi>Chrome</bdi> على <bdi>Linux</bdi>')
  t.equal(shown('', de), 'Unbekannter Browser')
  t.equal(shown('curl/8 <b>', en), 'curl/8 &#60;b&#62;')
  t.end()
})

t.test('a kept form that may have been sent leads to the page that it was written on, where that is known', t => {
  const view = { at: 0, until: 60_000, where: '/tickets/7', send: undefined, discard: '/discard' }
  const known = keptPage(place, { ...view, page: '/tickets/7/edit' }).text
  t.match(known, 'href="/tickets/7/edit">Open the page you wrote on<')
  t.notMatch(known, 'kept until')
  t.match(keptPage(place, { ...view, page: '/' }).text, 'href="/">Go to the help desk<')
  const toSend = keptPage(place, { ...view, page: '/tickets/7/edit', send: { post: '/kept' } }).text
  t.match(toSend, /It is kept until <time datetime="1970-01-01T00:01/)
  t.notMatch(toSend, '/tickets/7/edit')
  t.end()
})

t.test('Attack: overrides of the direction, emoji and length in a value stay inside it', async t => {
  const value = `\u202emoc.live@ada\u2066${'x'.repeat(300)}😀`
  const shown = markup(fill(en.logout.text, { email: value }), en)
  t.equal(shown, `You are logged in as <bdi>\ufffdmoc.live@ada\ufffd${'x'.repeat(300)}😀</bdi>.`)
  const arabic = markup(fill(en.chooser.with, { name: 'أ' }), en)
  t.equal(arabic, 'Log in with <bdi>أ</bdi>')
  t.equal(markup(fill(en.chooser.with, { name: 'Aloha' }), en), 'Log in with Aloha', 'nothing to isolate')
  t.equal(markup(fill(en.chooser.with, { name: '1-A' }), { ...en, dir: 'rtl' }), 'Log in with <bdi>1-A</bdi>')
  t.equal(markup({ text: 'a {b} {toString}', values: {} }, en), 'a {b} {toString}')
})

t.test('Attack: markup in any value that a page shows', async t => {
  const pages = [
    chooserPage(
      { ...place, brand: { ...brand, name: evil, footer: evil, support: { text: evil, link: evil }, logo: evil } },
      {
        ways: [
          { name: evil, href: evil, icon: evil },
          { name: undefined, href: evil },
        ],
        already: { email: evil, href: evil },
        fragment: 'kept',
      },
    ),
    sendingPage({ ...place, brand: { ...brand, name: evil } }, evil),
    leavingPage(place, evil, { post: evil, fields: { [evil]: evil } }),
    noticePage(place, { title: evil, text: evil, buttons: [{ label: evil, to: { get: evil } }] }),
    noticePage(place, {
      title: evil,
      text: evil,
      buttons: [{ label: evil, to: { post: evil, fields: { [evil]: evil } } }],
    }),
    refusedPage(place, { reason: 'jwt.expired', reference: evil, button: { label: evil, to: { get: evil } } }),
    sessionsPage(place, {
      email: evil,
      rows: [
        { handle: evil, browser: evil, address: evil, createdAt: 0, seenAt: 0, idleEndsAt: 1, endsAt: 2, here: true },
      ],
      cut: true,
      end: evil,
      logout: evil,
    }),
  ]
  for (const { text: page } of pages) {
    t.notMatch(page, '<script>alert')
    t.ok(page.includes('&#60;script&#62;alert(1)'))
  }
})

t.test('a page is whole: language, title, viewport, one heading, nothing from elsewhere', async t => {
  const page = noticePage(place, { title: 'A', text: 'B', buttons: [] }).text
  t.match(page, /^<!doctype html>\n<html lang="en" dir="ltr">/)
  t.match(page, '<title>A · desk.example.com</title>')
  t.match(page, 'name="viewport"')
  t.equal(page.match(/<h1>/g)?.length, 1)
  t.notMatch(page, /src=|url\(|@import|https?:\/\/(?!www\.w3\.org)/)
})

t.test('the policy of a page names exactly the styles and scripts that it holds', async t => {
  const row = { handle: 'h', browser: '', address: '', createdAt: 0, seenAt: 0, idleEndsAt: 1, endsAt: 2, here: true }
  const styled = { ...place, brand: plainBrand({ color: '#0b6e4f' }) }
  const pages: [RenderedPage, styles: number, scripts: number][] = [
    [leavingPage(place, 'x', { post: '/x', fields: {} }), 1, 1],
    [noticePage(place, { title: 'A', text: 'B', buttons: [] }), 1, 0],
    [sessionsPage(place, { email: 'a', rows: [row], cut: false, end: '/e', logout: '/l' }), 1, 1],
    [sendingPage(place, '/x'), 0, 1],
    [chooserPage(place, { ways: [{ name: 'x', href: '/x' }], fragment: 'kept' }), 1, 1],
    [noticePage(styled, { title: 'A', text: 'B', buttons: [] }), 2, 0],
  ]
  const hash = (text = '') => `'sha256-${createHash('sha256').update(text).digest('base64')}'`
  for (const [{ text, sources }, styles, scripts] of pages) {
    const inside = (element: string) => [...text.matchAll(new RegExp(`<${element}>(.*?)</${element}>`, 'gs'))]
    const [style, script] = [inside('style'), inside('script')].map(all => all.map(([, one]) => hash(one)))
    t.equal(style?.length, styles)
    t.equal(script?.length, scripts)
    t.equal(
      sources,
      `style-src ${style?.join(' ') || "'none'"}; script-src ${script?.join(' ') || "'none'"}; img-src data:`,
    )
    t.notMatch(text, / style="| on[a-z]+="/)
  }
})

t.test('templates bypass escaping only for what a template has built', async t => {
  const allowed = [
    'icon',
    'style',
    'script',
    'page.main',
    'running',
    'body',
    'picture',
    'header',
    'content',
    'footer',
    'help',
    'languages',
    'choices',
    'keeping',
    'kept',
    'linkScript',
    'sendScript',
    'items',
    'picture',
    'stay',
    'list',
    'lines',
    'lead',
    'described',
  ]
  allowed.push(
    'send',
    'endButton',
    'rows',
    'here',
    'oneTime',
    'end',
    'fields',
    'where',
    'go',
    'code',
    'facts',
    'seen',
    'browser',
    'shown',
  )
  allowed.push('value', 'words', 'who', 'id', 'trace', 'sheets', 'programs')
  for (const file of ['pages', 'layout', 'sentence']) {
    const source = readFileSync(new URL(`../../../src/web/pages/${file}.ts`, import.meta.url), 'utf8')
    for (const [, expression = ''] of source.matchAll(/!\$\{([^}]*)/g)) {
      const builds = /^(button|actions|markup|traceLine)\(|^view\.cut \? html|^buttons\.map\(one => button/.test(
        expression,
      )
      t.ok(builds || allowed.includes(expression), `${file}: !\${${expression}}`)
    }
  }
})

t.test('browsers by name', async t => {
  const chrome = 'AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0'
  t.equal(browserName(`Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${chrome} Safari/537.36`), 'Chrome on Windows')
  t.equal(browserName(`Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${chrome} Safari/537.36 Edg/140.0`), 'Edge on Windows')
  t.equal(browserName(`Mozilla/5.0 (Linux; Android 10; K) ${chrome} Mobile Safari/537.36`), 'Chrome on Android')
  t.equal(
    browserName('Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1'),
    'Safari on iPhone',
  )
  const mac = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)'
  t.equal(
    browserName(
      'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/140.0 Safari/537.36',
    ),
    'Chrome on Linux',
  )
  t.equal(browserName(`${mac} ${chrome} Safari/537.36 OPR/120.0`), 'Opera on macOS')
  t.equal(browserName(`${mac} ${chrome} Safari/537.36 Vivaldi/7.5`), 'Vivaldi on macOS')
  t.equal(browserName(`${mac} AppleWebKit/605.1 (KHTML, like Gecko) Version/18.0 Safari/605.1`), 'Safari on macOS')
  t.equal(
    browserName(`Mozilla/5.0 (Linux; Android 15) ${chrome} SamsungBrowser/28.0 Mobile`),
    'Samsung Internet on Android',
  )
  t.equal(browserName('Mozilla/5.0 (iPad; CPU OS 18_0 like Mac OS X) CriOS/140.0 Safari/604.1'), 'Chrome on iPad')
  t.equal(browserName('Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) EdgiOS/140.0'), 'Edge on iPhone')
  t.equal(browserName('curl/8.5'), 'curl/8.5')
  t.equal(browserName(`x\u0007\u202e${'y'.repeat(100)}`), `x${'y'.repeat(59)}`)
  t.equal(browserName(undefined), '')
})
