// `deskgate demo` as `npm start` runs it: one process, in a real browser, with scripts and without.

import { once } from 'node:events'
import type { Page } from 'playwright-core'
import t from 'tap'
import { screenshot, startChromium } from '../parts/browser.js'
import { spawnDeskgate } from '../parts/command.js'
import { freePort } from '../parts/ports.js'
import { missingParts } from '../parts/required-parts.js'
import { until } from '../parts/wait-until.js'

t.test('the demo', { skip: missingParts('chromium') }, async t => {
  const port = await freePort()
  const url = `http://localhost:${port}`
  const child = spawnDeskgate(['demo', '--port', String(port)])
  const browser = await startChromium()
  t.teardown(async () => {
    await browser.close()
    child.kill('SIGKILL')
  })
  let said = ''
  child.stdout?.on('data', chunk => {
    said += chunk
  })
  await until(() => said.includes('The Deskgate demo is up.') && said.includes('Ctrl+C'), 30_000)
  t.match(said, url)

  for (const scripts of ['on', 'off'] as const) {
    for (const way of ['SAML', 'JWT']) {
      t.test(`${way}, scripts ${scripts}: stopped, logged in, at work, logged out, stopped again`, async t => {
        const { page, context, complaints, close } = await browser.newProfile({ scripts })
        t.teardown(close)
        await page.goto(url)
        t.equal(page.url(), `${url}/auth/login?return_to=%2F`, 'stopped')
        await screenshot(page, `flow-login-${way}-${scripts}`)
        await logIn(page, { way, person: 'João Silva', scripts })
        await page.getByText('Aloha, João').waitFor()
        t.equal(page.url(), `${url}/`)
        t.match(await page.locator('#identity').innerText(), /✓ verified[\s\S]*João Silva[\s\S]*joao@aloha\.example/)
        await screenshot(page, `flow-desk-${way}-${scripts}`)

        await page.getByRole('link', { name: /Two charges/ }).click()
        const reply = `Thank you, by ${way} with scripts ${scripts}.`
        await page.getByLabel('Reply as João Silva').fill(reply)
        await page.getByRole('button', { name: 'Send reply' }).click()
        await page.getByText(reply).waitFor()

        await page.getByRole('button', { name: 'Log out' }).click()
        await page.getByText('You are logged out').waitFor()
        t.not(new URL(page.url()).origin, url, "at the provider's Remote logout URL")
        const left = (await context.cookies()).map(({ name }) => name).filter(name => !name.includes('-login.'))
        t.same(left, ['deskgate-way'], 'all that is remembered')
        await page.goto(`${url}/team`)
        t.equal(page.url(), `${url}/auth/login?return_to=%2Fteam`, 'stopped again')
        t.same(complaints, [])
      })
    }
  }

  t.test('a person who is not an agent gets a page with a reference, and no session', async t => {
    const { page, context, close } = await browser.newProfile()
    t.teardown(close)
    await page.goto(url)
    await logIn(page, { way: 'JWT', person: 'Sam Turner', scripts: 'on' })
    await page.getByText('You have no access to the help desk').waitFor()
    t.match(await page.locator('.reference').innerText(), /\w{5}-\w{5}[\s\S]*agent\.unknown/)
    await screenshot(page, 'flow-no-agent')
    t.notOk((await context.cookies()).some(({ name }) => name === 'deskgate'))
    await page.goto(url)
    t.equal(page.url(), `${url}/auth/login?return_to=%2F`, 'and no loop')
  })

  t.test('Ctrl+C ends it with 0', async t => {
    const gone = once(child, 'exit')
    child.kill('SIGINT')
    t.equal((await gone)[0], 0)
  })
})

async function logIn(page: Page, how: { way: string; person: string; scripts: 'on' | 'off' }): Promise<void> {
  await page.getByRole('link', { name: new RegExp(how.way) }).click()
  await page.getByRole('button', { name: how.person }).click()
  // Without scripts the answer does not send itself.
  if (how.scripts === 'off') await page.getByRole('button', { name: 'Continue to Desk' }).click()
}
