// A tab of Desk that is left alone, in Chromium, with the clocks of the gateway and the browser moved by hand.

import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { screenshot } from '../parts/browser.js'
import { openGuide } from '../parts/guide.js'
import { missingParts } from '../parts/required-parts.js'
import { axe, hour, scriptTag, startWarnedDesk, type WarnedDesk } from '../parts/warned-desk.js'

const minute = 60_000
const second = 1000

const stay = (page: Page) => page.getByRole('button', { name: 'Stay logged in' })
const dialog = (page: Page, name: string) => page.getByRole('alertdialog', { name })
const all = (pages: Page[], run: (page: Page) => Promise<unknown>) => Promise.all(pages.map(run))

async function start(t: Test, sessions: Record<string, unknown>) {
  const desk = await startWarnedDesk(sessions)
  t.teardown(desk.close)
  return desk
}

async function logInWith(desk: WarnedDesk, page: Page, button = 'Log in again') {
  const [popup] = await Promise.all([
    page.context().waitForEvent('page'),
    page.getByRole('link', { name: button }).click(),
  ])
  const closed = popup.waitForEvent('close')
  await popup.getByRole('button', { name: `I am ${desk.login.email}` }).click()
  await closed
}

t.test('idle', { skip: missingParts('chromium') }, async t => {
  const desk = await start(t, { idle: '1h', lifetime: '24h' })
  const profile = await desk.newProfile()
  const { context, complaints } = profile
  const [first, middle, third] = [await desk.openTab(context), await desk.openTab(context), await desk.openTab(context)]
  const tabs = [first, middle, third]

  await desk.move(57 * minute, profile)
  t.equal(await dialog(first, 'Are you still there?').count(), 0)
  await desk.move(minute + 10 * second, profile)
  await all(tabs, tab => dialog(tab, 'Are you still there?').waitFor())
  t.match(await dialog(first, 'Are you still there?').innerText(), /Time left:\s+1:\d\d/)
  await stay(middle).click()
  await all(tabs, tab => dialog(tab, 'Are you still there?').waitFor({ state: 'detached' }))
  t.equal(await desk.asked('POST /auth/session/touch', 1), 1, 'one click')

  await desk.move(57 * minute, profile)
  t.equal(await dialog(third, 'Are you still there?').count(), 0)
  await desk.move(minute + 10 * second, profile)
  await all(tabs, tab => dialog(tab, 'Are you still there?').waitFor())
  await desk.move(2 * minute, profile)
  await all(tabs, tab => dialog(tab, 'You have been logged out').waitFor())
  t.equal(await third.evaluate(async () => (await fetch('/api')).status), 401)

  await logInWith(desk, third)
  await all(tabs, tab => dialog(tab, 'You have been logged out').waitFor({ state: 'detached' }))
  t.equal(await first.evaluate(async () => (await fetch('/api')).status), 200)
  t.strictSame(serious(complaints), [])

  t.test('work in another tab is enough, and so is a key of the one that warns', async t => {
    await desk.move(58 * minute + 10 * second, profile)
    await all(tabs, tab => dialog(tab, 'Are you still there?').waitFor())
    await third.evaluate(() => fetch('/api'))
    await desk.move(11 * second, profile)
    await all(tabs, tab => dialog(tab, 'Are you still there?').waitFor({ state: 'detached' }))
    await desk.move(58 * minute + 10 * second, profile)
    await all(tabs, tab => dialog(tab, 'Are you still there?').waitFor())
    await first.keyboard.press('Space')
    await all(tabs, tab => dialog(tab, 'Are you still there?').waitFor({ state: 'detached' }))
    t.equal(await desk.asked('POST /auth/session/touch', 2), 2)
  })

  t.test('closed by Esc in one tab: the end is told again', async t => {
    await desk.move(58 * minute + 10 * second, profile)
    await all(tabs, tab => dialog(tab, 'Are you still there?').waitFor())
    await first.keyboard.press('Escape')
    await dialog(first, 'Are you still there?').waitFor({ state: 'detached' })
    await desk.move(30 * second, profile)
    t.equal(await dialog(first, 'Are you still there?').count(), 0, 'and stays closed')
    t.equal(await dialog(third, 'Are you still there?').count(), 1)
    await desk.move(2 * minute, profile)
    await all(tabs, tab => dialog(tab, 'You have been logged out').waitFor())
  })

  t.test('a login that another tab has made is seen when the tab is looked at again', async t => {
    const other = await desk.openTab(context, '/tickets/9')
    await other.close()
    await first.evaluate(() => dispatchEvent(new Event('focus')))
    await desk.move(2 * second, profile)
    await dialog(first, 'You have been logged out').waitFor({ state: 'detached' })
    t.equal(await first.evaluate(async () => (await fetch('/api')).status), 200)
  })
})

