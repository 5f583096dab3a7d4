// Roundup from PyPI, with its classic tracker on SQLite in one folder.

import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { copyFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { find } from '../../scripts/parts.mjs'
import { type ExampleDesk, environment, startServer } from '../start/desk.js'

const run = promisify(execFile)
const here = import.meta.dirname

export const desk: ExampleDesk = {
  title: 'Roundup',
  parts: ['roundup'],
  async start(options) {
    const python = find('roundup') ?? ''
    await setUp(python, options)
    return startServer([python, join(here, 'server.py'), String(options.port)], options.port, environment(options))
  },
}

/** The tracker is made beside its place and moved there when it is whole. */
async function setUp(python: string, { folder, publicUrl }: { folder: string; publicUrl: string }): Promise<void> {
  const tracker = join(folder, 'tracker')
  if (existsSync(tracker)) return
  const unfinished = join(folder, 'new')
  await rm(unfinished, { recursive: true, force: true })
  const admin = (...args: string[]) => run(python, ['-m', 'roundup.scripts.roundup_admin', '-i', unfinished, ...args])
  const settings = [
    `tracker_web=${publicUrl}/`,
    'mail_domain=desk.example',
    'mail_host=localhost',
    'mail_debug=mail.log',
  ]
  await admin('install', 'classic', 'sqlite', [...settings, 'web_cookie_takes_precedence=no'].join(','))
  // Nobody logs in with it.
  await admin('initialise', randomBytes(24).toString('base64url'))
  await copyFile(join(here, 'interfaces.py'), join(unfinished, 'interfaces.py'))
  await rename(unfinished, tracker)
}
