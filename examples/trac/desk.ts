// Trac from PyPI, with an environment on SQLite in one folder.

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { copyFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { find } from '../../scripts/parts.mjs'
import { type ExampleDesk, environment, startServer } from '../start/desk.js'

const run = promisify(execFile)
const here = import.meta.dirname

export const desk: ExampleDesk = {
  title: 'Trac',
  parts: ['trac'],
  async start(options) {
    const python = find('trac') ?? ''
    await setUp(python, options)
    return startServer([python, join(here, 'server.py'), String(options.port)], options.port, environment(options))
  },
}

/** The environment is made beside its place and moved there when it is whole. */
async function setUp(python: string, { folder, publicUrl }: { folder: string; publicUrl: string }): Promise<void> {
  const environment = join(folder, 'trac')
  if (existsSync(environment)) return
  const unfinished = join(folder, 'new')
  await rm(unfinished, { recursive: true, force: true })
  const admin = (...args: string[]) => run(python, ['-m', 'trac.admin.console', unfinished, ...args])
  await admin('initenv', 'Help desk', 'sqlite:db/trac.db')
  const settings = [
    ['trac', 'base_url', publicUrl],
    // Redirects lead to it also where TLS ends before Trac.
    ['trac', 'use_base_url_for_redirect', 'enabled'],
    ['trac', 'secure_cookies', publicUrl.startsWith('https:') ? 'enabled' : 'disabled'],
    ['attachment', 'max_size', String(100 * 1024 * 1024)],
  ]
  for (const [section = '', name = '', value = ''] of settings) await admin('config', 'set', section, name, value)
  await admin('permission', 'remove', 'anonymous', '*')
  const rights = [
    'TICKET_VIEW',
    'TICKET_MODIFY',
    'WIKI_VIEW',
    'WIKI_MODIFY',
    'REPORT_VIEW',
    'SEARCH_VIEW',
    'TIMELINE_VIEW',
  ]
  await admin('permission', 'add', 'authenticated', ...rights)
  await copyFile(join(here, 'people.py'), join(unfinished, 'plugins/people.py'))
  await rename(unfinished, environment)
}
