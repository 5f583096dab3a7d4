// Which name a mistyped one stands for.

import t from 'tap'
import { nearest } from '../../src/config/partial-config.js'

const known = ['idle', 'lifetime', 'store', 'perAgent', 'publicUrl', 'id']

t.test('a letter more, less, other or swapped is forgiven, and so is the way of writing', async t => {
  const meant = { idel: 'idle', idl: 'idle', iddle: 'idle', idne: 'idle', liftime: 'lifetime', public_url: 'publicUrl' }
  for (const [typed, name] of Object.entries({ ...meant, 'PER-AGENT': 'perAgent', stor: 'store' })) {
    t.equal(nearest(typed, known), name, typed)
  }
})

t.test('what is far from everything is nothing', async t => {
  for (const typed of ['timeout', 'x', '', 'secrets', 'k'.repeat(1000)])
    t.equal(nearest(typed, known), undefined, typed)
})
