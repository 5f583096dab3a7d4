// Where metadata comes from: a URL, or a file that may change. Reads it when it has changed, within bounds, and judges
// nothing.

import type { FileText } from '../../../config/schema/values.js'
import type { FetchText } from '../../../runtime/http-client.js'
import { readTextFile } from '../../../runtime/watched-file.js'

export type MetadataPlace = { url: string } | FileText

/** A text and what names its version, where there is such a thing. */
export interface MetadataText {
  text: string
  mark?: string | undefined
}

/** Entities files of federations are large. */
export const metadataLimits = { bytes: 5 * 1024 * 1024, ms: 10_000 }

/** Undefined: as it was when `mark` was given. Throws FetchFailed or FileUnreadable. */
export async function readMetadataText(
  place: MetadataPlace,
  deps: { fetchText: FetchText },
  mark: string | undefined,
): Promise<MetadataText | undefined> {
  if (!('url' in place)) return readTextFile(place.path, { bytes: metadataLimits.bytes, mark })
  const { text, etag, unchanged } = await deps.fetchText(place.url, { ...metadataLimits, etag: mark })
  return unchanged ? undefined : { text, mark: etag }
}
