// What makes a build of the image the same each time: the arguments, and what is taken out of podman's image afterwards.

import t from 'tap'
import { buildArgs, labelsOf, settleConfig } from '../../scripts/image/build.mjs'

const digest = `sha256:${'b'.repeat(64)}`
const about = { version: '1.2.3' }
const how = { engine: 'podman', about, revision: 'abc', epoch: 1_700_000_000, tag: 'r.example/deskgate:1.2.3' }

t.test('the base is pinned by its digest, and keeps its name in a label', async t => {
  for (const [base, pinned] of [
    ['docker.io/library/node:26-slim', `docker.io/library/node@${digest}`],
    ['registry.example.com:5000/node', `registry.example.com:5000/node@${digest}`],
    [`docker.io/library/node:26-slim@${digest}`, `docker.io/library/node@${digest}`],
  ] as const) {
    const args = buildArgs({ ...how, base, baseDigest: digest })
    t.ok(args.includes(`BASE=${pinned}`), base)
    t.ok(args.includes(`BASE_NAME=${base.replace(/@.*/, '')}`), base)
    t.ok(args.includes(`org.opencontainers.image.base.digest=${digest}`), base)
  }
})

t.test('time, version and revision come from outside', async t => {
  const args = buildArgs({ ...how, base: 'node', more: ['--network=host'] })
  for (const word of [
    'VERSION=1.2.3',
    'REVISION=abc',
    'SOURCE_DATE_EPOCH=1700000000',
    '--network=host',
    '--timestamp',
  ]) {
    t.ok(args.includes(word), word)
  }
  t.notOk(buildArgs({ ...how, engine: 'docker', base: 'node' }).includes('--timestamp'), 'docker has no such option')
  t.strictSame(args.slice(-3), ['--tag', how.tag, '.'])
})

t.test('a label has a value, or is not there', async t => {
  const named = (more: object) => labelsOf({ about: { ...about, ...more }, epoch: 0 })
  t.strictSame(named({}), [
    'org.opencontainers.image.created=1970-01-01T00:00:00Z',
    'org.opencontainers.image.ref.name=1.2.3',
  ])
  const all = named({
    author: { name: 'Deskgate contributors' },
    homepage: 'https://example.com',
    repository: { type: 'git', url: 'git+https://example.com/deskgate.git' },
  })
  for (const label of ['authors=Deskgate contributors', 'vendor=', 'url=https://example.com', 'documentation=']) {
    t.ok(
      all.some(one => one.startsWith(`org.opencontainers.image.${label}`)),
      label,
    )
  }
  t.ok(all.includes('org.opencontainers.image.source=https://example.com/deskgate.git'))
})

t.test('two builds by podman differ in what describes the build, and in nothing else', async t => {
  const built = (run: string) => ({
    created: '2023-11-14T22:13:20Z',
    container: run,
    container_config: { Hostname: run },
    parent: `sha256:${run}`,
    config: { Hostname: run, User: '10001:10001', Labels: { 'io.buildah.version': run, title: 'Deskgate' } },
    history: [
      { created_by: 'ADD file in /', comment: 'imported from tarball' },
      { created_by: 'COPY dir in /', comment: `FROM ${run}` },
    ],
    rootfs: { diff_ids: [digest] },
  })
  const one = settleConfig(built('one'))
  t.strictSame(one, settleConfig(built('two')))
  t.strictSame(one, {
    created: '2023-11-14T22:13:20Z',
    config: { User: '10001:10001', Labels: { title: 'Deskgate' } },
    history: [{ created_by: 'ADD file in /', comment: 'imported from tarball' }, { created_by: 'COPY dir in /' }],
    rootfs: { diff_ids: [digest] },
  })
})
