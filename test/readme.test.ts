// What the README tells people to do works: its configurations load, its commands and files are there.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parseAgents } from '../src/config/agents.js'
import { problems } from './parts/configuration.js'

const root = join(import.meta.dirname, '..')
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const blocks = [...readme.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language = '', text = '']) => ({
  language,
  text,
}))
const secret = (name: string) => `${name}-0123456789abcdef0123456789abcdef`

t.test('the configurations load as they stand', async t => {
  const yaml = blocks.filter(({ language }) => language === 'yaml').map(({ text }) => text)
  const configurations = yaml.filter(text => /^publicUrl:/m.test(text))
  const agents = yaml.filter(text => /^- \{ email:/m.test(text))
  t.equal(configurations.length, 2, 'one for JWT, one for SAML')
  t.equal(agents.length, 1)
  t.equal(configurations.length + agents.length, yaml.length, 'no block is overlooked')
  const env = {
    DESKGATE_SECRET: secret('ring'),
    PORTAL_SECRET: secret('portal'),
    DESKGATE_ADMIN_TOKEN: secret('admin'),
    REDIS_URL: 'redis://redis.internal:6379',
  }
  const files = { 'agents.yaml': agents[0] ?? '' }
  for (const text of configurations) t.same(problems(text, { env, files }), [])
  t.match(parseAgents(agents[0] ?? '', 'agents.yaml'), {
    agents: [{ email: /@/, roles: ['admin'] }, { active: false }],
  })
})

t.test('the commands exist', async t => {
  const main = readFileSync(join(root, 'src/cli/program.ts'), 'utf8')
  const named = [...readme.matchAll(/(?:deskgate|node dist\/main\.js) +([a-z]+)/g)].map(([, name = '']) => name)
  const commands = new Set(named.filter(name => name !== 'yaml'))
  t.ok(commands.size >= 6)
  for (const name of commands) t.match(main, `.command('${name}')`, name)
  const options = new Set([...readme.matchAll(/ --([a-z]+)/g)].map(([, name = '']) => name))
  for (const name of options) t.match(main, `--${name}`, name)
})

t.test('npm scripts, linked files and pictures are there', async t => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object }
  for (const [, name = ''] of readme.matchAll(/npm (?:run )?([a-z:-]+)\b/g)) {
    t.ok(['ci', 'install'].includes(name) || Object.hasOwn(scripts, name), `npm ${name}`)
  }
  for (const [, path = ''] of readme.matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g))
    t.ok(existsSync(join(root, path)), path)
})
