// The pages of the session desk with sample data, for the preview.

import { hintOf, settingOf } from '../core/reasons.js'
import type { RefusedLoginReport } from '../ops/refused-logins.js'
import {
  type AdminFrame,
  type AdminPart,
  adminPage,
  linksPart,
  refusedPart,
  reportPart,
  sessionsPart,
  statePart,
} from '../web/pages/admin.js'
import type { PageContext, RenderedPage } from '../web/pages/layout.js'

export type Sample = (context: PageContext) => RenderedPage

export const [email, other] = ['ana@example.com', 'ben@example.com']
export const reference = '7KQ2M-XW9PA'
const admin = '/auth/admin'
export const [minute, hour] = [60_000, 3_600_000]
/** As browserName has them. */
export const browsers = ['Firefox on Linux', 'Safari on iPhone', 'curl/8.5', '']

/** By name, as in the address. */
export function deskSamples(now: number): [string, Sample][] {
  const frameOf = (context: PageContext): AdminFrame => ({
    page: context,
    admin,
    operator: email,
    providerName: () => 'Aloha Portal',
    action: () => ({}),
    field: () => undefined,
    now,
  })
  const part = (name: string, make: (frame: AdminFrame) => AdminPart): [string, Sample] => [
    `session-desk-${name}`,
    context => adminPage(frameOf(context), make(frameOf(context))),
  ]
  const reports = refusedReports(now)
  const [report] = reports as [RefusedLoginReport]
  const advice = { hint: hintOf(report.reason), setting: settingOf(report.reason) }
  return [
    part('sessions', frame => sessionsPart(frame, { rows: sessionRows(now), next: '1', agent: undefined })),
    part('refused', frame => refusedPart(frame, { rows: reports, total: reports.length, page: 0, more: false })),
    part('refused-checks', frame => reportPart(frame, { reference, report, ...advice })),
    part('state', frame => stateSample(frame, now)),
    part('links', frame => linksPart(frame, [linkSample(now)])),
    part('links-none', frame => linksPart(frame, [])),
  ]
}

function sessionRows(now: number) {
  return browsers.map((browser, at) => ({
    handle: String(at),
    agent: { email: [email, other][at % 2] ?? email, name: ['Ana Kealoha', 'Ben Nāone'][at % 2] ?? '', roles: [] },
    provider: 'portal',
    createdAt: now - (at + 2) * hour,
    seenAt: now - at * hour,
    endsAt: now + (22 - at) * hour,
    expiresAt: now + (8 - at) * hour,
    from: { address: `192.0.2.${at + 7}`, browser },
    here: at === 0,
  }))
}

function refusedReports(now: number): RefusedLoginReport[] {
  const from = { address: '192.0.2.9', browser: 'Chrome on Windows' }
  const checks = [
    { name: 'signature', ok: true },
    { name: 'audience', ok: true, expected: 'https://desk.example.com' },
    { name: 'agent is in the directory', ok: false, seen: 'no agent cleo@example.com', setting: 'agents' },
  ]
  const known = { at: now - 20 * minute, provider: 'portal', checks, ...from }
  return [
    { ...known, reference, agent: 'cleo@example.com', reason: 'agent.unknown' },
    { ...known, at: now - hour, reference: '9HWMR-2TKPZ', reason: 'saml.expired' },
    { ...known, at: now - 3 * hour, reference: 'C4YQX-77NDA', agent: email, reason: 'login.other_session' },
  ]
}

function stateSample(frame: AdminFrame, now: number): AdminPart {
  const [expiry, skew] = [20 * 86_400, -2.4]
  const none = { expiry: undefined, skew: undefined, accepted: undefined, refusedAt: undefined, lastReport: undefined }
  const lastReport = { reference, at: now - 20 * minute, provider: 'portal' }
  const providers = [
    { ...none, id: 'portal', name: 'Aloha Portal', type: 'saml', expiry, skew, accepted: now - 2 * minute, lastReport },
    { ...none, id: 'adventures', name: 'Aloha Adventures', type: 'jwt' },
  ]
  const sources = [{ name: 'agents.yaml', agents: 42, readAt: now / 1000 - 600 }]
  return statePart(frame, { providers, sources, failure: undefined })
}

function linkSample(now: number) {
  const order = { agent: other, minutes: 30, reason: 'The identity provider is down', operator: 'ops' }
  return { ...order, id: 'link', createdAt: now, until: now + 10 * minute }
}
