// Writes what comes from the configuration's schema, config/reference.yaml and config/schema.json, and what comes from the
// program, docs/commands.md.

import { writeFile } from 'node:fs/promises'
import { editorSchema } from '../src/config/describe.js'
import { reference } from '../src/config/reference.js'
import { commandsPage } from './commands-page.js'

const folder = new URL('../config/', import.meta.url)

await writeFile(new URL('reference.yaml', folder), reference())
await writeFile(new URL('schema.json', folder), editorSchema())
await writeFile(new URL('../docs/commands.md', import.meta.url), commandsPage())
