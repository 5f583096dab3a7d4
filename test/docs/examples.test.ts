// The examples are right about us: their configurations load with no warning but that of http, their README names every
// setting, and every link leads somewhere.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { parseAgents } from '../../src/config/agents.js'
import { people } from '../../src/demo/people.js'
import { load, longSecret, problemMessages, rsaPair, today } from '../parts/configuration.js'

const folder = join(import.meta.dirname, '../../examples')
const textOf = (path: string) => readFileSync(join(folder, path), 'utf8')
const examples = readdirSync(folder, { withFileTypes: true }).filter(entry => entry.isDirectory())

t.test('every example is on the list, and its links lead somewhere', async t => {
  for (const { name } of examples) t.match(textOf('README.md'), `| [${name}](`)
  const pages = ['.', ...examples.map(({ name }) => name)].filter(at => existsSync(join(folder, at, 'README.md')))
  for (const at of pages) {
    for (const [, target = ''] of textOf(join(at, 'README.md')).matchAll(/\]\((?!https?:|#)([^)#]+)\)/g)) {
      t.ok(existsSync(join(folder, at, target)), `${at}: ${target}`)
    }
  }
})

t.test('Request Tracker', async t => {
  const text = textOf('request-tracker/deskgate.yaml')
  const agents = textOf('request-tracker/agents.yaml')
  const { certificate } = rsaPair(today + 90 * 86_400_000)
  const outside = {
    files: { 'idp.crt': certificate, 'agents.yaml': agents, 'directory-token': 'token 1-2-0123456789abcdef' },
    env: { JWT_SECRET: longSecret('portal') },
  }

  t.test('its configuration loads as it stands', async t => {
    const result = load(text, outside)
    t.ok('config' in result, problemMessages(text, outside).join())
    // It is on this machine, and without TLS.
    t.match(result.warnings, [{ key: 'publicUrl', message: /^is http/ }])
    t.equal(result.warnings.length, 1)
  })

  t.test('the lines in its comment are settings', async t => {
    const commented = [...text.matchAll(/^ {2}# (- http:| {4,}.*)$/gm)].map(([, line = '']) => line)
    const written = { ...parse(text), agents: parse(commented.join('\n')) }
    t.ok(new URL(written.agents[0].http.url).searchParams.has('query'))
    t.strictSame(problemMessages(written, outside), [])
  })

  t.test('its agents are those of the demo', async t => {
    const known = people.filter(({ agentId }) => agentId !== undefined).map(({ email, name }) => ({ email, name }))
    t.match(parseAgents(agents, 'agents.yaml'), { agents: known })
  })

  t.test('its README explains every setting', async t => {
    const readme = textOf('request-tracker/README.md')
    for (const key of Object.keys(parse(text))) t.match(readme, new RegExp(`\`${key}(\\.[a-z]+)?\` \\|`), key)
    const settings = textOf('request-tracker/rt/RT_SiteConfig.pm').matchAll(/^Set\( *([$@](?:Web|Ref|Logout)\w+)/gm)
    for (const [, key = ''] of settings) {
      if (key !== '$WebPath') t.ok(readme.includes(`\`${key}`), key)
    }
  })
})
