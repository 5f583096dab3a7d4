// The gateway's own pages: languages that exist, each once.

import { languageTags } from '../../web/pages/i18n/texts.js'
import type { Rules } from './rule.js'

export function pagesRules({ config, problem }: Rules): void {
  for (const [index, tag] of (config.pages?.languages ?? []).entries()) {
    if (tag === undefined) continue
    const path = ['pages', 'languages', index]
    if (config.pages?.languages?.indexOf(tag) !== index) problem(path, 'is listed twice')
    else if (!languageTags.includes(tag)) problem(path, 'unknown language', `${languageTags.join(', ')}`)
  }
}
