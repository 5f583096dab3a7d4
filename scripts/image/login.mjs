// The row of compose.yaml: what it starts leads to a login in a real browser, and nothing on the way warns.

import { chromium } from 'playwright-core'
import { find } from '../parts.mjs'
import { must, seconds, until } from '../tried.mjs'

const warnings = logs => logs.split('\n').filter(line => /^warning|"level":"(warn|error|fatal)"/.test(line))

async function logIn(page, way) {
  await page.goto('http://localhost:8080/')
  const link = page.getByRole('link', { name: way })
  await link.or(page.getByRole('button', { name: way })).click()
  await page.getByRole('button', { name: 'Maya Okafor' }).click()
  await page.waitForURL('http://localhost:8080/**')
  must(/Maya Okafor/.test((await page.textContent('header')) ?? ''), `no Desk: ${await page.textContent('body')}`)
}

/** One fresh profile for each way in. */
async function inBrowser(executablePath) {
  const browser = await chromium.launch({ executablePath, chromiumSandbox: process.getuid?.() !== 0 })
  const complaints = []
  try {
    for (const way of [/SAML/, /JWT/]) {
      const page = await (await browser.newContext()).newPage()
      page.on('console', message => ['warning', 'error'].includes(message.type()) && complaints.push(message.text()))
      page.on('pageerror', error => complaints.push(String(error)))
      await logIn(page, way)
    }
  } finally {
    await browser.close()
  }
  must(complaints.length === 0, complaints.join())
}

export async function loggedIn(host) {
  if (!host.compose) return 'not seen: no compose program is installed here'
  const executablePath = find('chromium')
  if (!executablePath) return 'not seen: Chromium is not installed here'
  host.run('docker rm --force deskgate')
  // As the page has it, but in the background.
  const began = Date.now()
  host.start(`${host.text('docker compose up').trim()} > ${host.folder}/compose.log 2>&1`)
  await until('the gateway answers', async () => (await host.ask('/auth/logged-out')).status > 0, 300)
  const took = seconds(began)
  await inBrowser(executablePath)
  const name = host
    .run(`docker ps --format '{{.Names}}'`)
    .stdout.split('\n')
    .find(one => /^deskgate[-_]deskgate[-_]1$/.test(one))
  must(name, 'no container of Deskgate')
  const logs = host.logs(name)
  must(warnings(logs).length === 0, warnings(logs).join())
  const tested = host.inspect(name, '{{index .Config.Healthcheck.Test 1}}')
  must(tested === 'node', `health check: ${tested}`)
  const removed = host.block('docker compose down')
  must(removed.status === 0, removed.stderr)
  return `Deskgate answers after ${took}; Chromium logs in by SAML and by JWT, without a warning in its console or in the log`
}
