// Holds the floors: a file imports only from its own floor or lower ones, organs do not know each other, there is no
// cycle, and each dangerous library has one importer.

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import t from 'tap'
import ts from 'typescript'

const root = resolve(import.meta.dirname, '../src')

/** Folder or file (without extension) → floor. The longest match counts. */
const floors: Record<string, number> = {
  core: 0,
  runtime: 0.5,
  config: 1,
  keys: 1,
  ops: 1.5,
  store: 2,
  sessions: 2,
  providers: 2,
  directory: 2,
  'web/request': 3.1,
  'web/server': 3.1,
  'web/context': 3.2,
  'web/pages': 3.3,
  'web/responses': 3.4,
  'web/request-lifecycle': 3.5,
  'web/access': 3.6,
  'web/identity': 3.7,
  'web/login': 3.71,
  'web/logout': 3.72,
  'web/desk-login': 3.73,
  'web/proxy': 3.8,
  'web/routes': 3.8,
  server: 4,
  demo: 5,
  cli: 6,
  main: 7,
}

const organs = ['store', 'sessions', 'providers', 'directory']

/** Library → the only files that may import it. */
const guarded: Record<string, string[]> = {
  '@node-saml/node-saml': ['providers/saml/signature/verify.ts'],
  ioredis: ['store/redis/connect.ts', 'store/redis/store.ts'],
  '@fastify/http-proxy': ['web/proxy/plugin.ts'],
}

const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts'))

function importsOf(file: string): string[] {
  const source = ts.createSourceFile(file, readFileSync(join(root, file), 'utf8'), ts.ScriptTarget.ES2023)
  const found: string[] = []
  const visit = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) {
      found.push((node.moduleSpecifier as ts.StringLiteral).text)
    }
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [argument] = node.arguments
      if (argument && ts.isStringLiteral(argument)) found.push(argument.text)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

function ownImportsOf(file: string): string[] {
  return importsOf(file)
    .filter(name => name.startsWith('.'))
    .map(name => relative(root, resolve(root, dirname(file), name)).replace(/\.js$/, '.ts'))
}

const placeOf = (file: string) => file.replace(/\.ts$/, '').split('/')[0] ?? ''
const floorOf = (file: string) => {
  const [first = '', second = ''] = file.replace(/\.ts$/, '').split('/')
  return floors[`${first}/${second}`] ?? floors[first]
}

t.test('every source file stands on a floor', async t => {
  for (const file of files) t.not(floorOf(file), undefined, `${file} has a floor`)
})

t.test('imports only look down', async t => {
  for (const file of files) {
    for (const target of ownImportsOf(file)) {
      t.ok((floorOf(target) ?? 99) <= (floorOf(file) ?? -1), `${file} may import ${target}`)
    }
  }
})

t.test('organs do not import each other', async t => {
  for (const file of files.filter(name => organs.includes(placeOf(name)))) {
    const others = ownImportsOf(file).filter(name => organs.includes(placeOf(name)) && placeOf(name) !== placeOf(file))
    t.strictSame(others, [], file)
  }
})

t.test('there is no cycle', async t => {
  const done = new Set<string>()
  const walk = (file: string, path: string[]): string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file]
    if (done.has(file)) return undefined
    for (const target of ownImportsOf(file)) {
      const cycle = walk(target, [...path, file])
      if (cycle) return cycle
    }
    done.add(file)
    return undefined
  }
  for (const file of files) t.equal(walk(file, [])?.join(' → '), undefined, file)
})

t.test('a guarded library has its one importer', async t => {
  for (const [library, allowed] of Object.entries(guarded)) {
    const importers = files.filter(file =>
      importsOf(file).some(name => name === library || name.startsWith(`${library}/`)),
    )
    t.ok(
      importers.every(file => allowed.includes(file)),
      `${library} is imported by ${importers.join(', ')}`,
    )
  }
})

t.test('every runtime dependency has its line in the decisions', async t => {
  const manifest = JSON.parse(readFileSync(resolve(root, '../package.json'), 'utf8'))
  const decisions = readFileSync(resolve(root, '../docs/adr/0002-dependencies.md'), 'utf8')
  for (const name of Object.keys(manifest.dependencies)) t.ok(decisions.includes(`\`${name}\``), name)
})
