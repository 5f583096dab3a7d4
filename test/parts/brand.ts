// A brand for pages that are rendered without a gateway.

import type { Brand } from '../../src/web/context.js'
import { createBrand } from '../../src/web/pages/brand.js'
import { loadValid, settings } from './configuration.js'

/** `pages`: settings of that name; `files` as of a configuration. */
export function plainBrand(
  pages: Record<string, unknown> = {},
  files: Record<string, string | Buffer> = {},
  onFailed: (template: string, cause: string) => void = () => {},
): Brand {
  return createBrand(loadValid(settings({ pages }), { files }), { onFailed })
}
