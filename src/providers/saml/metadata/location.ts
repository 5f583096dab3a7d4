// Where metadata comes from: a URL, or a file that may change. Reads it when it has changed, within limits, and
// checks nothing.

import type { FileText } from '../../../config/schema/values.js'
import type { FetchText } from '../../../runtime/http-client.js'
import { readTextFile } from '../../../runtime/watched-file.js'

export type MetadataLocation = { url: string } | FileText

/** A text and what names its version, where there is such a thing. */
export interface MetadataText {
  text: string
  version?: string | undefined
}

/** Entities files of federations are large. */
export const metadataLimits = { bytes: 5 * 1024 * 1024, ms: 10_000, redirects: 3, gzip: true } as const

/** Undefined: unchanged since `version`. Throws FetchFailed or FileUnreadable. */
export async function readMetadataText(
  place: MetadataLocation,
  deps: { fetchText: FetchText },
  version: string | undefined,
): Promise<MetadataText | undefined> {
  if (!('url' in place)) return readTextFile(place.path, { bytes: metadataLimits.bytes, fingerprint: version })
  const { text, etag, unchanged } = await deps.fetchText(place.url, { ...metadataLimits, etag: version })
  return unchanged ? undefined : { text, version: etag }
}
