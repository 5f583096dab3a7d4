// Every command and every configuration of the guides is tested: each fenced block is covered by a test that is
// named here, or has a mark that says what it needs; and the page that lists the marks is theirs.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { leaves } from '../../scripts/commands-page.js'
import { type Block, blocksOf, guidePages, inlineCommands } from '../../scripts/guides.js'
import { elsewhere, notRunPage } from '../../scripts/not-run-page.js'
import { createProgram } from '../../src/cli/program.js'
import { shells } from '../parts/guide.js'

const root = join(import.meta.dirname, '../..')
const text = (path: string) => readFileSync(join(root, path), 'utf8')

interface BlockTest {
  test: string
  pages: string[]
  languages: string[]
}

const blockTests: BlockTest[] = [
  { test: 'readme', pages: ['README.md'], languages: ['yaml', 'text'] },
  { test: 'cli/commands/import', pages: ['docs/from/README.md'], languages: ['sh'] },
  { test: 'docs/agents', pages: ['docs/agents.md'], languages: ['yaml'] },
  { test: 'docs/commands', pages: ['docs/commands.md'], languages: ['text'] },
  {
    test: 'docs/fronts',
    pages: ['docs/fronts/nginx.md', 'docs/fronts/caddy.md', 'docs/fronts/haproxy.md', 'docs/fronts/traefik.md'],
    languages: ['nginx', 'caddyfile', 'haproxy', 'yaml'],
  },
  { test: 'docs/fronts', pages: ['docs/fronts/README.md'], languages: ['sh'] },
  { test: 'docs/guides', pages: ['docs/identity-providers/'], languages: ['yaml', 'sh'] },
  { test: 'docs/handbook', pages: ['docs/scaling.md', 'docs/security.md'], languages: ['yaml'] },
  { test: 'docs/handbook-commands', pages: ['docs/troubles.md'], languages: ['sh'] },
  {
    test: 'docs/install',
    pages: ['docs/install.md', 'docs/kubernetes.md', 'docs/helm-ingress-nginx-okta.md', 'docs/fronts/ingress-nginx.md'],
    languages: ['yaml'],
  },
  {
    test: 'docs/install-commands',
    pages: [
      'README.md',
      'CONTRIBUTING.md',
      'docs/install.md',
      'docs/systemd.md',
      'docs/kubernetes.md',
      'test/attack/saml/files/README.md',
    ],
    languages: ['sh'],
  },
  { test: 'docs/operations', pages: ['docs/operations.md', 'docs/keys.md', 'docs/audit.md'], languages: ['yaml'] },
  {
    test: 'docs/operating-commands',
    pages: ['docs/operations.md', 'docs/sessions.md', 'docs/ways-in.md', 'docs/api-clients.md', 'docs/assertion.md'],
    languages: ['sh', 'console'],
  },
  {
    test: 'docs/snippets',
    pages: ['docs/'],
    languages: ['json', 'php', 'html', 'promql', 'redis'],
  },
  {
    test: 'docs/snippets',
    pages: [
      'docs/api-clients.md',
      'docs/assertion.md',
      'docs/jwt.md',
      'docs/kept-replies.md',
      'docs/pages.md',
      'docs/redis.md',
      'docs/session-desk.md',
      'docs/sessions.md',
      'docs/ways-in.md',
    ],
    languages: ['yaml'],
  },
  { test: 'docs/observe', pages: ['docs/observe.md'], languages: ['yaml', 'sh'] },
  { test: 'flow/doctor', pages: ['docs/doctor.md'], languages: ['sh', 'text'] },
  { test: 'docs/measuring-commands', pages: ['docs/scaling.md'], languages: ['sh'] },
  { test: 'flow/session-warning', pages: ['docs/session-warning.md'], languages: ['js'] },
  { test: 'docs/desks', pages: ['docs/desks/'], languages: ['yaml'] },
  { test: 'desks/request-tracker', pages: ['docs/desks/request-tracker.md'], languages: ['sh'] },
  { test: 'desks/roundup', pages: ['docs/desks/roundup.md'], languages: ['sh'] },
  { test: 'desks/redmine.named', pages: ['docs/desks/redmine.md'], languages: ['sh'] },
  { test: 'desks/trac.named', pages: ['docs/desks/trac.md'], languages: ['sh'] },
  { test: 'desks/django-helpdesk.named', pages: ['docs/desks/django-helpdesk.md'], languages: ['sh'] },
]

