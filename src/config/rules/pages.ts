// The gateway's own pages: languages that exist, each once, and own sentences that fit.

import { languageTags } from '../../web/pages/i18n/texts.js'
import { checkPageFile } from '../page-templates.js'
import { parseOwnTexts } from '../page-texts.js'
import type { Rules } from './rule.js'

export function pagesRules(rules: Rules): void {
  const { config, problem } = rules
  const known = [...new Set([...languageTags, ...ownLanguages(rules)])]
  for (const [index, tag] of (config.pages?.languages ?? []).entries()) {
    if (tag === undefined) continue
    const path = ['pages', 'languages', index]
    if (config.pages?.languages?.indexOf(tag) !== index) problem(path, 'is listed twice')
    else if (!known.includes(tag))
      problem(path, 'unknown language', `${known.join(', ')}; others need a file in pages.texts`)
  }
  templates(rules)
}

function templates({ config, elsewhere, warning }: Rules): void {
  for (const file of config.pages?.templates?.files ?? []) {
    if (file?.path === undefined || file.text === undefined) continue
    const found = checkPageFile({ path: file.path, text: file.text })
    elsewhere(found.problems)
    for (const { file: name, line, message } of found.warnings) {
      warning(['pages', 'templates'], `${name}:${line} ${message}`)
    }
  }
}

function ownLanguages({ config, problem, warning, elsewhere }: Rules): string[] {
  const path = ['pages', 'texts']
  const found: string[] = []
  for (const file of config.pages?.texts?.files ?? []) {
    if (file?.path === undefined || file.text === undefined) continue
    const own = parseOwnTexts({ path: file.path, text: file.text })
    if ('problems' in own) {
      elsewhere(own.problems)
      continue
    }
    if (found.includes(own.lang)) problem(path, `contains two files for ${own.lang}`)
    found.push(own.lang)
    const [first] = own.missing
    if (first) warning(path, `${own.lang}: ${own.missing.length} texts stay in English`, `the first is ${first}`)
  }
  return found
}
