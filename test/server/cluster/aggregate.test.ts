// Several workers told as one: what adds up, what is the worst, and what a death must not change.

import t from 'tap'
import { createMetrics } from '../../../src/ops/metrics.js'
import type { Readiness } from '../../../src/ops/readiness.js'
import {
  type ClusterState,
  mergeMetrics,
  mergeReadiness,
  sumDeadWorkers,
} from '../../../src/server/cluster/aggregate.js'

const well = { config: 'current', draining: false, shedding: false } as const
const up: Readiness = { ready: true, state: 'serving', store: 'up', ...well }
const down: Readiness = { ready: true, state: 'serving', store: 'down', error: 'no answer', ...well }
const never: Readiness = { ready: false, state: 'starting', store: 'never reached', error: 'no answer', ...well }
const cluster: ClusterState = { draining: false, complete: true, listening: 2, of: 2 }

t.test('counters and histograms add up, each gauge in its own way', async t => {
  const [one, two] = [createMetrics(), createMetrics()]
  for (const metrics of [one, two]) {
    metrics.request('proxied', 0.004)
    metrics.websocketOpened()
    metrics.login('corp', 'refused', 'saml.expired')
  }
  one.storeUp(true)
  two.storeUp(false)
  one.idpCertificateExpiry('corp', 900)
  two.idpCertificateExpiry('corp', 100)
  one.idpClockSkew('corp', 3)
  two.idpClockSkew('corp', -1)
  one.idpClockSkew('other', 7)
  const text = await mergeMetrics([await one.parts(), await two.parts(), []]).metrics()
  for (const line of [
    'deskgate_requests_total{outcome="proxied"} 2',
    'deskgate_request_duration_seconds_bucket{le="0.005"} 2',
    'deskgate_request_duration_seconds_count 2',
    'deskgate_logins_total{provider="corp",outcome="refused",reason="saml.expired"} 2',
    'deskgate_websockets 2',
    'deskgate_store_up 0',
    'deskgate_idp_certificate_expiry_seconds{provider="corp"} 100',
    'deskgate_idp_clock_skew_seconds{provider="corp"} 1',
    'deskgate_idp_clock_skew_seconds{provider="other"} 7',
  ])
    t.ok(text.split('\n').includes(line), line)
})

t.test('a dead worker leaves its counters behind, and no gauge', async t => {
  const [one, two, three] = [createMetrics(), createMetrics(), createMetrics()]
  for (const metrics of [one, two, three]) {
    metrics.request('public', 1)
    metrics.websocketOpened()
  }
  const first = await sumDeadWorkers([await one.parts()])
  const both = await sumDeadWorkers([first, await two.parts()])
  const text = await mergeMetrics([both, await three.parts()]).metrics()
  t.match(text, 'deskgate_requests_total{outcome="public"} 3')
  t.match(text, 'deskgate_request_duration_seconds_sum 3')
  t.match(text, 'deskgate_websockets 1')
  t.notOk(both.some(({ name }) => name === 'deskgate_store_up'))
})

t.test('ready when all have listened once and one has reached the store', async t => {
  const cases: [string, Readiness[], Partial<ClusterState>, object][] = [
    ['all is well', [up, up], {}, { ready: true, state: 'serving', store: 'up', error: undefined }],
    ['one has not listened yet', [up], { complete: false, listening: 1 }, { ready: false, state: 'starting' }],
    ['one has died since', [up], { listening: 1 }, { ready: true, workers: { listening: 1, of: 2 } }],
    ['the store was never reached', [never, never], {}, { ready: false, state: 'starting', store: 'never reached' }],
    ['the store went away', [down, down], {}, { ready: true, store: 'down', error: 'no answer' }],
    ['one lost the store', [up, down], {}, { ready: true, store: 'down', error: 'no answer' }],
    ['one was replaced while the store is away', [down, never], {}, { ready: true, state: 'serving', store: 'down' }],
    ['the end has begun', [up, up], { draining: true }, { ready: false, state: 'draining' }],
  ]
  for (const [name, parts, change, expected] of cases)
    t.match(mergeReadiness(parts, { ...cluster, ...change }), expected, name)
})
