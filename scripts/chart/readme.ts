// The table of helm/deskgate/README.md, from the comments of values.yaml that begin with "--". What stands around the
// table is written by hand.

import { isMap, isScalar, type Pair, parseDocument, type YAMLMap } from 'yaml'

const begin = '<!-- values: npm run generate -->'
const end = '<!-- end of values -->'

/** The README with its table as values.yaml has it. Throws when the marks are gone, or a value has no comment. */
export function chartReadme(readme: string, valuesYaml: string): string {
  const [before, rest] = readme.split(begin)
  const after = rest?.split(end)[1]
  if (before === undefined || after === undefined) throw new Error(`README.md lacks ${begin} or ${end}`)
  return `${before}${begin}\n${table(valuesYaml)}\n${end}${after}`
}

function table(valuesYaml: string): string {
  const { contents } = parseDocument(valuesYaml)
  if (!isMap(contents)) throw new Error('values.yaml holds no mapping')
  // The comment before the first key belongs to the document.
  const rows = rowsOf(contents, '', valuesYaml)
  return ['| value | default | what |', '| --- | --- | --- |', ...rows].join('\n')
}

function rowsOf(map: YAMLMap, above: string, source: string): string[] {
  return map.items.flatMap(pair => {
    const key = String(isScalar(pair.key) ? pair.key.value : pair.key)
    const path = above === '' ? key : `${above}.${key}`
    const says = comment(pair, source)
    const inner = isMap(pair.value) && pair.value.items.length > 0 ? pair.value : undefined
    const descend = inner?.items.some(item => comment(item, source) !== undefined)
    if (says === undefined && !descend) throw new Error(`${path} has no comment in values.yaml`)
    const own = says === undefined ? [] : [row(path, descend ? undefined : pair, says)]
    return [...own, ...(descend && inner ? rowsOf(inner, path, source) : [])]
  })
}

/** The comment lines directly above a key, from its "--" on. */
function comment(pair: Pair, source: string): string | undefined {
  const start = isScalar(pair.key) ? (pair.key.range?.[0] ?? 0) : 0
  const lines = source.slice(0, start).split('\n').slice(0, -1).reverse()
  const upTo = lines.findIndex(line => !line.trim().startsWith('#'))
  const above = lines
    .slice(0, upTo === -1 ? undefined : upTo)
    .reverse()
    .map(line => line.trim().replace(/^# ?/, ''))
  const first = above.findLastIndex(line => line.startsWith('-- '))
  return first === -1 ? undefined : above.slice(first).join(' ').slice(3)
}

function row(path: string, pair: Pair | undefined, says: string): string {
  const value = pair?.value as { toJSON(): unknown } | null | undefined
  const written = pair === undefined ? '' : `\`${JSON.stringify(value?.toJSON() ?? null)}\``
  return `| \`${path}\` | ${escaped(written)} | ${escaped(says)} |`
}

function escaped(text: string): string {
  return text.replaceAll('|', '\\|')
}
