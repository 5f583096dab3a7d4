// The map of the docs and the pages on troubles, security and scaling are right: links lead somewhere, configurations
// load, reasons and close codes are those that there are.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { reasons, statusOf } from '../../src/core/reasons.js'
import { createPaths } from '../../src/web/request/paths.js'
import { load, longSecret, rsaPair, settings } from '../parts/configuration.js'

const root = join(import.meta.dirname, '../..')
const docs = join(root, 'docs')
const text = (name: string) => readFileSync(join(docs, name), 'utf8')
const pages = ['README.md', 'troubles.md', 'security.md', 'scaling.md', 'commands.md']

/** As the hosts of repositories make them. */
function anchorsOf(markdown: string): string[] {
  return [...markdown.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

t.test('links lead to pages and headings that there are', async t => {
  for (const [folder, name] of [...pages.map(page => [docs, page] as const), [root, 'README.md'] as const]) {
    const own = readFileSync(join(folder, name), 'utf8')
    for (const [, path = '', anchor] of own.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)/g)) {
      const target = path === '' ? join(folder, name) : join(folder, path)
      t.ok(existsSync(target), `${name}: ${path}`)
      if (anchor) {
        t.ok(anchorsOf(readFileSync(target, 'utf8')).includes(anchor), `${name}: ${path}#${anchor}`)
      }
    }
  }
})

t.test('every page is on the map', async t => {
  for (const name of readdirSync(docs).filter(name => name.endsWith('.md') && name !== 'README.md')) {
    t.match(text('README.md'), `(${name}`, name)
  }
})

t.test('the configurations load, but for what is marked as another program’s', async t => {
  const [desk, own] = [rsaPair(), rsaPair()]
  const files = { 'desk-ca.pem': desk.certificate, 'deskgate.crt': own.certificate, 'deskgate.key': own.key }
  const env = { DESKGATE_SECRET: longSecret('ring'), REDIS_URL: 'redis://redis.internal:6379' }
  let count = 0
  for (const name of pages) {
    const unmarked = text(name).replaceAll(/<!-- (?:not run|run by): .*-->\n```yaml\n[\s\S]*?```/g, '')
    for (const [, block = ''] of unmarked.matchAll(/```yaml\n([\s\S]*?)```/g)) {
      const result = load(settings(parse(block)), { files, env })
      t.ok('config' in result, JSON.stringify('config' in result ? '' : result.problems))
      t.strictSame(result.warnings, [])
      count++
    }
  }
  t.equal(count, 5)
})

t.test('the table of reasons has each one, in order, with its status', async t => {
  const rows = [...text('troubles.md').matchAll(/^\| `([a-z]+\.[a-z_]+)` \| (\d{3}) \| (.{10,}) \| (.{4,}) \|$/gm)]
  t.strictSame(
    rows.map(([, code, status]) => [code, Number(status)]),
    reasons.map(code => [code, statusOf(code)]),
  )
})

t.test('every setting that is named exists', async t => {
  const schema = readFileSync(join(root, 'config/reference.yaml'), 'utf8')
  for (const name of pages) {
    for (const [, key = ''] of text(name).matchAll(
      /`(?:providers\[\]|sessions|desk|ops|identity|limits|agents\[\]|access|login)\.([a-zA-Z.]+)`/g,
    )) {
      if (/^[a-z]+_[a-z]/.test(key) || (reasons as string[]).some(reason => reason.endsWith(`.${key}`))) continue
      for (const part of key.split('.')) t.match(schema, new RegExp(`\\b${part}:`), `${name}: ${key}`)
    }
  }
})

t.test('the codes with which WebSockets are closed are told on both pages', async t => {
  const source = readFileSync(join(root, 'src/web/proxy/websocket/plugin.ts'), 'utf8')
  const codes = [...source.matchAll(/^ {2}\w+: \[(\d{4}), '/gm)].map(([, code = '']) => code)
  t.equal(codes.length, 4)
  for (const name of ['troubles.md', 'sessions.md']) {
    const told = [...text(name).matchAll(/^\| (\d{4}) \|/gm)].map(([, code]) => code)
    t.strictSame(told.sort(), codes.sort(), name)
  }
})

t.test('under another prefix only the callbacks stay', async t => {
  const paths = createPaths('/sso')
  const page = text('security.md')
  for (const path of [paths.slo, paths.jwks]) t.match(page, `\`${path}\``)
  for (const path of [paths.jwt, paths.acs]) t.ok(page.includes(`\`${path}\``) && paths.owns(path), path)
  for (const path of ['/auth', '/auth/login', '/auth/profile', '/auth/saml']) t.notOk(paths.owns(path), path)
})
