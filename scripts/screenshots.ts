// Makes the pictures of the gateway's pages in docs/images, from the sample pages: `npx tsx scripts/screenshots.ts`. Needs
// Chromium.

import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { loadConfigText } from '../src/config/load.js'
import { createReader } from '../src/config/reader.js'
import { startPreview } from '../src/demo/pages-preview.js'

/** File → page of the preview. */
const pictures = {
  login: 'login?lang=en&scheme=light',
  refused: 'refused-agent.unknown?lang=en&scheme=light',
  sessions: 'sessions?lang=en&scheme=dark',
  arabic: 'login?lang=ar&scheme=light',
}
/** Bytes: readers of the README load all of them. */
const most = 120_000

const settings = {
  publicUrl: 'https://desk.example.com',
  desk: { url: 'http://localhost:3000' },
  agents: [{ any: true }],
  providers: [],
  login: { alsoAllowDeskAuthentication: { paths: ['/login'], whoami: '/me', email: '/email', cookie: 'session' } },
  pages: { name: 'Aloha Help Desk', support: { text: 'IT support, ext. 4711' } },
}

const preview = await startPreview({
  load: async () =>
    loadConfigText(JSON.stringify(settings), {
      file: 'deskgate.yaml',
      reader: createReader({ folder: '.', env: {} }),
      now: Date.now(),
    }),
  port: 0,
  io: { out: () => {}, err: line => void process.stderr.write(`${line}\n`) },
})
const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync)
const browser = await chromium.launch({
  ...(executablePath === undefined ? {} : { executablePath }),
  chromiumSandbox: process.getuid?.() !== 0,
})
const page = await browser.newPage({ viewport: { width: 720, height: 840 } })
for (const [name, path] of Object.entries(pictures)) {
  const file = join(import.meta.dirname, `../docs/images/${name}.png`)
  const response = await page.goto(`${preview.url}/${path}`)
  if (!response?.ok()) throw new Error(await response?.text())
  await page.screenshot({ path: file, animations: 'disabled' })
  const { size } = statSync(file)
  process.stdout.write(`${name}.png: ${size} bytes\n`)
  if (size > most) throw new Error(`${name}.png has more than ${most} bytes`)
}
await browser.close()
await preview.close()
