// Of a chain only the leaf's key signs, in whatever order it comes and with whatever gaps.

import { X509Certificate } from 'node:crypto'
import t from 'tap'
import { isChain, leafOf } from '../../src/core/certificate-chain.js'
import type { SigningKey } from '../../src/demo/idp-messages.js'
import { createChain } from '../parts/certificate-chain.js'
import { missingParts } from '../parts/required-parts.js'

t.test('the leaf of a chain', { skip: missingParts('openssl') }, async t => {
  const { root, middle, leaf, namesake, renewed, alone } = await createChain()
  const cases: [string, SigningKey[], SigningKey, boolean][] = [
    ['alone', [alone], alone, true],
    ['leaf first', [leaf, middle, root], leaf, true],
    ['root first', [root, middle, leaf], leaf, true],
    ['in the middle', [middle, leaf, root], leaf, true],
    ['without the authority between', [leaf, root], leaf, false],
    ['without the authority between, root first', [root, leaf], leaf, false],
    ['a stranger with the name of its authority', [namesake, leaf], leaf, false],
    ['the same twice', [leaf, leaf, middle], leaf, true],
    ['a renewal with the same key', [alone, renewed], alone, true],
    ['two strangers: the first', [alone, namesake], alone, false],
  ]
  for (const [name, chain, expected, whole] of cases) {
    const certificates = chain.map(({ certificate }) => new X509Certificate(certificate))
    t.equal(leafOf(certificates)?.fingerprint256, new X509Certificate(expected.certificate).fingerprint256, name)
    t.equal(isChain(certificates), whole, name)
  }
  t.equal(leafOf([]), undefined)
})
