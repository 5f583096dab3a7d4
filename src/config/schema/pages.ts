// What agents see of the gateway itself: its pages and their languages.

import * as z from 'zod'
import { isLanguageTag, languageShape } from '../page-texts.js'
import { type ConfigReader, folder, says } from './values.js'

const language = () => {
  const wrong = says('invalid language', 'such as de or pt-BR')
  return z.string(wrong).regex(languageShape, { error: wrong, abort: true }).refine(isLanguageTag, wrong)
}

export const pages = (read: ConfigReader) =>
  z
    .strictObject({
      languages: z
        .array(language())
        .max(50, says('more than 50 languages'))
        .default([])
        .meta({
          description:
            "Languages of the gateway's pages, in the order of the switch: en, de, fr, es, ar; [] = all. The first is for browsers that ask for none of them.",
          examples: [['de', 'en']],
        }),
      texts: folder(read, ['.yaml', '.yml'])
        .nullable()
        .default(null)
        .meta({
          description: 'A folder of own sentences, or of further languages: one YAML file each, such as de.yaml.',
          examples: ['texts'],
        }),
    })
    .prefault({})
    .meta({ description: "The gateway's own pages." })