t.test('absolute end', { skip: missingParts('chromium') }, async t => {
  const desk = await start(t, { idle: '8h', lifetime: '1h' })
  const profile = await desk.newProfile()
  const { context, complaints } = profile
  const tabs = [await desk.openTab(context), await desk.openTab(context)]
  const [first, other] = tabs as [Page, Page]
  const before = (await context.cookies()).find(({ name }) => name === 'deskgate')?.value

  await desk.move(58 * minute + 10 * second, profile)
  await all(tabs, tab => dialog(tab, 'Your login is about to expire').waitFor())
  t.equal(await stay(first).count(), 0, 'no activity helps')
  await first.getByLabel('Reply').evaluate(area => ((area as HTMLTextAreaElement).value = 'half a sentence'))
  await logInWith(desk, first)
  await all(tabs, tab => dialog(tab, 'Your login is about to expire').waitFor({ state: 'detached' }))
  t.not((await context.cookies()).find(({ name }) => name === 'deskgate')?.value, before, 'a session of its own')
  await desk.move(30 * minute, profile)
  t.equal(await other.evaluate(async () => (await fetch('/api')).text()), 'data for ada@example.com')
  t.equal(await first.getByLabel('Reply').inputValue(), 'half a sentence', 'nothing is lost')

  t.test('somebody else logs in in the small window: every page of the first agent is loaded anew', async t => {
    await desk.move(28 * minute + 10 * second, profile)
    await all(tabs, tab => dialog(tab, 'Your login is about to expire').waitFor())
    desk.login.email = 'bob@example.com'
    await logInWith(desk, other)
    await all(tabs, tab => tab.getByText('bob@example.com').waitFor())
    t.equal(await first.getByLabel('Reply').inputValue(), '')
  })

  t.test('nobody clicks: the session ends', async t => {
    await desk.move(58 * minute + 10 * second, profile)
    await all(tabs, tab => dialog(tab, 'Your login is about to expire').waitFor())
    await desk.move(2 * minute, profile)
    await all(tabs, tab => dialog(tab, 'You have been logged out').waitFor())
    t.equal(await first.evaluate(async () => (await fetch('/api')).status), 401)
    t.strictSame(serious(complaints), [])
  })

  t.test('a refusal, in the small window: it can be closed, and leads on to a login that ends there', async t => {
    desk.login.email = 'eve@evil.example'
    const [popup] = await Promise.all([
      context.waitForEvent('page'),
      other.getByRole('link', { name: 'Log in again' }).click(),
    ])
    await popup.getByRole('button', { name: 'I am eve' }).click()
    await popup.getByText('agent.unknown').waitFor()
    await screenshot(popup, 'popup-refused')
    t.equal(await popup.getByRole('link', { name: 'Close this window' }).count(), 1)
    desk.login.email = 'bob@example.com'
    await popup.getByRole('link', { name: 'Log in another way' }).click()
    await popup.getByRole('link', { name: 'Log in with' }).click()
    const closed = popup.waitForEvent('close')
    await popup.getByRole('button', { name: 'I am bob' }).click()
    await closed
    await all(tabs, tab => dialog(tab, 'You have been logged out').waitFor({ state: 'detached' }))

    await desk.move(2 * hour, profile)
    await all(tabs, tab => dialog(tab, 'You have been logged out').waitFor())
    desk.login.email = 'eve@evil.example'
    const [second] = await Promise.all([
      context.waitForEvent('page'),
      other.getByRole('link', { name: 'Log in again' }).click(),
    ])
    await second.getByRole('button', { name: 'I am eve' }).click()
    await Promise.all([second.waitForEvent('close'), second.getByRole('link', { name: 'Close this window' }).click()])
    t.equal(await dialog(other, 'You have been logged out').count(), 1, 'still to be done')
  })

  t.test('an identity provider whose page cuts the window off from its opener', async () => {
    desk.login.email = 'bob@example.com'
    desk.login.headers = { 'cross-origin-opener-policy': 'same-origin' }
    await logInWith(desk, other)
    await all(tabs, tab => dialog(tab, 'You have been logged out').waitFor({ state: 'detached' }))
    desk.login.headers = {}
  })
})

