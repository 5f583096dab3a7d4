// The pages of docs/desks/ have one shape, say what was tried and where the rest comes from, and their configurations load;
// the examples that they speak of load too, and start by one command.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { parseAgents } from '../../src/config/agents.js'
import { people } from '../../src/demo/people.js'
import { load, longSecret, problemMessages, rsaPair, settings, today } from '../parts/configuration.js'
import { openGuide } from '../parts/guide.js'

const root = join(import.meta.dirname, '../..')
const text = (path: string) => readFileSync(join(root, path), 'utf8')
const names = readdirSync(join(root, 'docs/desks'))
  .filter(name => name.endsWith('.md') && name !== 'README.md')
  .map(name => name.slice(0, -3))
const { scripts } = JSON.parse(text('package.json')) as { scripts: Record<string, string> }
const tried = Object.keys(scripts).flatMap(name => (name.startsWith('example:') ? [name.slice(8)] : []))
const headings = [
  'What it reads',
  'Settings',
  'Its cookie, and a change of agent',
  'Logout',
  'API',
  'WebSockets',
  'Paths',
  'Only through Deskgate',
  'What does not work',
]

t.test('every page has the same headings, and says what it rests on', async t => {
  t.ok(names.length >= tried.length && tried.length >= 2)
  for (const name of names) {
    const page = text(`docs/desks/${name}.md`)
    const own = [...page.matchAll(/^## (.+)$/gm)].map(([, heading = '']) => heading)
    const from = tried.includes(name) ? ['Try it', ...headings] : headings
    t.strictSame(own.slice(0, from.length), from, name)
    const basis = tried.includes(name)
      ? /\*\*Tried with version [\d.]+ \([^)]+\) on \d{4}-\d\d-\d\d\*\*/
      : /\*\*Not tried\.\*\* From its source:\s+\[[^\]]+\]\(https:\/\/github\.com\/[^)]+\)[\s\S]{1,200}`[0-9a-f]{10}`/
    t.match(page, basis, name)
    t.match(text('docs/desks/README.md'), `](${name}.md)`)
    for (const [, target = ''] of page.matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
      t.ok(existsSync(join(root, 'docs/desks', target)), `${name}: ${target}`)
    }
  }
})

t.test('the configurations of the pages load', async t => {
  for (const name of names) {
    for (const block of openGuide(`docs/desks/${name}.md`).all('yaml')) {
      const written = { secrets: [longSecret('ring')], ...parse(block) }
      const result = load(settings(written), { env: { PORTAL_SECRET: longSecret('portal'), TOKEN: 'Bearer abc' } })
      t.ok('config' in result, `${name}: ${JSON.stringify('config' in result ? '' : result.problems)}`)
      t.strictSame(
        result.warnings.filter(({ key }) => !key.startsWith('secrets')),
        [],
        name,
      )
    }
  }
})

for (const name of tried) {
  t.test(`the example ${name}`, async t => {
    const configuration = text(`examples/${name}/deskgate.yaml`)
    const agents = text(`examples/${name}/agents.yaml`)
    const { certificate } = rsaPair(today + 90 * 86_400_000)
    const outside = {
      files: {
        ...{ 'idp.crt': certificate, 'agents.yaml': agents, 'jwt-secret': longSecret('portal') },
        ...{ 'directory-token': 'token 1-2-0123456789abcdef', 'ops-token': longSecret('ops') },
      },
    }
    const result = load(configuration, outside)
    t.ok('config' in result, problemMessages(configuration, outside).join())
    // The identity provider is on this machine too: over http its POST brings the cookies.
    t.same(result.warnings, [])

    const known = people.filter(({ agentId }) => agentId !== undefined).map(({ email, name }) => ({ email, name }))
    t.match(parseAgents(agents, 'agents.yaml'), { agents: known })

    t.equal(scripts[`example:${name}`], `tsx examples/start/start.ts ${name}`)
    const page = text(`docs/desks/${name}.md`)
    t.same(openGuide(`docs/desks/${name}.md`).all('sh'), [`npm ci && npm run example:${name}\n`])
    const test = ['', '.named'].map(kind => `test/desks/${name}${kind}.test.ts`).find(path => page.includes(path))
    t.ok(test !== undefined && text(test).includes(`name: '${name}'`), 'its page names the test')
  })
}

t.test('Request Tracker', async t => {
  const page = text('docs/desks/request-tracker.md')
  const configuration = text('examples/request-tracker/deskgate.yaml')

  t.test('its page explains every setting', async t => {
    for (const key of Object.keys(parse(configuration))) t.match(page, new RegExp(`\`${key}(\\.[a-z]+)?\``), key)
    const settings = text('examples/request-tracker/rt/RT_SiteConfig.d/99-deskgate.pm').matchAll(
      /^Set\( *([$@](?:Web|Ref)\w+)/gm,
    )
    for (const [, key = ''] of settings) {
      if (key !== '$WebPath') t.ok(page.includes(`\`${key}`), key)
    }
  })

  t.test('the lines in the comment of its configuration are settings', async t => {
    const commented = [...configuration.matchAll(/^ {2}# (- http:| {4,}.*)$/gm)].map(([, line = '']) => line)
    const { agents } = { agents: parse(commented.join('\n')) }
    t.ok(new URL(agents[0].http.url).searchParams.has('query'))
    const { certificate } = rsaPair(today + 90 * 86_400_000)
    const files = {
      ...{ 'idp.crt': certificate, 'jwt-secret': longSecret('portal'), 'ops-token': longSecret('ops') },
      'directory-token': 'token 1-2-01234567',
    }
    t.strictSame(problemMessages({ ...parse(configuration), agents }, { files }), [])
  })
})
