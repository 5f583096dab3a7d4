// Looks at a page as agents meet it: in English, German and Arabic, light and dark, on a phone and on a desktop, with scripts
// and without. Nothing may be cut off or stick out, axe may find nothing, and screenshots are kept as
// test/screenshots/pages/NAME-LANGUAGE-SCHEME-WIDTH.png: wide in light, as a phone in dark.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'
import type { Test } from 'tap'
import { type Chromium, type Profile, screenshot } from './browser.js'

export interface CheckedPage {
  name: string
  /** Goes to the page, in an empty profile each time. */
  open(profile: Profile): Promise<unknown>
  /** A console message of the browser that the page is expected to cause, such as that of its status. */
  complaint?: RegExp
}

const languages = { en: 'ltr', de: 'ltr', ar: 'rtl' } as const
/** With the width of the screenshot. */
const schemes = { light: 1200, dark: 320 } as const
const widths = [320, 1200]

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/**
 * Every page in every language, with scripts and without: in two profiles for each language, emptied before each page.
 */
export async function checkPages(t: Test, browser: Chromium, pages: readonly CheckedPage[]): Promise<void> {
  for (const [lang, dir] of Object.entries(languages)) {
    const [found, plain] = await Promise.all([
      browser.newProfile({ height: 700, locale: lang }),
      browser.newProfile({ height: 700, locale: lang, scripts: 'off' }),
    ])
    t.teardown(() => Promise.all([found.close(), plain.close()]))
    for (const checked of pages) {
      await t.test(`${checked.name} in ${lang}`, async t => {
        await openIn(found, checked)
        const heading = await checkLanguage(t, found.page, lang, dir)
        await checkLooks(t, found.page, `${checked.name}-${lang}`)
        const unexpected = (texts: string[]) => texts.filter(text => !checked.complaint?.test(text))
        t.strictSame(unexpected(found.complaints), [], 'no complaints')
        await openIn(plain, checked)
        t.equal(await plain.page.locator('h1').innerText(), heading, 'the same without scripts')
        t.strictSame(unexpected(plain.complaints), [], 'no complaints without scripts')
      })
    }
  }
}

async function checkLooks(t: Test, page: Page, name: string): Promise<void> {
  for (const width of widths) {
    await page.setViewportSize({ width, height: 700 })
    t.strictSame(await page.evaluate<string[]>(cutOff), [], `${name}: nothing is cut off, ${width} px`)
  }
  await page.evaluate(axe)
  for (const [scheme, width] of Object.entries(schemes)) {
    const colorScheme = scheme as keyof typeof schemes
    await page.emulateMedia({ colorScheme })
    await page.setViewportSize({ width, height: 700 })
    await screenshot(page, `pages/${name}-${scheme}-${width}`)
    t.strictSame(await violationsOf(page), [], `${name}, ${scheme}: axe`)
  }
}

async function openIn(profile: Profile, { open }: CheckedPage): Promise<void> {
  await profile.context.clearCookies()
  await profile.context.unrouteAll()
  profile.complaints.length = 0
  await open(profile)
}

async function checkLanguage(t: Test, page: Page, lang: string, dir: string): Promise<string> {
  const root = page.locator('html')
  t.equal(await root.getAttribute('lang'), lang)
  t.equal(await root.getAttribute('dir'), dir)
  t.equal(await page.locator('h1').count(), 1)
  return await page.locator('h1').innerText()
}

/** Pages as markup, on a small phone: nothing may be cut off. */
export async function checkMarkup(t: Test, browser: Chromium, pages: ReadonlyMap<string, string>): Promise<void> {
  const { page, close } = await browser.newProfile({ width: 320, height: 700 })
  for (const [name, text] of pages) {
    await page.setContent(text)
    t.strictSame(await page.evaluate<string[]>(cutOff), [], name)
  }
  await close()
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

/** In a page that axe is loaded into. */
async function violationsOf(page: Page): Promise<string[]> {
  return await page.evaluate<string[]>(`axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
    violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => id + ': ' + target.join(' '))))`)
}