t.test('deskgate.login()', { skip: missingParts('chromium') }, async t => {
  const desk = await start(t, { idle: '1h' })
  const profile = await desk.newProfile()
  const { context } = profile
  const page = await desk.openTab(context)
  /** What a script of Desk does with a request that fails. */
  const retry = (path: string, asked: Page = page) =>
    asked.evaluate(async path => {
      const first = await fetch(path)
      if (first.status !== 401) return first.text()
      const { loginUrl } = (await first.json()) as { loginUrl: string }
      const { deskgate } = window as unknown as { deskgate: { login(loginUrl?: string): Promise<boolean> } }
      return (await deskgate.login(loginUrl)) ? (await fetch(path)).text() : 'given up'
    }, path)

  t.test('the request that failed is sent again, after one login for all that wait', async t => {
    await desk.move(2 * hour)
    const answers = [retry('/api/1'), retry('/api/2')]
    await dialog(page, 'You have been logged out').waitFor()
    await logInWith(desk, page)
    t.strictSame(await Promise.all(answers), ['data for ada@example.com', 'data for ada@example.com'])
    t.equal(await dialog(page, 'You have been logged out').count(), 0)
  })

  t.test('the example of the guide', async t => {
    const guide = openGuide('docs/session-warning.md')
    t.same(guide.all('html'), [`${scriptTag}\n`], 'the tag is the one of these pages')
    const [code] = guide.all('js')
    await desk.move(2 * hour)
    const answer = page.evaluate(`(async () => { ${code}; return response.text() })()`)
    await dialog(page, 'You have been logged out').waitFor()
    await logInWith(desk, page)
    t.equal(await answer, 'data for ada@example.com')
  })

  t.test('a dialog that is closed: false', async t => {
    await desk.move(2 * hour)
    const answer = retry('/api/1')
    await dialog(page, 'You have been logged out').waitFor()
    await page.getByRole('button', { name: 'Close' }).click()
    t.equal(await answer, 'given up')
    const again = retry('/api/1')
    await logInWith(desk, page)
    t.equal(await again, 'data for ada@example.com')
  })

  t.test('with a session there is nothing to do', async t => {
    const calling = page.evaluate(() =>
      (window as unknown as { deskgate: { login(): Promise<boolean> } }).deskgate.login(),
    )
    t.equal(await calling, true)
    t.equal(await dialog(page, 'You have been logged out').count(), 0)
  })

  t.test('a step-up: the login that the page needs, with the session that there is', async t => {
    await desk.move(20 * minute, profile)
    const before = (await context.cookies()).find(({ name }) => name === 'deskgate')?.value
    const answer = retry('/api/fresh')
    await dialog(page, 'Please log in once more').waitFor()
    await screenshot(page, 'session-dialog-step-up')
    await logInWith(desk, page, 'Log in')
    t.equal(await answer, 'data for ada@example.com')
    t.not((await context.cookies()).find(({ name }) => name === 'deskgate')?.value, before)
  })

  t.test('a frame of Desk leaves it to the page around it', async t => {
    await page.evaluate(async () => {
      const frame = Object.assign(document.createElement('iframe'), { src: '/tickets/frame' })
      document.body.append(frame)
      await new Promise(loaded => frame.addEventListener('load', loaded))
    })
    const frame = page.frames().find(one => one.url().endsWith('/frame'))
    await desk.move(2 * hour, profile)
    await dialog(page, 'You have been logged out').waitFor()
    t.equal(await page.getByRole('alertdialog').count(), 1)
    t.equal(await frame?.getByRole('alertdialog').count(), 0)
    const answer = frame?.evaluate(() =>
      (window as unknown as { deskgate: { login(): Promise<boolean> } }).deskgate.login(),
    )
    await logInWith(desk, page)
    t.equal(await answer, true)
  })

  t.test('a public page without a session is left alone until it asks', async t => {
    const stranger = await desk.newProfile()
    t.teardown(stranger.close)
    await stranger.page.goto(`${desk.url}/open`)
    await desk.move(hour, stranger)
    t.equal(await stranger.page.getByRole('alertdialog').count(), 0)
    const answer = retry('/api/1', stranger.page)
    await logInWith(desk, stranger.page)
    t.equal(await answer, 'data for ada@example.com')
  })

  t.test('Attack: an address that is not the login', async t => {
    for (const address of [
      'https://evil.example/auth/login',
      '//evil.example',
      '/auth/logout',
      '/auth/loginx',
      'javascript:alert(1)',
    ]) {
      await t.rejects(
        page.evaluate(
          one => (window as unknown as { deskgate: { login(a: string): Promise<boolean> } }).deskgate.login(one),
          address,
        ),
        /not a login address/,
        address,
      )
    }
  })
})

