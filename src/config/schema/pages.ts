// What agents see of the gateway itself: its pages and their languages.

import * as z from 'zod'
import { isLanguageTag, languageShape } from '../page-texts.js'
import { type ConfigReader, folder, picture, says } from './values.js'

const language = () => {
  const wrong = says('invalid language', 'such as de or pt-BR')
  return z.string(wrong).regex(languageShape, { error: wrong, abort: true }).refine(isLanguageTag, wrong)
}

/** Attack: characters that turn the letters of a line around, or hide some, could make one name look like another. */
const line = (most: number) => {
  const wrong = says('invalid text', 'one line without control, direction or invisible characters')
  return z
    .string(wrong)
    .min(1)
    .max(most, says(`is longer than ${most} characters`))
    .refine(text => !/[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/u.test(text), wrong)
}

/** Bytes of a picture; it is in every page. */
const [mostOfLogo, mostOfIcon] = [96 * 1024, 32 * 1024]

const color = () => {
  const wrong = says('invalid colour', 'in quotes, such as "#3452d9"')
  return z.string(wrong).regex(/^#([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})$/, wrong)
}

const support = () =>
  z
    .strictObject({
      text: line(300)
        .nullable()
        .default(null)
        .meta({ description: 'What it says.', examples: ['IT support, ext. 4711'] }),
      link: z
        .string()
        .max(500)
        .regex(/^(https?:\/\/|mailto:|tel:)[!#-;=?-~]+$/, says('invalid link', 'https://…, mailto:… or tel:…'))
        .nullable()
        .default(null)
        .meta({ description: 'Where it leads.', examples: ['https://intranet.example.com/it'] }),
    })
    .prefault({})
    .meta({ description: 'The contact for agents, shown on every page.' })

const look = (read: ConfigReader) => ({
  name: line(100)
    .nullable()
    .default(null)
    .meta({
      description: "The company's name on every page; null: the host of publicUrl.",
      examples: ['Aloha Help Desk'],
    }),
  logo: picture(read, mostOfLogo)
    .nullable()
    .default(null)
    .meta({
      description: 'A picture beside the name: PNG, JPEG, GIF, WebP or SVG, at most 96 kB.',
      examples: ['logo.svg'],
    }),
  icon: picture(read, mostOfIcon)
    .nullable()
    .default(null)
    .meta({ description: 'The picture of the tab: as logo, or ICO, at most 32 kB.', examples: ['icon.svg'] }),
  color: color()
    .nullable()
    .default(null)
    .meta({
      description: 'The colour of buttons and links. If it would be hard to read, the nearest readable shade is shown.',
      examples: ['#0b6e4f'],
    }),
  support: support(),
  footer: z
    .union([line(300), z.literal('')])
    .nullable()
    .default(null)
    .meta({ description: 'The last line of every page; null: Deskgate.', examples: ['© Aloha Adventures'] }),
  templates: folder(read, ['.mustache', '.css'])
    .nullable()
    .default(null)
    .meta({
      description: 'A folder of Mustache templates and style.css for the pages: see docs/pages.md.',
      examples: ['templates'],
    }),
})

export const pages = (read: ConfigReader) =>
  z
    .strictObject({
      ...look(read),
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
          description:
            'A folder with your own texts or with further languages: one YAML file per language, such as de.yaml.',
          examples: ['texts'],
        }),
    })
    .prefault({})
    .meta({ description: "The gateway's own pages." })
