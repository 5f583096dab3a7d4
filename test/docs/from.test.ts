// The pages on moving from another gateway: each option of the peer, as test/docs/peers lists them, has one row, no row
// names another, and each setting of Deskgate that a row names exists.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

const root = join(import.meta.dirname, '../..')
const text = (path: string) => readFileSync(join(root, path), 'utf8')

interface Node {
  properties?: Record<string, Node>
  items?: Node
  additionalProperties?: Node | boolean
  anyOf?: Node[]
  oneOf?: Node[]
  allOf?: Node[]
  $ref?: string
}

const schema = JSON.parse(text('config/schema.json')) as Node
const settings = new Set(pathsOf(schema, ''))

/** Every path of the schema, as the guides write them: `providers[].attributes.email`. */
function* pathsOf(node: Node, path: string): Generator<string> {
  if (path !== '') yield path
  for (const one of [...(node.anyOf ?? []), ...(node.oneOf ?? []), ...(node.allOf ?? [])]) yield* pathsOf(one, path)
  if (node.$ref) yield* pathsOf(at(node.$ref), path)
  if (node.items) yield* pathsOf(node.items, `${path}[]`)
  for (const [key, value] of Object.entries(node.properties ?? {})) {
    yield* pathsOf(value, path === '' ? key : `${path}.${key}`)
  }
}

function at(ref: string): Node {
  return ref
    .slice(2)
    .split('/')
    .reduce((node, key) => (node as Record<string, Node>)[key] ?? {}, schema)
}

const peers = readdirSync(join(root, 'test/docs/peers')).map(name => name.replace('.txt', ''))

t.test('the list of settings is there', async t => {
  for (const known of ['publicUrl', 'providers[].attributes.email', 'sessions.store.tls.ca', 'agents[].file']) {
    t.ok(settings.has(known), known)
  }
  t.notOk(settings.has('providers[].nothing'))
})

t.test('every peer has a page that is on the list, and every page a peer', async t => {
  const pages = readdirSync(join(root, 'docs/from')).filter(name => name !== 'README.md')
  t.same(
    pages,
    peers.map(name => `${name}.md`),
  )
  for (const page of pages) t.match(text('docs/from/README.md'), `(${page})`)
})

for (const peer of peers) {
  t.test(peer, async t => {
    const [source = '', ...options] = text(`test/docs/peers/${peer}.txt`).trim().split('\n')
    const page = text(`docs/from/${peer}.md`)
    t.match(page.replaceAll(/\s+/g, ' '), source.slice(2), 'the page names the same source')
    const rows = [...page.matchAll(/^\| `(?:--)?([^`]+)` \| ([^|]+) \| ([^|]*) \|$/gm)]
    t.same(
      rows.map(([, option]) => option),
      options,
    )
    for (const [, option, ours = '', note = ''] of rows) {
      const names = [...ours.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)
      t.ok(names.length > 0 || ours === 'none' || ours.startsWith('deskgate '), `${option}: ${ours}`)
      t.ok(names.length > 0 || !ours.startsWith('none') || note !== '' || option?.includes('-'), `${option} has a note`)
      for (const name of names) t.ok(settings.has(name), `${option}: ${name}`)
      for (const [, name = ''] of note.matchAll(/`([a-z]+(?:\[\])?\.[a-zA-Z.[\]]+)(?::[^`]*)?`/g)) {
        t.ok(settings.has(name), `${option}: ${name}`)
      }
    }
  })
}

t.test('links lead somewhere', async t => {
  for (const name of readdirSync(join(root, 'docs/from'))) {
    for (const [, target = ''] of text(`docs/from/${name}`).matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)) {
      t.ok(existsSync(join(root, 'docs/from', target)), `${name}: ${target}`)
    }
  }
})
