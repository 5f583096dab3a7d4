// The preview serves every page in every language and scheme, with the company's templates, and reads them anew.

import t, { type Test } from 'tap'
import { loadPages } from '../../src/cli/commands/configuration.js'
import { reasons } from '../../src/core/reasons.js'
import { samplePages } from '../../src/demo/page-samples.js'
import { startPreview } from '../../src/demo/pages-preview.js'
import { refusalOf } from '../../src/web/pages/i18n/texts.js'
import { startChromium } from '../parts/browser.js'
import { load, settings } from '../parts/configuration.js'
import { missingParts } from '../parts/required-parts.js'

const open = async (t: Test, files: Record<string, string>, pages: object) => {
  const err: string[] = []
  const config = settings({ pages })
  const preview = await startPreview({
    load: async () => load(config, { files }),
    port: 0,
    io: { out: () => {}, err: line => void err.push(line) },
  })
  t.teardown(preview.close)
  return { ...preview, err }
}

t.test('every page is there, by language and scheme', async t => {
  const { url } = await open(t, {}, { name: 'Aloha' })
  const names = [...samplePages(0).keys()]
  const index = await (await fetch(url)).text()
  for (const name of names) {
    t.ok(index.includes(`href="/${name}?lang=ar&scheme=dark"`) || index.includes(`/${name}?lang&#61;ar`), name)
    const page = await fetch(`${url}/${name}?lang=ar&scheme=dark`)
    t.equal(page.status, 200)
    const text = await page.text()
    t.match(text, '<html lang="ar" dir="rtl">')
    t.notMatch(text, 'prefers-color-scheme')
    t.match(text, name.startsWith('warning-') ? 'createDialog' : 'Aloha')
  }
  const shown = names.flatMap(name => (name.startsWith('refused-') ? [name.slice(8)] : []))
  for (const reason of reasons)
    t.ok(
      shown.some(name => refusalOf[name as (typeof reasons)[number]] === refusalOf[reason]),
      reason,
    )
})

t.test('without a configuration the built-in pages are there', async t => {
  const loaded = await loadPages('/nowhere/deskgate.yaml', { env: {}, given: false })
  t.ok('config' in loaded)
  t.notOk('config' in (await loadPages('/nowhere/deskgate.yaml', { env: {}, given: true })))
})

t.test('a changed template shows at the next look, a broken one says where', async t => {
  const files: Record<string, string> = { 'templates/header.mustache': '<b>first</b>' }
  const { url } = await open(t, files, { templates: 'templates' })
  t.match(await (await fetch(`${url}/login`)).text(), '<b>first</b>')
  files['templates/header.mustache'] = '<b>second</b>'
  t.match(await (await fetch(`${url}/login`)).text(), '<b>second</b>')
  files['templates/header.mustache'] = '\n{{nonsense}}'
  const broken = await fetch(`${url}/login`)
  t.equal(broken.status, 500)
  t.match(await broken.text(), /header\.mustache:2:1 nonsense: unknown value/)
})

t.test('in Chromium: colours, an SVG with a script, local time', { skip: missingParts('chromium') }, async t => {
  const browser = await startChromium()
  t.teardown(browser.close)
  const logo =
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" onload="top.hit=1"><script>top.hit=1;fetch("http://127.0.0.1:1/")</script><rect width="9" height="9"/></svg>'
  const templates = {
    'templates/footer.mustache':
      '<p onclick="window.hit=1">x</p><script>window.hit=1</script><p style="color:red" id="p">y</p>',
    'templates/style.css': 'main{border-top:7px solid rgb(1,2,3)}',
  }
  const { url } = await open(
    t,
    { ...templates, 'logo.svg': logo },
    { logo: 'logo.svg', color: '#ff0', templates: 'templates' },
  )
  const visit = await browser.newProfile({ width: 320 })
  t.teardown(visit.close)
  const { page } = visit
  await page.goto(`${url}/sessions?lang=de&scheme=light`)
  t.equal(await page.evaluate('window.hit'), undefined, 'nothing of it ran')
  t.ok(await page.evaluate('document.querySelector(".brand img").naturalWidth > 0'), 'the logo is shown')
  t.equal(await page.evaluate('getComputedStyle(document.querySelector("main")).borderTopWidth'), '7px')
  t.not(await page.evaluate('getComputedStyle(document.querySelector("#p")).color'), 'rgb(255, 0, 0)')
  t.notMatch(await page.locator('.sessions time').first().innerText(), 'UTC +', 'a moment of this browser')
  await page.locator('footer p').first().click()
  t.equal(await page.evaluate('window.hit'), undefined)
  t.ok(await page.evaluate('document.documentElement.scrollWidth <= 320'), 'fits a phone')
})