t.test('what Desk sees of it', { skip: missingParts('chromium') }, async t => {
  const desk = await start(t, { idle: '1h', lifetime: '24h' })
  const profile = await desk.newProfile({ roots: 'closed' })
  const { context, complaints } = profile
  const page = await desk.openTab(context)
  t.strictSame(
    await page.evaluate(() => Object.keys(window).filter(name => /deskgate|setup|dialog|channel|known/.test(name))),
    ['deskgate'],
    'one global',
  )
  const globals = await page.evaluate(() => Object.getOwnPropertyNames(window).length)
  const without = await context.newPage()
  await without.goto(`${desk.url}/assets/none`)
  t.equal(globals, (await without.evaluate(() => Object.getOwnPropertyNames(window).length)) + 1)
  await without.close()

  await page.getByLabel('Reply').evaluate(area => (area as HTMLElement).style.setProperty('display', 'block'))
  await page.getByLabel('Reply').focus()
  await desk.move(58 * minute + 10 * second, profile)
  const inside = () => page.evaluate(() => document.activeElement?.tagName)
  await page.waitForFunction(() => document.activeElement?.tagName === 'DIV')
  t.equal(await page.evaluate(() => document.activeElement?.shadowRoot), null, 'the root is closed')
  t.equal(await page.evaluate(() => document.querySelectorAll('style, [style*=border]').length), 0)
  await page.keyboard.press('Tab')
  await page.keyboard.press('Tab')
  t.equal(await page.title(), 'Desk', 'no key reaches the shortcuts of Desk')
  await screenshot(page, 'session-dialog-beside-odd-styles')
  await page.keyboard.press('Escape')
  await page.waitForFunction(() => document.activeElement?.tagName === 'TEXTAREA')
  t.equal(await inside(), 'TEXTAREA', 'the focus is where it was')
  t.strictSame(serious(complaints), [], 'also by the policy of Desk')

  t.test('the tag twice, and a page that replaces everything', async t => {
    await page.evaluate(() => {
      const tag = Object.assign(document.createElement('p'), {})
      document.body.replaceChildren(tag)
    })
    await desk.move(2 * minute, profile)
    await page.waitForFunction(() => document.activeElement?.tagName === 'DIV')
    t.equal(await page.evaluate(() => document.documentElement.lastElementChild?.tagName), 'DIV')
  })
})

