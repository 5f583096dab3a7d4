// Whether a multipart form (RFC 7578) carries a file with bytes in it, found as the form streams past. A file field that was
// left empty has a part without a name and without content: that is no file.

/** Gets the next bytes of the body. Returns whether there has been a file in it so far. */
export type FileScan = (bytes: Buffer) => boolean

/** The longest part header that is looked into, in bytes; what is longer counts as a file. */
const longestHeader = 8192
const headerEnd = Buffer.from('\r\n\r\n')
const boundaryShape = /^multipart\/form-data\b.*?;\s*boundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))/i

export const noFile: FileScan = () => false

/** `contentType`: of the request. Undefined for a form that is multipart and names no boundary: nobody can read it. */
export function createFileScan(contentType: string): FileScan | undefined {
  if (!/^multipart\//i.test(contentType)) return noFile
  const [, quoted, plain] = boundaryShape.exec(contentType) ?? []
  const boundary = quoted ?? plain
  return boundary === undefined ? undefined : scanParts(Buffer.from(`\r\n--${boundary}`, 'latin1'))
}

function scanParts(delimiter: Buffer): FileScan {
  // The first delimiter may stand at the very beginning.
  let left: Buffer = Buffer.from('\r\n')
  let state: 'content' | 'header' | 'file' = 'content'
  let isFound = false

  /** Whether there is more to do with the bytes at hand. */
  const step = (): boolean => {
    if (state === 'header') {
      const end = left.indexOf(headerEnd)
      if (end < 0) {
        isFound ||= left.length > longestHeader
        return false
      }
      state = /;\s*filename\*?\s*=/i.test(left.toString('latin1', 0, end)) ? 'file' : 'content'
      // The line break may be the one of the delimiter that follows an empty part.
      left = left.subarray(end + 2)
      return true
    }
    const at = left.indexOf(delimiter)
    if (state === 'file' && (at < 0 ? left.length > delimiter.length + 2 : at > 2)) isFound = true
    if (at < 0) {
      // Of a file nothing is dropped: it has been found before there is much of it.
      if (state === 'content') left = left.subarray(Math.max(0, left.length - delimiter.length))
      return false
    }
    left = left.subarray(at + delimiter.length)
    state = 'header'
    return true
  }
  return bytes => {
    if (isFound) return true
    left = Buffer.concat([left, bytes])
    while (!isFound && step());
    return isFound
  }
}
