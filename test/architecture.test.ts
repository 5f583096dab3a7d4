// Keeps the layers: a file imports only from its own layer or lower ones, also inside web/; no folder and no file imports
// in a circle; stores, sessions, providers and directory do not import each other; each type name stands in one file.

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import t from 'tap'
import ts from 'typescript'

const root = resolve(import.meta.dirname, '../src')

/** Folder or file (without extension) → layer. The longest match counts. */
const layers: Record<string, number> = {
  core: 0,
  runtime: 0.5,
  // Sentences alone: the configuration compares an operator's own with them.
  'web/pages/i18n': 0.5,
  config: 1,
  keys: 1,
  ops: 1.5,
  store: 2,
  sessions: 2,
  providers: 2,
  directory: 2,
  'web/request': 3.1,
  'web/connections': 3.1,
  'web/context': 3.2,
  'web/pages': 3.3,
  'web/responses': 3.4,
  'web/request-lifecycle': 3.5,
  'web/access': 3.6,
  'web/kept': 3.65,
  'web/identity': 3.7,
  'web/login': 3.71,
  'web/logout': 3.72,
  'web/rehearsal': 3.74,
  'web/admin': 3.75,
  'web/proxy': 3.8,
  'web/routes': 3.8,
  server: 4,
  demo: 5,
  cli: 6,
  main: 7,
}

/** Parts of one layer that must not import each other. */
const separate = ['store', 'sessions', 'providers', 'directory']

/** Library → the only files that may import it. */
const restricted: Record<string, string[]> = {
  '@node-saml/node-saml': ['providers/saml/signature/verify.ts'],
  ioredis: ['client', 'connect', 'connection', 'node-connector'].map(name => `store/redis/${name}.ts`),
  '@fastify/http-proxy': ['web/proxy/plugin.ts'],
  // Loaded only where tracing is configured.
  '@opentelemetry/sdk-trace': ['ops/tracing.ts'],
  '@opentelemetry/exporter-trace-otlp-http': ['ops/tracing.ts'],
}

/** Files whose functions are lists of settings or instruments. */
const lists = ['config/schema/providers.ts', 'ops/metrics.ts']

const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts'))

const sourceOf = (file: string) =>
  ts.createSourceFile(file, readFileSync(join(root, file), 'utf8'), ts.ScriptTarget.ES2023)

function importsOf(file: string): string[] {
  const found: string[] = []
  const walk = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) {
      found.push((node.moduleSpecifier as ts.StringLiteral).text)
    }
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [argument] = node.arguments
      if (argument && ts.isStringLiteral(argument)) found.push(argument.text)
    }
    ts.forEachChild(node, walk)
  }
  walk(sourceOf(file))
  return found
}

function exportedTypesOf(file: string): string[] {
  return sourceOf(file)
    .statements.filter(node => ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node))
    .filter(node => node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword))
    .map(({ name }) => name.text)
}

function ownImportsOf(file: string): string[] {
  return importsOf(file)
    .filter(name => name.startsWith('.'))
    .map(name => relative(root, resolve(root, dirname(file), name)).replace(/\.js$/, '.ts'))
}

const pathOf = (file: string) => file.replace(/\.ts$/, '').split('/')
const topOf = (file: string) => pathOf(file)[0] ?? ''
/** The top folder of a file, or the folder below web/. */
const folderOf = (file: string) => {
  if (file.startsWith('web/pages/i18n/')) return 'web/pages/i18n'
  return topOf(file) === 'web' ? pathOf(file).slice(0, 2).join('/') : topOf(file)
}
const layerOf = (file: string) => {
  const [first = '', second = '', third = ''] = pathOf(file)
  return layers[`${first}/${second}/${third}`] ?? layers[`${first}/${second}`] ?? layers[first]
}

t.test('every source file has a layer', async t => {
  for (const file of files) t.not(layerOf(file), undefined, `${file} has a layer`)
})

t.test('imports only go down, also between the folders of web', async t => {
  for (const file of files) {
    for (const target of ownImportsOf(file)) {
      t.ok((layerOf(target) ?? 99) <= (layerOf(file) ?? -1), `${file} may import ${target}`)
    }
  }
})

t.test('store, sessions, providers and directory do not import each other', async t => {
  for (const file of files.filter(name => separate.includes(topOf(name)))) {
    const others = ownImportsOf(file).filter(name => separate.includes(topOf(name)) && topOf(name) !== topOf(file))
    t.strictSame(others, [], file)
  }
})

t.test('no two folders import each other', async t => {
  const arrows = new Set<string>()
  for (const file of files) {
    for (const target of ownImportsOf(file)) arrows.add(`${folderOf(file)} → ${folderOf(target)}`)
  }
  for (const arrow of arrows) {
    const [from, to] = arrow.split(' → ')
    if (from !== to) t.notOk(arrows.has(`${to} → ${from}`), `${arrow} and back`)
  }
})

t.test('each exported type name is declared in one file', async t => {
  const declaredIn = new Map<string, string>()
  for (const file of files) {
    for (const name of exportedTypesOf(file)) {
      t.equal(declaredIn.get(name) ?? file, file, `${name} of ${file}`)
      declaredIn.set(name, file)
    }
  }
})

t.test('functions have at most 60 lines, not counting the functions inside them', async t => {
  for (const file of files.filter(name => !lists.includes(name))) {
    const source = sourceOf(file)
    const lines = (node: ts.Node) => {
      const [first, last] = [node.getStart(source), node.end].map(at => source.getLineAndCharacterOfPosition(at).line)
      return (last ?? 0) - (first ?? 0) + 1
    }
    const walk = (node: ts.Node): number => {
      let inside = 0
      ts.forEachChild(node, child => {
        inside += walk(child)
      })
      if (!ts.isFunctionLike(node) || !('body' in node)) return inside
      t.ok(lines(node) - inside <= 60, `${file}: a function of ${lines(node)} lines`)
      return lines(node) - 1
    }
    walk(source)
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

t.test('a restricted library has no other importers', async t => {
  for (const [library, allowed] of Object.entries(restricted)) {
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
