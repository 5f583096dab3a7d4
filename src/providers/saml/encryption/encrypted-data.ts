// Reads the EncryptedData of an EncryptedAssertion or EncryptedID (XML Encryption 1.1), by the strict reader: one piece of
// data, one key, both in place. Anything that could be read in two ways is not there; nothing is ever fetched.

import { MalformedXml, readXml, type XmlElement, type XmlLimits } from '../../xml/reader.js'
import { assertion, encryption, encryption11, protocol, signature } from '../namespaces.js'
import { limitsFor } from '../response/prescan.js'

/** One encrypted piece, as written; values in base64 without white space. */
export interface EncryptedData {
  /** Where the element that holds it begins and ends in the text. */
  from: number
  to: number
  algorithm: string
  value: string
  key: {
    algorithm: string
    value: string
    /** DigestMethod, MGF and OAEPparams, where there are any. */
    digest?: string
    mask?: string
    label?: string
  }
}

/** Where an encrypted NameID stands: in an assertion that is a document of its own, or in a logout request. */
export type NameIdPlace = 'a:Assertion/a:Subject/a:EncryptedID' | 'p:LogoutRequest/a:EncryptedID'
export type EncryptedPlace = 'p:Response/a:EncryptedAssertion' | NameIdPlace

/**
 * The one encrypted piece at that place; undefined when there is none, another, or something else than one of each part.
 * `maxBytes`: of the message that it is read from; default 256 kB.
 */
export function readEncryptedData(xml: string, place: EncryptedPlace, maxBytes?: number): EncryptedData | undefined {
  try {
    return encryptedDataIn(collect(xml, place, limitsFor(maxBytes)))
  } catch (error) {
    if (error instanceof MalformedXml) return undefined
    throw error
  }
}

interface Parts {
  /** The values at each place within the encrypted piece. */
  values: Map<string, string[]>
  from: number
  to: number
}

function collect(xml: string, place: EncryptedPlace, limits: XmlLimits): Parts {
  const parts: Parts = { values: new Map(), from: 0, to: 0 }
  const path: string[] = []
  let text = ''
  const add = (at: string, value: string) => parts.values.set(at, [...(parts.values.get(at) ?? []), value])
  readXml(xml, limits, {
    open(element, from) {
      path.push(nameOf(element))
      text = ''
      const at = within(path.join('/'), place)
      if (at === '') parts.from = from
      if (at === '') add('', '')
      else if (at !== undefined) for (const [name, value] of noted(element)) add(`${at}@${name}`, value)
    },
    text(value) {
      text += value
    },
    close(to) {
      const at = within(path.join('/'), place)
      if (at === '') parts.to = to
      if (at && isText.test(at)) add(at, text)
      text = ''
      path.pop()
    },
  })
  return parts
}

const isText = /\/(?:e:CipherValue|e:OAEPparams)$/

/** The path below `place`, '' for itself; a key is the same wherever it may stand (SAML Core 6.1, XML Encryption 3.5). */
function within(path: string, place: string): string | undefined {
  if (path === place) return ''
  if (!path.startsWith(`${place}/`)) return undefined
  return path.slice(place.length + 1).replace(/^e:EncryptedData\/d:KeyInfo\/e:EncryptedKey(?=\/|$)/, 'e:EncryptedKey')
}

function noted({ local, attributes }: XmlElement): Array<[string, string]> {
  if (local === 'EncryptedData' || local === 'EncryptedKey') return [['', '']]
  const algorithm = attributes.find(({ local: name, prefix }) => name === 'Algorithm' && prefix === '')
  return algorithm ? [['Algorithm', algorithm.value]] : []
}

function encryptedDataIn({ values: parts, from, to }: Parts): EncryptedData | undefined {
  const one = (at: string) => (parts.get(at)?.length === 1 ? parts.get(at)?.[0] : undefined)
  const single = ['', 'e:EncryptedData@', 'e:EncryptedKey@'].every(at => parts.get(at)?.length === 1)
  const method = 'e:EncryptedKey/e:EncryptionMethod'
  const optional = [`${method}/d:DigestMethod@Algorithm`, `${method}/x:MGF@Algorithm`, `${method}/e:OAEPparams`]
  if (!single || optional.some(at => (parts.get(at)?.length ?? 0) > 1)) return undefined
  const [digest, mask, label] = optional.map(one)
  const algorithm = one('e:EncryptedData/e:EncryptionMethod@Algorithm')
  const value = one('e:EncryptedData/e:CipherData/e:CipherValue')
  const keyAlgorithm = one(`${method}@Algorithm`)
  const keyValue = one('e:EncryptedKey/e:CipherData/e:CipherValue')
  if (algorithm === undefined || value === undefined) return undefined
  if (keyAlgorithm === undefined || keyValue === undefined) return undefined
  const key = {
    algorithm: keyAlgorithm,
    value: plain(keyValue),
    ...(digest === undefined ? {} : { digest }),
    ...(mask === undefined ? {} : { mask }),
    ...(label === undefined ? {} : { label: plain(label) }),
  }
  return { from, to, algorithm, value: plain(value), key }
}

function plain(base64: string): string {
  return base64.replace(/[\t\n\r ]+/g, '')
}

const prefixes: Readonly<Record<string, string>> = {
  [protocol]: 'p',
  [assertion]: 'a',
  [signature]: 'd',
  [encryption]: 'e',
  [encryption11]: 'x',
}

function nameOf({ namespace, local }: XmlElement): string {
  return `${prefixes[namespace] ?? '?'}:${local}`
}
