// django-helpdesk from PyPI in a small Django project (desk/), with a database and files in one folder.

import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { find } from '../../scripts/parts.mjs'
import { type ExampleDesk, environment, startServer } from '../start/desk.js'

const run = promisify(execFile)
const here = import.meta.dirname
const seed =
  "from helpdesk.models import Queue; Queue.objects.create(title='Support', slug='support', email_address='desk@desk.example')"

export const desk: ExampleDesk = {
  title: 'django-helpdesk',
  parts: ['django-helpdesk'],
  async start(options) {
    const python = find('django-helpdesk') ?? ''
    const env = environment(options)
    await setUp(python, options.folder, env)
    return startServer([python, join(here, 'server.py'), String(options.port)], options.port, env)
  },
}

/** The database is made beside its place and moved there when it is whole. */
async function setUp(python: string, folder: string, env: NodeJS.ProcessEnv): Promise<void> {
  if (existsSync(join(folder, 'desk.sqlite3'))) return
  const unfinished = join(folder, 'new')
  await rm(unfinished, { recursive: true, force: true })
  await mkdir(unfinished, { recursive: true, mode: 0o700 })
  const key = randomBytes(48).toString('base64url')
  for (const at of [folder, unfinished]) await writeFile(join(at, 'secret-key'), key, { mode: 0o600 })
  const manage = (...args: string[]) =>
    run(python, [join(here, 'manage.py'), ...args], { env: { ...env, DESK_DATA: unfinished } })
  await manage('migrate', '--verbosity', '0')
  await manage('loaddata', 'emailtemplate.json', '--verbosity', '0')
  await manage('shell', '-c', seed)
  await rename(join(unfinished, 'desk.sqlite3'), join(folder, 'desk.sqlite3'))
  await rm(unfinished, { recursive: true })
}
