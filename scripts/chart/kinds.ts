// Which settings are secrets and which are files, for the chart's checks: from the schema, so that a new key cannot be
// forgotten. Paths stand as in providers[].secrets[]; .* is any name.

import { type Described, describeConfig } from '../config-reference.js'

type Node = Described & { additionalProperties?: Node | boolean }

/** helm/deskgate/kinds.json. */
export function chartKinds(): string {
  const found: Record<'secrets' | 'files', Set<string>> = { secrets: new Set(), files: new Set() }
  collect(describeConfig(), '', (path, kind) => {
    if (kind === 'secret') found.secrets.add(path)
    if (kind === 'file' || kind === 'key file') found.files.add(path)
  })
  const lists = Object.entries(found).map(([name, paths]) => [name, [...paths].sort()])
  return `${JSON.stringify(Object.fromEntries(lists), null, 2)}\n`
}

function collect(node: Node, path: string, note: (path: string, kind: string) => void): void {
  if (typeof node.kind === 'string') note(path, node.kind)
  for (const [key, inner] of Object.entries(node.properties ?? {})) {
    collect(inner, path === '' ? key : `${path}.${key}`, note)
  }
  if (node.items) collect(node.items, `${path}[]`, note)
  if (typeof node.additionalProperties === 'object') collect(node.additionalProperties, `${path}.*`, note)
  for (const choice of [...(node.anyOf ?? []), ...(node.oneOf ?? [])]) collect(choice, path, note)
}