const blocks = guidePages().flatMap(blocksOf)
const covered = (blockTest: BlockTest, { page, language }: Block) =>
  blockTest.languages.includes(language) &&
  blockTest.pages.some(one => page === one || (one.endsWith('/') && page.startsWith(one)))

t.test('each block is covered by one test, or marked', async t => {
  for (const block of blocks) {
    const { page, line, language, needs, runBy } = block
    if (needs !== undefined || runBy !== undefined) continue
    t.not(language, '', `${page}:${line} says of what language it is`)
    t.equal(
      blockTests.filter(blockTest => covered(blockTest, block)).length,
      1,
      `${page}:${line} (${language}) is covered`,
    )
  }
  t.ok(blocks.length > 80, 'the blocks are found')
})

t.test('the blockTests are there, and ask for what they blockTest', async t => {
  for (const { test, pages, languages } of blockTests) {
    const path = `test/${test}.test.ts`
    t.ok(existsSync(join(root, path)), path)
    for (const page of pages) {
      t.ok(
        blocks.some(block => covered({ test, pages: [page], languages }, block)),
        `${page} has such blocks`,
      )
      t.match(text(path), page.endsWith('/') ? page : (page.split('/').at(-1) ?? page), `${path} names ${page}`)
    }
    // Every line of these is run, and the test fails for what it leaves out.
    if (languages.some(one => shells.includes(one)) && !test.startsWith('desks/')) {
      t.match(text(path), 'everyBlockRan', path)
    }
  }
})

t.test('what is marked is on the list, and says one of a few needs: npm run generate', async t => {
  t.equal(text('docs/not-run.md'), notRunPage())
  const needs = new Set(blocks.flatMap(block => block.needs ?? []))
  const known = [
    ...Object.values(elsewhere),
    'a second host',
    'a download',
    'a quiet machine',
    'Traefik',
    'to be the run of the tests',
  ]
  for (const need of needs) t.ok(known.includes(need), need)
  for (const { page, line } of blocks.filter(({ needs }) => needs === 'a quiet machine')) {
    t.equal(page, 'bench/README.md', `${page}:${line} is a measurement`)
  }
})

t.test('what another script runs, word for word, it asks for', async t => {
  const { scripts } = JSON.parse(text('package.json')) as { scripts: Record<string, string> }
  const marked = blocks.filter(({ runBy }) => runBy !== undefined)
  for (const { page, line, runBy = '' } of marked) {
    const [, path = ''] = /^node (\S+)$/.exec(scripts[runBy] ?? '') ?? []
    t.ok(path, `${page}:${line}: npm run ${runBy}`)
    t.match(text(path), `openGuides('${runBy}')`, 'which fails for a block that it has not run')
  }
  t.ok(marked.length > 5)
})

t.test('the commands of Deskgate and of npm in the running text exist', async t => {
  const { scripts } = JSON.parse(text('package.json')) as { scripts: object }
  let count = 0
  for (const page of guidePages()) {
    for (const code of inlineCommands(page, ['deskgate', 'node'])) {
      const [, words] = /^(?:deskgate|node dist\/main\.js) (.*)$/.exec(code) ?? []
      if (words === undefined) continue
      count++
      t.ok(isCommand(words), `${page}: ${code}`)
    }
    for (const code of inlineCommands(page, ['npm'])) {
      const [, name = ''] = /^npm (?:run )?([a-z:-]+)/.exec(code) ?? []
      t.ok(['ci', 'install'].includes(name) || Object.hasOwn(scripts, name), `${page}: ${code}`)
    }
  }
  t.ok(count > 20)
  t.notOk(isCommand('sessions lst') || isCommand('check --of-line'))
})

/** Whether these words begin with a command, and have no option that it does not know. */
function isCommand(words: string): boolean {
  const program = createProgram({ io: { env: {}, out: () => {}, err: () => {} }, version: '1', done: () => {} })
  const parts = words.split(' ')
  const path = (name: string) => name.replace(/^deskgate /, '').split(' ')
  const found = leaves(program).find(({ name }) => path(name).every((part, at) => parts[at] === part))
  // `deskgate sessions` alone speaks of both.
  const group = leaves(program).some(({ name }) => path(name)[0] === words)
  const options = parts.filter(part => part.startsWith('--')).map(part => part.split('=')[0])
  return (
    group ||
    (found?.command.options !== undefined &&
      options.every(one => one === '--help' || found.command.options.some(({ long }) => long === one)))
  )
}
