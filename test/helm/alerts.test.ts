// The alerts fire when they should and not before, as promtool sees it, and each has its section in the guide.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createMetrics } from '../../src/ops/metrics.js'
import { valuesWith } from '../parts/chart-values.js'
import { objectOf, objects } from '../parts/helm.js'
import { promtool } from '../parts/prometheus.js'
import { missingParts } from '../parts/required-parts.js'

const skip = missingParts('helm', 'promtool')
const scope = 'namespace="help",job="desk-deskgate-probes"'

interface Rule {
  alert: string
  expr: string
  labels: { severity: string }
  annotations: { summary: string; description: string }
}

async function rules(): Promise<{ groups: { rules: Rule[] }[] }> {
  const all = await objects({ values: valuesWith({ 'prometheusRule.enabled': true }) })
  return objectOf(all, 'PrometheusRule').spec
}

const series = (name: string, values: string, labels = '') => ({
  series: `${name}{${scope},instance="a",pod="a"${labels}}`,
  values,
})
const logins = (values: string, labels: string) => series('deskgate_logins_total', values, `,provider="corp",${labels}`)
const requests = (values: string, outcome: string) => series('deskgate_requests_total', values, `,outcome="${outcome}"`)
const bucket = (values: string, le: string) => series('deskgate_request_duration_seconds_bucket', values, `,le="${le}"`)
const refused = (reason: string) => `outcome="refused",reason="${reason}"`
const certificate = (days: number) =>
  series('deskgate_idp_certificate_expiry_seconds', `${days * 86_400}x200`, ',provider="corp"')

interface Case {
  /** What fires it, one sample a minute. */
  fires: object[]
  /** What does not. */
  not: object[]
  /** Minutes after which it must fire, and by default at which it must not. */
  at: number
}

const up = series('deskgate_store_up', '1x200')
const cases: Record<string, Case> = {
  DeskgateAbsent: { fires: [], not: [up], at: 6 },
  DeskgateStoreDown: {
    fires: [series('deskgate_store_up', '0x200')],
    not: [series('deskgate_store_up', '1 0 1 0 1 0 1x200')],
    at: 5,
  },
  DeskgateConfigRejected: {
    fires: [series('deskgate_config_rejected', '1x200')],
    not: [series('deskgate_config_rejected', '1 1 1 1 1 0x200')],
    at: 15,
  },
  DeskgateIdpCertificateEndsSoon: { fires: [certificate(13)], not: [certificate(15)], at: 90 },
  DeskgateIdpCertificateEnds: { fires: [certificate(1)], not: [certificate(3)], at: 20 },
  DeskgateIdpClockSkew: {
    fires: [series('deskgate_idp_clock_skew_seconds', '-50x200', ',provider="corp"')],
    not: [series('deskgate_idp_clock_skew_seconds', '40x200', ',provider="corp"')],
    at: 20,
  },
  DeskgateLoginsFailing: {
    fires: [logins('0+3x200', refused('saml.expired')), logins('0+1x200', 'outcome="accepted",reason=""')],
    not: [
      logins('0+2x200', refused('saml.expired')),
      logins('0+3x200', 'outcome="accepted",reason=""'),
      logins('0+50x200', refused('login.rate_limited')),
    ],
    at: 30,
  },
  DeskgateLoginsUnavailable: {
    fires: [logins('0+1x200', refused('agent.directory_unavailable'))],
    not: [
      logins('0+9x200', refused('agent.unknown')),
      // Attack: anybody can have it refused so, by a token with a made-up kid.
      logins('0+50x200', refused('jwt.keys_unavailable')),
      // Attack: by forms that do not end.
      logins('0+50x200', refused('login.busy_unavailable')),
      // The gateway's own limits, and refusals with a similar name.
      logins('0+50x200', refused('login.rate_limited')),
      logins('0+50x200', refused('login.other_session')),
    ],
    at: 20,
  },
  DeskgateLoginsBusy: {
    fires: [logins('0+3x200', refused('login.busy_unavailable'))],
    not: [
      logins('0+1x200', refused('login.busy_unavailable')),
      logins('0+9x200', refused('agent.directory_unavailable')),
      logins('0+9x200', refused('jwt.keys_unavailable')),
    ],
    at: 20,
  },
  DeskgateKeysUnavailable: {
    fires: [logins('0+3x200', refused('jwt.keys_unavailable'))],
    not: [logins('0+1x200', refused('jwt.keys_unavailable')), logins('0+9x200', refused('saml.metadata_unavailable'))],
    at: 20,
  },
  DeskgateSignaturesInvalid: {
    fires: [logins('0+1x200', refused('saml.signature_invalid'))],
    not: [logins('0+1x200', refused('saml.signature_missing'))],
    at: 30,
  },
  DeskgateDeskErrors: {
    fires: [requests('0+10x200', 'upstream_error'), requests('0+90x200', 'proxied')],
    not: [requests('0+2x200', 'upstream_error'), requests('0+98x200', 'proxied')],
    at: 20,
  },
  DeskgateSlow: {
    fires: [bucket('0+90x200', '5'), bucket('0+100x200', '10'), bucket('0+100x200', '+Inf')],
    not: [bucket('0+99x200', '5'), bucket('0+100x200', '10'), bucket('0+100x200', '+Inf')],
    at: 40,
  },
  DeskgateDeskBusy: { fires: [requests('0+1x200', 'desk_busy')], not: [requests('7x200', 'desk_busy')], at: 20 },
  DeskgateShedding: { fires: [requests('0+1x200', 'shed')], not: [requests('7x200', 'shed')], at: 20 },
  DeskgateAuditLost: {
    fires: [series('deskgate_audit_failures_total', '0 0 0 0 0 1x200')],
    not: [series('deskgate_audit_failures_total', '3x200')],
    at: 10,
  },
  DeskgateDirectoryStale: {
    fires: [series('deskgate_directory_read_timestamp_seconds', '0x200', ',source="http desk"')],
    not: [
      series('deskgate_directory_read_timestamp_seconds', '0+60x200', ',source="http desk"'),
      // A file is read when it changes.
      series('deskgate_directory_read_timestamp_seconds', '0x200', ',source="file agents.yaml"'),
    ],
    at: 50,
  },
  DeskgateBreakglassUsed: {
    fires: [series('deskgate_breakglass_total', '0 0 0 0 0 1x200', ',outcome="used"')],
    not: [series('deskgate_breakglass_total', '0+1x200', ',outcome="created"')],
    at: 10,
  },
  DeskgateWorkersDie: {
    fires: [series('deskgate_worker_restarts_total', '0+1x200')],
    not: [series('deskgate_worker_restarts_total', '0 1 2 2x200')],
    at: 20,
  },
}

