// Writes what comes from the configuration's schema: config/reference.yaml, config/schema.json, and of the chart its
// values.schema.json, kinds.json and the table of its README; what comes from the program: docs/commands.md; and what comes
// from the marks in the guides: docs/not-run.md.

import { readFile, writeFile } from 'node:fs/promises'
import { chartKinds } from './chart/kinds.js'
import { chartReadme } from './chart/readme.js'
import { valuesSchema } from './chart/values-schema.js'
import { commandsPage } from './commands-page.js'
import { editorSchema, reference } from './config-reference.js'
import { notRunPage } from './not-run-page.js'

const folder = new URL('../config/', import.meta.url)
const chart = new URL('../helm/deskgate/', import.meta.url)
const text = (name: string) => readFile(new URL(name, chart), 'utf8')

await writeFile(new URL('reference.yaml', folder), reference())
await writeFile(new URL('schema.json', folder), editorSchema())
await writeFile(new URL('values.schema.json', chart), valuesSchema())
await writeFile(new URL('kinds.json', chart), chartKinds())
await writeFile(new URL('README.md', chart), chartReadme(await text('README.md'), await text('values.yaml')))
await writeFile(new URL('../docs/commands.md', import.meta.url), commandsPage())
await writeFile(new URL('../docs/not-run.md', import.meta.url), notRunPage())
