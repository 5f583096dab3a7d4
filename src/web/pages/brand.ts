// What a company adds to the gateway's pages: name, pictures, colour, support, templates. Everything is in the page itself;
// nothing of it runs.

import { shadesOf } from '../../config/colors.js'
import { compileTemplate, nameOf, type PageTemplate, styleSheet } from '../../config/page-templates.js'
import type { Config } from '../../config/schema/index.js'
import type { Brand } from '../context.js'

export interface BrandDeps {
  /** Called when a template cannot be filled. */
  onFailed(template: string, cause: string): void
}

export function createBrand({ pages, publicUrl }: Pick<Config, 'pages' | 'publicUrl'>, { onFailed }: BrandDeps): Brand {
  const { logo, icon, color, support, footer } = pages
  const files = pages.templates?.files ?? []
  const ownStyle = files.find(file => nameOf(file) === styleSheet)
  const templates = new Map<string, PageTemplate>()
  for (const file of files) if (file !== ownStyle) templates.set(nameOf(file), compileTemplate(file, nameOf(file)))
  const site = new URL(publicUrl).host
  const text = support.text ?? support.link?.replace(/^(mailto|tel):/, '')
  return {
    name: pages.name ?? site,
    site,
    logo: logo?.uri,
    icon: icon?.uri ?? builtInIcon(color === null ? '#3452d9' : shadesOf(color, 'light').accent),
    support: text === undefined ? undefined : { text, link: support.link ?? undefined },
    footer: footer ?? 'Deskgate',
    styles: [...(color === null ? [] : [colorStyle(color)]), ...(ownStyle ? [ownStyle.text] : [])],
    fill(name, view) {
      const template = templates.get(name)
      if (!template) return undefined
      try {
        const filled = template.render(view)
        if (filled === undefined) onFailed(name, 'the content of the page would be lost')
        return filled
      } catch (error) {
        onFailed(name, (error as Error).message)
        return undefined
      }
    },
  }
}

function builtInIcon(color: string): string {
  const tile = `<rect width='32' height='32' rx='8' fill='${color}'/>`
  const door = `<path d='M10 25V9.5L20 7v18M7 25h18M16.5 16v1.5' stroke='white' fill='none' stroke-width='2' stroke-linecap='round' stroke-linejoin='round'/>`
  return `data:image/svg+xml,${encodeURIComponent(`<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'>${tile}${door}</svg>`)}`
}

function colorStyle(color: string): string {
  const variables = (scheme: 'light' | 'dark') => {
    const { accent, ink, hover, tint, glow } = shadesOf(color, scheme)
    return `:root{--accent:${accent};--accent-ink:${ink};--accent-2:${hover};--tint:${tint};--glow:${glow}}`
  }
  return `${variables('light')}@media (prefers-color-scheme:dark){${variables('dark')}}`
}
