import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { html } from 'ghtml'
import t from 'tap'
import { reasons } from '../../../src/core/reasons.js'
import { linkScript, sendingPage, sendScript } from '../../../src/web/pages/fragment.js'
import { en } from '../../../src/web/pages/i18n/en.js'
import { refusalOf } from '../../../src/web/pages/i18n/texts.js'
import { contentPolicy } from '../../../src/web/pages/layout.js'
import { chooserPage, leavingPage, noticePage, refusedPage, sessionsPage } from '../../../src/web/pages/pages.js'
import { fill, markup } from '../../../src/web/pages/sentence.js'
import { languagesOf } from '../../../src/web/pages/texts.js'
import { browserName } from '../../../src/web/request/user-agent.js'

const evil = `"><script>alert(1)</script>'&=`
const place = { texts: en, site: 'desk.example.com' }

for (const texts of languagesOf({ languages: [], texts: null })) {
  t.test(`every reason has words of its own kind: a title, what to do: ${texts.lang}`, async t => {
    for (const reason of reasons) {
      const { title, text } = texts.refusals[refusalOf[reason]]
      t.ok(title.length > 5 && title.length < 60, `${reason}: ${title}`)
      t.ok(text.length > 20, reason)
      t.notMatch(text, /assertion|token|JWT|SAML|signature|IdP/, 'plain words')
      const button = { label: 'x', to: { get: '/' } }
      const page = refusedPage({ ...place, texts }, { reason, reference: 'ABCDE-FGHJK', button })
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

t.test('Attack: overrides of the direction, emoji and length in a value stay inside it', async t => {
  const value = `\u202emoc.live@ada\u2066${'x'.repeat(300)}😀`
  const shown = markup(fill(en.logout.text, { email: value }), en)
  t.equal(shown, `You are logged in as <bdi>\ufffdmoc.live@ada\ufffd${'x'.repeat(300)}😀</bdi>.`)
  const arabic = markup(fill(en.chooser.with, { name: 'أ' }), en)
  t.equal(arabic, 'Login with <bdi>أ</bdi>')
  t.equal(markup(fill(en.chooser.with, { name: 'Aloha' }), en), 'Login with Aloha', 'nothing to isolate')
  t.equal(markup(fill(en.chooser.with, { name: '1-A' }), { ...en, dir: 'rtl' }), 'Login with <bdi>1-A</bdi>')
  t.equal(markup({ text: 'a {b} {toString}', values: {} }, en), 'a {b} {toString}')
})

t.test('Attack: markup in any value that a page shows', async t => {
  const pages = [
    chooserPage(
      { ...place, site: evil },
      { methods: [{ name: evil, href: evil }], desk: evil, already: { email: evil, href: evil }, fragment: 'kept' },
    ),
    sendingPage({ ...place, site: evil }, evil),
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
      rows: [{ handle: evil, browser: evil, address: evil, createdAt: 0, seenAt: 0, here: true }],
      cut: true,
      end: evil,
      logout: evil,
    }),
  ]
  for (const page of pages) {
    t.notMatch(page, '<script>alert')
    t.ok(page.includes('&#60;script&#62;alert(1)'))
  }
})

t.test('a page is whole: language, title, viewport, one heading, nothing from elsewhere', async t => {
  const page = noticePage(place, { title: 'A', text: 'B', buttons: [] })
  t.match(page, /^<!doctype html>\n<html lang="en" dir="ltr">/)
  t.match(page, '<title>A · desk.example.com</title>')
  t.match(page, 'name="viewport"')
  t.equal(page.match(/<h1>/g)?.length, 1)
  t.notMatch(page, /src=|url\(|@import|https?:\/\/(?!www\.w3\.org)/)
})

t.test('the policy names exactly the style and the scripts that the pages hold', async t => {
  const page = leavingPage(place, 'x', { post: '/x', fields: {} })
  const chooser = chooserPage(place, { methods: [{ name: 'x', href: '/x' }], fragment: 'kept' })
  const hash = (text = '') => `'sha256-${createHash('sha256').update(text).digest('base64')}'`
  const policy = contentPolicy([], undefined, [sendScript, linkScript])
  t.match(policy, `style-src ${hash(/<style>(.*?)<\/style>/s.exec(page)?.[1])};`)
  const scripts = [page, sendingPage(place, '/x'), chooser].map(one => hash(/<script>(.*?)<\/script>/s.exec(one)?.[1]))
  t.match(policy, `script-src ${scripts.join(' ')};`)
  t.equal(new Set(scripts).size, 3)
  t.notMatch(page, / style="| on[a-z]+="/)
})

t.test('templates bypass escaping only for what a template has built', async t => {
  const allowed = [
    'icon',
    'style',
    'script',
    'page.main',
    'sending',
    'running',
    'languages',
    'choices',
    'keeping',
    'kept',
    'linkScript',
    'sendScript',
    'items',
    'deskItem',
    'stay',
  ]
  allowed.push(
    'send',
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
  allowed.push('value', 'words', 'who', 'id')
  for (const file of ['pages', 'layout', 'sentence', 'fragment']) {
    const source = readFileSync(new URL(`../../../src/web/pages/${file}.ts`, import.meta.url), 'utf8')
    for (const [, expression = ''] of source.matchAll(/!\$\{([^}]*)/g)) {
      const builds = /^(button|actions|markup)\(|^view\.cut \? html|^buttons\.map\(one => button/.test(expression)
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
  t.equal(browserName('curl/8.5'), 'curl/8.5')
  t.equal(browserName(`x\u0007\u202e${'y'.repeat(100)}`), `x${'y'.repeat(59)}`)
  t.equal(browserName(undefined), '')
})
