// Looks at a page as agents meet it: in English, German and Arabic, light and dark, on a phone and on a desktop, with scripts
// and without. Nothing may be cut off or stick out, axe may find nothing, and each look is kept as
// test/screenshots/pages/NAME-LANGUAGE-SCHEME-WIDTH.png.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'
import type { Test } from 'tap'
import { type Chromium, type Profile, screenshot } from './browser.js'

export interface CheckedPage {
  name: string
  /** Goes to the page, in a profile of its own each time. */
  open(profile: Profile): Promise<unknown>
  /** A console message of the browser that the page is expected to cause, such as that of its status. */
  complaint?: RegExp
}

const languages = { en: 'ltr', de: 'ltr', ar: 'rtl' } as const
const schemes = ['light', 'dark'] as const
const widths = [320, 1200] as const

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Every page × language × scheme × width with scripts, and every page × language without. */
export async function checkPages(t: Test, browser: Chromium, pages: readonly CheckedPage[]): Promise<void> {
  for (const checked of pages) {
    for (const [lang, dir] of Object.entries(languages)) {
      await t.test(`${checked.name} in ${lang}`, async t => {
        const found = await openIn(t, browser, checked, { locale: lang })
        const heading = await checkLanguage(t, found.page, lang, dir)
        for (const colorScheme of schemes) {
          await found.page.emulateMedia({ colorScheme })
          for (const width of widths) {
            await found.page.setViewportSize({ width, height: 700 })
            const name = `${checked.name}-${lang}-${colorScheme}-${width}`
            await screenshot(found.page, `pages/${name}`)
            t.strictSame(await found.page.evaluate<string[]>(cutOff), [], `${name}: nothing is cut off`)
          }
          t.strictSame(await violationsOf(found.page), [], `${checked.name} in ${lang}, ${colorScheme}: axe`)
        }
        const plain = await openIn(t, browser, checked, { locale: lang, scripts: 'off' })
        t.equal(await plain.page.locator('h1').innerText(), heading, 'the same without scripts')
        for (const { complaints } of [found, plain]) {
          t.strictSame(
            complaints.filter(text => !checked.complaint?.test(text)),
            [],
            'no complaints',
          )
        }
      })
    }
  }
}

async function openIn(t: Test, browser: Chromium, { open }: CheckedPage, options: object): Promise<Profile> {
  const profile = await browser.newProfile({ height: 700, ...options })
  t.teardown(profile.close)
  await open(profile)
  return profile
}

async function checkLanguage(t: Test, page: Page, lang: string, dir: string): Promise<string> {
  const root = page.locator('html')
  t.equal(await root.getAttribute('lang'), lang)
  t.equal(await root.getAttribute('dir'), dir)
  t.equal(await page.locator('h1').count(), 1)
  return await page.locator('h1').innerText()
}

/** What sticks out of the window or of its box, and what lies over another text. */
const cutOff = `(() => {
  const found = []
  const { clientWidth, scrollWidth } = document.documentElement
  if (scrollWidth > clientWidth) found.push('the page scrolls sideways: ' + scrollWidth + ' > ' + clientWidth)
  for (const element of document.body.querySelectorAll('*')) {
    const box = element.getBoundingClientRect()
    if (box.width === 0 || element.closest('script, style, [hidden]')) continue
    const name = element.tagName + '.' + element.className + ' ' + (element.textContent || '').trim().slice(0, 40)
    if (box.left < -0.5 || box.right > clientWidth + 0.5) found.push('sticks out: ' + name)
    if (element.closest('svg') || getComputedStyle(element).display === 'inline') continue
    if (element.scrollWidth > element.clientWidth + 1) found.push('wider than its box: ' + name)
    if (element.scrollHeight > element.clientHeight + 1 && getComputedStyle(element).overflowY !== 'visible')
      found.push('higher than its box: ' + name)
  }
  return found
})()`

async function violationsOf(page: Page): Promise<string[]> {
  await page.evaluate(axe)
  return await page.evaluate<string[]>(`axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
    violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => id + ': ' + target.join(' '))))`)
}
