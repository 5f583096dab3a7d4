// Heavy work piece by piece: in order, one at a time, and the sockets get their turn in between.

import t from 'tap'
import { createTurns } from '../../src/providers/turns.js'
import { startHttpServer } from '../parts/http-server.js'

t.test('one at a time, in order, and each with its own outcome', async t => {
  const turns = createTurns()
  const seen: string[] = []
  const work = (name: string) => async () => {
    seen.push(`${name} begins`)
    await new Promise(resolve => setImmediate(resolve))
    seen.push(`${name} ends`)
    if (name === 'two') throw new Error(name)
    return name
  }
  const settled = await Promise.allSettled(['one', 'two', 'three'].map(name => turns(work(name))))
  t.match(settled, [{ value: 'one' }, { reason: { message: 'two' } }, { value: 'three' }])
  t.same(
    seen,
    ['one', 'two', 'three'].flatMap(name => [`${name} begins`, `${name} ends`]),
  )
})

t.test('what came in meanwhile is read before the next piece', async t => {
  const server = await startHttpServer((_request, response) => void response.end('late?'))
  t.teardown(server.close)
  const answers: number[] = []
  const turns = createTurns()
  const pieces = Array.from({ length: 20 }, (_, i) =>
    turns(async () => {
      const end = performance.now() + 10
      while (performance.now() < end);
      return i
    }).then(piece => answers.length === 0 && piece),
  )
  const asked = fetch(server.url).then(() => void answers.push(1))
  const waited = (await Promise.all(pieces)).filter(piece => piece !== false)
  await asked
  t.ok(waited.length < 20, `the answer was there after ${waited.length} of 20 pieces`)
})
