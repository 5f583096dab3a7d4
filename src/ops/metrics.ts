// The Prometheus metrics. No label value comes from a request: all come from a fixed list or the configuration.

import {
  Counter,
  collectDefaultMetrics,
  Gauge,
  type Histogram,
  type MetricObjectWithValues,
  type MetricValue,
  Registry,
} from 'prom-client'
import type { Reason } from '../core/reasons.js'

/** How a request can end. */
const requestOutcomes = [
  'proxied',
  'public',
  'redirected',
  'unauthorized',
  'forbidden',
  'bad_request',
  'own',
  'upstream_error',
  'store_unavailable',
  'shed',
  'desk_busy',
  'observed',
] as const
export type RequestOutcome = (typeof requestOutcomes)[number]

const sources = ['near', 'store', 'none'] as const

/** One metric with its current values, as workers send it to the primary. */
export type MetricPart = MetricObjectWithValues<MetricValue<string>>

export interface Metrics {
  /** A finished request; seconds from its first byte to the last byte of the response. */
  request(outcome: RequestOutcome, seconds: number): void
  login(provider: string, outcome: 'accepted' | 'refused', reason?: Reason): void
  /** A one-time link was made, used, or refused. */
  breakglass(outcome: 'created' | 'used' | 'refused'): void
  bearerRefused(provider: string, reason: Reason): void
  keptForm(outcome: KeptOutcome): void
  lookup(source: (typeof sources)[number]): void
  storeUp(up: boolean): void
  websocketOpened(): void
  websocketClosed(): void
  revoked(count: number): void
  idpCertificateExpiry(provider: string, seconds: number): void
  idpClockSkew(provider: string, seconds: number): void
  /** A directory source was read: its number of agents, and the time in milliseconds since the epoch. */
  directory(source: string, read: { agents: number; at: number }): void
  /** Removes the gauges of a provider that is no longer configured. */
  forget(provider: string): void
  /** Whether the last reload was refused. */
  configRejected(rejected: boolean): void
  /** An audit line could not be written. */
  auditLost(): void
  /** Adds the metrics of the process itself, under the names that all Node programs use, and deskgate_build_info. */
  addProcess(version: string): void
  /** The exposition format and its content type. */
  text(): Promise<{ type: string; body: string }>
  /** The same as data, to be merged with that of other workers. */
  parts(): Promise<MetricPart[]>
}

/**
 * What becomes of a form that was sent after the end of its session. From `still_kept` on it is not kept: an earlier one is,
 * the reason stands here, or Desk has got it.
 */
const keptOutcomes = [
  'kept',
  'still_kept',
  'another_kept',
  'too_large',
  'file',
  'unreadable',
  'busy',
  'full',
  'cut',
  'sent',
  'not_sent',
  'discarded',
] as const
export type KeptOutcome = (typeof keptOutcomes)[number]

