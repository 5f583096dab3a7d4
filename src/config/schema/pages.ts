// What agents see of the gateway itself: its pages and their languages.

import * as z from 'zod'
import { says } from './values.js'

/** BCP 47, the common part: a language, and perhaps its script or region. */
const language = () => {
  const wrong = says('invalid language', 'such as de or pt-BR')
  return z.string(wrong).regex(/^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}$/, wrong)
}

export const pages = () =>
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
    })
    .prefault({})
    .meta({ description: "The gateway's own pages." })
