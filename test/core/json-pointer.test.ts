import t from 'tap'
import { pointAt, pointerShape } from '../../src/core/json-pointer.js'

t.test('RFC 6901, section 5', async t => {
  const document = { foo: ['bar', 'baz'], '': 0, 'a/b': 1, 'c%d': 2, 'm~n': 8, ' ': 7 }
  const rows: [string, unknown][] = [
    ['', document],
    ['/foo', ['bar', 'baz']],
    ['/foo/0', 'bar'],
    ['/', 0],
    ['/a~1b', 1],
    ['/c%d', 2],
    ['/m~0n', 8],
    ['/ ', 7],
    ['/foo/2', undefined],
    ['/foo/-', undefined],
    ['/foo/00', undefined],
    ['/foo/length', undefined],
    ['/foo/0/length', undefined],
    ['/none/none', undefined],
    ['/constructor', undefined],
    ['/__proto__/toString', undefined],
  ]
  for (const [pointer, value] of rows) {
    t.ok(pointerShape.test(pointer), pointer)
    t.same(pointAt(document, pointer), value, pointer)
  }
  for (const value of [null, 7, 'text', undefined]) t.equal(pointAt(value, '/a'), undefined)
  for (const text of ['email', '/a~', '/a~2', '#/a', 'a/b']) t.notOk(pointerShape.test(text), text)
})
