// Redmine as Debian packs it: a copy of its program with a database, files, settings and the plugin of its own in one
// folder. Never touches the Redmine of the system.

import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { copyFile, cp, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { find } from '../../scripts/parts.mjs'
import { type DeskOptions, type ExampleDesk, environment, startServer } from '../start/desk.js'

const run = promisify(execFile)
const here = import.meta.dirname
/** Debian's Redmine keeps here what is of one instance. */
const instance = 'instances/default'

export const desk: ExampleDesk = {
  title: 'Redmine',
  parts: ['redmine'],
  async start(options) {
    const env = { ...environment(options), RAILS_ENV: 'production', REDMINE_LANG: 'en' }
    const program = join(options.folder, 'redmine')
    if (!existsSync(program)) await setUp(program, options, env)
    const listen = `tcp://127.0.0.1:${options.port}`
    return startServer(['bundle', 'exec', 'puma', '--bind', listen, '--threads', '4:8'], options.port, env, program)
  },
}

/** Made beside its place and moved there when it is whole. */
async function setUp(program: string, { folder }: DeskOptions, env: NodeJS.ProcessEnv): Promise<void> {
  const unfinished = join(folder, 'new')
  await rm(unfinished, { recursive: true, force: true })
  const debian = join(dirname(find('redmine') ?? ''), '..')
  // Links into the system's own configuration are not taken along; relative ones to its libraries become absolute.
  const ofSystem = ['Gemfile.lock', 'instances', 'config/database.yml'].map(name => join(debian, name))
  await cp(debian, unfinished, { recursive: true, filter: from => !ofSystem.includes(from) })
  for (const name of ['config', 'files', 'log', 'tmp', 'public/plugin_assets']) {
    await mkdir(join(unfinished, instance, name), { recursive: true })
  }
  const database = { adapter: 'sqlite3', database: join(folder, 'redmine.sqlite3'), timeout: 10_000 }
  await rm(database.database, { force: true })
  await writeFile(join(unfinished, instance, 'config/database.yml'), JSON.stringify({ production: database }))
  await writeFile(join(unfinished, instance, 'config/secret_key.txt'), randomBytes(48).toString('hex'), { mode: 0o600 })
  await writeFile(join(unfinished, 'Gemfile.local'), "gem 'sqlite3', '~> 1.4.0'\ngem 'puma'\ngem 'jwt'\n")
  const rails = (...args: string[]) => run('ruby', ['bin/rails', ...args], { cwd: unfinished, env })
  await rails('db:migrate')
  await rails('runner', join(here, 'seed.rb'))
  await cp(join(here, 'deskgate'), join(unfinished, 'plugins/deskgate'), { recursive: true })
  await copyFile(join(here, 'additional_environment.rb'), join(unfinished, 'config/additional_environment.rb'))
  await rename(unfinished, program)
}