t.test('promtool takes the rules, and each fires when it should and only then', { skip }, async t => {
  const spec = await rules()
  const all = spec.groups.flatMap(group => group.rules)
  t.same(all.map(({ alert }) => alert).sort(), Object.keys(cases).sort(), 'each has its case')
  const rulesFile = { 'rules.yaml': spec }
  const checked = await promtool(['check', 'rules', 'rules.yaml'], rulesFile)
  t.match(checked, { code: 0, said: `${all.length} rules found` })

  const firing = (alert: string, input: object[], at: number, count: 'one' | 'none') => ({
    ...{ interval: '1m', name: `${alert} ${count}`, input_series: input },
    promql_expr_test: [
      {
        ...{ expr: `count(ALERTS{alertname="${alert}",alertstate="firing"}) or vector(0)`, eval_time: `${at}m` },
        exp_samples: [{ labels: '{}', value: count === 'one' ? 1 : 0 }],
      },
    ],
  })
  const tests = Object.entries(cases).flatMap(([alert, { fires, not, at }]) => [
    firing(alert, fires, at, 'one'),
    firing(alert, not, at, 'none'),
  ])
  const tested = await promtool(['test', 'rules', 'tests.yaml'], {
    ...rulesFile,
    'tests.yaml': { rule_files: ['rules.yaml'], evaluation_interval: '1m', tests },
  })
  t.equal(tested.code, 0, tested.said)
})

t.test('promtool takes /metrics, and alerts and dashboard name no metric that is not there', { skip }, async t => {
  const { body } = await createMetrics().text()
  const linted = await promtool(['check', 'metrics'], {}, body)
  t.match(linted, { code: 0, said: '' })
  const survey = readFileSync(join(import.meta.dirname, '../../src/server/cluster/aggregate.ts'), 'utf8')
  const there = new Set([...(body + survey).matchAll(/deskgate_\w+/g)].map(([name]) => name))
  const dashboard = readFileSync(join(import.meta.dirname, '../../helm/deskgate/dashboards/deskgate.json'), 'utf8')
  const named = [...(JSON.stringify(await rules()) + dashboard).matchAll(/deskgate_\w+/g)].map(([name]) => name)
  t.ok(named.length > 20)
  for (const name of new Set(named)) if (name !== 'grafana_dashboard') t.ok(there.has(name), name)
})

t.test('each alert says what to do, in the guide too', { skip }, async t => {
  const guide = readFileSync(join(import.meta.dirname, '../../docs/alerts.md'), 'utf8')
  const headings = [...guide.matchAll(/^## (Deskgate\w+)$/gm)].map(([, name]) => name)
  const all = (await rules()).groups.flatMap(group => group.rules)
  t.same(headings.sort(), all.map(({ alert }) => alert).sort())
  for (const { labels, annotations } of all) {
    t.match(labels.severity, /^(critical|warning)$/)
    t.ok(annotations.summary && annotations.description)
  }
})