t.test('odd clocks and outages', { skip: missingParts('chromium') }, async t => {
  const desk = await start(t, { idle: '1h', lifetime: '24h' })
  const profile = await desk.newProfile()
  const { context } = profile
  const page = await desk.openTab(context)
  const reads = (atLeast = 0) => desk.asked('GET /auth/session', atLeast)

  t.test('a browser clock that is set ahead, or back: it asks, and warns at the right time', async t => {
    const before = await reads()
    await context.clock.setSystemTime(Date.UTC(2035, 0, 1))
    await context.clock.fastForward(minute + second)
    await page.waitForFunction(() => true)
    await page.evaluate(() => fetch('/auth/session'))
    t.ok((await reads(before + 2)) > before + 1)
    t.equal(await page.getByRole('alertdialog').count(), 0)
    await context.clock.setSystemTime(Date.UTC(1999, 0, 1))
    await desk.move(58 * minute + 10 * second, profile)
    await dialog(page, 'Are you still there?').waitFor()
    await stay(page).click()
    await dialog(page, 'Are you still there?').waitFor({ state: 'detached' })
  })

  t.test('the gateway is out of reach: the warning comes all the same, and a click that fails says so', async () => {
    await context.setOffline(true)
    await desk.move(58 * minute + 10 * second, profile)
    await dialog(page, 'Are you still there?').waitFor()
    await stay(page).click()
    await page.getByText('That did not work').waitFor()
    await context.setOffline(false)
    await stay(page).click()
    await dialog(page, 'Are you still there?').waitFor({ state: 'detached' })
  })

  t.test('Attack: a page that floods the channel costs one question a second', async t => {
    const other = await desk.openTab(context, '/tickets/evil')
    const before = await reads()
    await other.evaluate(() => {
      const channel = new BroadcastChannel('deskgate')
      for (let i = 0; i < 5000; i++) channel.postMessage(i % 2 ? 'login' : { ends: 1e15, agent: 'eve' })
    })
    await desk.move(1100, profile)
    await page.evaluate(() => fetch('/auth/session'))
    const asked = (await reads(before + 1)) - before
    t.ok(asked >= 1 && asked <= 8, `${asked} questions of two tabs`)
    t.equal(await page.getByRole('alertdialog').count(), 0)
    await other.close()
  })

  t.test('Attack: another site opens the small window of an agent who is logged in, or not', async t => {
    const evil = await context.newPage()
    await evil.route('**/evil', route => route.fulfill({ contentType: 'text/html', body: '<title>evil</title>' }))
    await evil.goto('http://127.0.0.1:9/evil')
    for (const path of ['/auth/login?display=popup', '/auth/login/portal?display=popup']) {
      const [popup] = await Promise.all([
        context.waitForEvent('page'),
        evil.evaluate(url => void Object.assign(window, { w: open(url, 'w') }), desk.url + path),
      ])
      await popup.waitForLoadState()
      if (path.includes('portal')) await popup.getByRole('button', { name: 'I am' }).click()
      await popup.waitForURL(`${desk.url}/`)
      t.notOk(popup.isClosed(), 'it ends at Desk, as any login')
      await popup.close()
    }
    const loaded = await evil.evaluate(
      url =>
        new Promise(done => {
          const tag = document.createElement('script')
          tag.addEventListener('load', () => done('loaded'))
          tag.addEventListener('error', () => done('refused'))
          tag.src = url
          document.head.append(tag)
        }),
      `${desk.url}/auth/session.js`,
    )
    t.equal(loaded, 'refused')
    await evil.evaluate(url => {
      const form = Object.assign(document.createElement('form'), { method: 'post', action: url })
      document.documentElement.append(form)
      form.submit()
    }, `${desk.url}/auth/session/touch`)
    await evil.getByText('This was not sent from here').waitFor()
    await evil.close()
  })
})

for (const language of ['en', 'de', 'ar']) {
  t.test(`how it looks: ${language}`, { skip: missingParts('chromium') }, async t => {
    const desk = await start(t, { idle: '1h', lifetime: '110m' })
    const profile = await desk.newProfile({ language, width: 320 })
    const page = await desk.openTab(profile.context)
    const look = async (name: string) => {
      await page.getByRole('alertdialog').waitFor()
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme })
        await page.evaluate(axe)
        const { violations } = await page.evaluate(() =>
          (
            window as unknown as {
              axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> }
            }
          ).axe.run(),
        )
        t.strictSame(
          violations.map(({ id, nodes }) => `${id} ${nodes[0]?.html}`),
          [],
          `${name} ${colorScheme}`,
        )
        await screenshot(page, `session-dialog-${name}-${language}-${colorScheme}`)
        const cut = await page
          .getByRole('alertdialog')
          .evaluate(one =>
            [...one.querySelectorAll('*'), one]
              .filter(part => part.scrollWidth > part.clientWidth + 1 && !part.matches('.said'))
              .map(part => part.outerHTML),
          )
        t.strictSame(cut, [], 'nothing is cut off')
      }
    }
    await desk.move(58 * minute + 10 * second, profile)
    await look('idle')
    await page.keyboard.press('Space')
    await page.getByRole('alertdialog').waitFor({ state: 'detached' })
    await desk.move(50 * minute, profile)
    await look('absolute')
    await desk.move(2 * minute, profile)
    await page.locator('.covers').waitFor()
    await look('ended')
  })
}

/** Without what the browser says of answers that are expected. */
function serious(complaints: string[]): string[] {
  return complaints.filter(text => !/status of (401|403|503)|ERR_INTERNET_DISCONNECTED/.test(text))
}
