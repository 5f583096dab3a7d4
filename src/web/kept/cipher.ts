// Encrypts one kept form, piece by piece (AES-256-GCM). Each piece is bound to its place, the last one says that it is the
// last, and the key is used for one form only: what is cut, moved or taken from another form does not open.

import { createCipheriv, createDecipheriv, createHash, createHmac } from 'node:crypto'
import type { Keyring } from '../../keys/keyring.js'

export type Piece = 'head' | 'part' | 'last part'

export interface FormCipher {
  /** The store knows the form by this: a hash of what the browser holds. */
  id: string
  seal(piece: Piece, index: number, plain: Buffer): Buffer
  /** Undefined for anything but the very bytes that were sealed as this piece. */
  open(piece: Piece, index: number, sealed: Buffer): Buffer | undefined
}

const algorithm = 'aes-256-gcm'
const tagBytes = 16
const kinds: Record<Piece, number> = { head: 1, part: 2, 'last part': 3 }
const keyShape = /^[A-Za-z0-9_-]{43}$/

/** Whether a cookie's value can be the key to a form. */
export function isFormKey(value: string): boolean {
  return keyShape.test(value)
}

/**
 * Needs the browser's key and the gateway's: a dump of the store opens with neither alone. `key`: 32 random bytes,
 * base64url, made anew for each form.
 */
export function createFormCipher(
  key: string,
  deps: { keyring: Pick<Keyring, 'derive'>; publicUrl: string },
): FormCipher {
  const id = createHash('sha256').update(`kept form\0${key}`).digest('base64url')
  const keys = deps.keyring.derive('kept form', 32).map(secret => createHmac('sha256', secret).update(key).digest())
  const bound = Buffer.from(`${id}\0${deps.publicUrl}`)

  return {
    id,
    seal(piece, index, plain) {
      const [first] = keys
      if (!first) throw new Error('the key ring is empty')
      const sealing = createCipheriv(algorithm, first, nonceOf(piece, index), { authTagLength: tagBytes }).setAAD(bound)
      return Buffer.concat([sealing.update(plain), sealing.final(), sealing.getAuthTag()])
    },
    open(piece, index, sealed) {
      if (sealed.length < tagBytes) return undefined
      for (const one of keys) {
        const opening = createDecipheriv(algorithm, one, nonceOf(piece, index), { authTagLength: tagBytes })
        try {
          opening.setAAD(bound).setAuthTag(sealed.subarray(-tagBytes))
          return Buffer.concat([opening.update(sealed.subarray(0, -tagBytes)), opening.final()])
        } catch {}
      }
      return undefined
    },
  }
}

/** No two pieces of a form have the same, so that it need not be random (NIST SP 800-38D 8.2.1). */
function nonceOf(piece: Piece, index: number): Buffer {
  const nonce = Buffer.alloc(12)
  nonce.writeUInt32BE(kinds[piece], 0)
  nonce.writeUInt32BE(index, 8)
  return nonce
}