/** Each gauge names how the values of several workers are merged; counters and histograms are added up. */
export function createMetrics(): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const requests = new Counter({
    name: 'deskgate_requests_total',
    help: 'Requests by how they ended: proxied, public, redirected, unauthorized, forbidden, bad_request, own, upstream_error, store_unavailable, shed, desk_busy or observed.',
    labelNames: ['outcome'],
    registers,
  })
  const observeDuration = createHistogram(registry, {
    name: 'deskgate_request_duration_seconds',
    help: 'From the first byte of a request to the last of its response.',
    bounds: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  })
  const logins = new Counter({
    name: 'deskgate_logins_total',
    help: 'Logins by provider, outcome (accepted or refused) and reason of the refusal. Empty provider: none was found for the message.',
    labelNames: ['provider', 'outcome', 'reason'],
    registers,
  })
  const breakglass = new Counter({
    name: 'deskgate_breakglass_total',
    help: 'One-time links (deskgate breakglass) by outcome.',
    labelNames: ['outcome'],
    registers,
  })
  // Present from the start: an alert on a counter that appears with its first use would miss that use.
  for (const outcome of ['created', 'used', 'refused']) breakglass.inc({ outcome }, 0)
  const bearerRefusals = new Counter({
    name: 'deskgate_bearer_refused_total',
    help: 'Requests whose bearer token was refused, by provider and reason.',
    labelNames: ['provider', 'reason'],
    registers,
  })
  const keptForms = new Counter({
    name: 'deskgate_kept_forms_total',
    help: 'Forms that agents sent after the end of their session, by what became of them (login.keepPost).',
    labelNames: ['outcome'],
    registers,
  })
  const lookups = new Counter({
    name: 'deskgate_session_lookups_total',
    help: 'Session look-ups by where the answer came from: near (this process), store, or none (no such session).',
    labelNames: ['source'],
    registers,
  })
  const store = new Gauge({
    name: 'deskgate_store_up',
    help: '1 while the session store answers.',
    registers,
    // One worker that does not reach the store is a fault.
    aggregator: 'min',
  })
  const websockets = new Gauge({
    name: 'deskgate_websockets',
    help: 'Open WebSockets.',
    registers,
    aggregator: 'sum',
  })
  const revocations = new Counter({
    name: 'deskgate_revocations_total',
    help: 'Sessions ended before they expired.',
    registers,
  })
  const certificates = new Gauge({
    name: 'deskgate_idp_certificate_expiry_seconds',
    help: 'Seconds until the last signing certificate of an IdP expires.',
    labelNames: ['provider'],
    registers,
    // Logins would fail first at the worker that has not read the new metadata yet.
    aggregator: 'min',
  })
  const skews = new Gauge({
    name: 'deskgate_idp_clock_skew_seconds',
    help: 'How far the clock of an IdP was ahead at its last login.',
    labelNames: ['provider'],
    registers,
    // All workers share one clock; each has seen a different last login.
    aggregator: 'average',
  })
  const agents = new Gauge({
    name: 'deskgate_directory_agents',
    help: 'Agents that a source of the directory named when it was last read.',
    labelNames: ['source'],
    registers,
  })
  const agentsRead = new Gauge({
    name: 'deskgate_directory_read_timestamp_seconds',
    help: 'When a source of the directory was last read, as Unix time.',
    labelNames: ['source'],
    registers,
  })
  const rejected = new Gauge({
    name: 'deskgate_config_rejected',
    help: '1 while the last reload was refused: the previous configuration is kept.',
    registers,
    // One worker that refused it is enough.
    aggregator: 'max',
  })
  const lost = new Counter({
    name: 'deskgate_audit_failures_total',
    help: 'Audit lines that could not be written to a destination (audit.to); they are in the log.',
    registers,
  })
  const countRequest = countByLabel(requests, 'outcome', requestOutcomes)
  const countKeptForm = countByLabel(keptForms, 'outcome', keptOutcomes)
  const countLookup = countByLabel(lookups, 'source', sources)

  return {
    request(outcome, seconds) {
      countRequest(outcome)
      observeDuration(seconds)
    },
    login: (provider, outcome, reason) => logins.inc({ provider, outcome, reason: reason ?? '' }),
    breakglass: outcome => breakglass.inc({ outcome }),
    bearerRefused: (provider, reason) => bearerRefusals.inc({ provider, reason }),
    keptForm: countKeptForm,
    lookup: countLookup,
    storeUp: up => store.set(up ? 1 : 0),
    websocketOpened: () => websockets.inc(),
    websocketClosed: () => websockets.dec(),
    revoked: count => revocations.inc(count),
    idpCertificateExpiry: (provider, seconds) => certificates.set({ provider }, seconds),
    idpClockSkew: (provider, seconds) => skews.set({ provider }, seconds),
    directory(source, read) {
      agents.set({ source }, read.agents)
      agentsRead.set({ source }, read.at / 1000)
    },
    forget(provider) {
      certificates.remove({ provider })
      skews.remove({ provider })
    },
    configRejected: is => rejected.set(is ? 1 : 0),
    auditLost: () => lost.inc(),
    addProcess: version => addProcess(registry, version),
    text: async () => ({ type: registry.contentType, body: await registry.metrics() }),
    parts: async () => (await registry.getMetricsAsJSON()) as MetricPart[],
  }
}

function addProcess(register: Registry, version: string): void {
  collectDefaultMetrics({ register })
  const build = new Gauge({
    name: 'deskgate_build_info',
    help: '1 for the version of Deskgate and of Node.js that runs.',
    labelNames: ['version', 'node'],
    registers: [register],
    aggregator: 'max',
  })
  build.set({ version, node: process.version }, 1)
}

/**
 * Counts by one label with known values. Cheap, because every request pays for it: the counter is updated when it is
 * scraped. All values exist from the first scrape: a series that appears with its first event has no rate before the second.
 */
function countByLabel<Value extends string>(
  counter: Counter,
  label: string,
  values: readonly Value[],
): (value: Value) => void {
  const counts = Object.fromEntries(values.map(value => [value, 0])) as Record<Value, number>
  Object.assign(counter, {
    collect() {
      for (const value of values) {
        counter.inc({ [label]: value }, counts[value])
        counts[value] = 0
      }
    },
  })
  return value => {
    counts[value]++
  }
}

/**
 * A histogram without labels. prom-client's own costs ten times as much for each request: it validates, hashes labels and
 * makes a closure.
 */
function createHistogram(
  registry: Registry,
  { name, help, bounds }: { name: string; help: string; bounds: readonly number[] },
): (value: number) => void {
  /** One for each bound, and one for what is above them all. */
  const counts = new Array<number>(bounds.length + 1).fill(0)
  let sum = 0
  const get = async () => {
    let count = 0
    const bucket = (le: number | '+Inf', value: number) => ({ metricName: `${name}_bucket`, labels: { le }, value })
    const values = counts.map((seen, i) => {
      count += seen
      return bucket(bounds[i] ?? '+Inf', count)
    })
    const total = (kind: 'sum' | 'count', value: number) => ({ metricName: `${name}_${kind}`, labels: {}, value })
    return {
      name,
      help,
      type: 'histogram',
      aggregator: 'sum',
      values: [...values, total('sum', sum), total('count', count)],
    }
  }
  // As prom-client's own aggregator does: all that a registry asks of a metric is its name and get().
  registry.registerMetric({ name, get } as unknown as Histogram)
  return value => {
    let i = 0
    while (i < bounds.length && value > (bounds[i] as number)) i++
    counts[i] = (counts[i] as number) + 1
    sum += value
  }
}
