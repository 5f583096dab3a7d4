// SAML providers: complete, and told apart by their issuer.

import type { Path } from '../problems.js'
import type { Rules } from './rule.js'

export function samlRules(rules: Rules): void {
  const issuers = new Map<string, number>()
  for (const [index, provider] of (rules.config.providers ?? []).entries()) {
    if (provider?.type !== 'saml') continue
    const path = ['providers', index]
    complete(rules, path)
    requests(rules, path)
    logout(rules, path)
    const { issuer } = provider
    if (issuer === undefined) continue
    const before = issuers.get(issuer)
    if (before === undefined) issuers.set(issuer, index)
    else
      rules.problem([...path, 'issuer'], `is the issuer of providers[${before}] too`, 'one entry per identity provider')
  }
}

function complete({ written, problem, warning }: Rules, path: Path): void {
  const has = (key: string) => {
    const value = written([...path, key])
    return value !== undefined && !(Array.isArray(value) && value.length === 0)
  }
  const manual = ['issuer', 'loginUrl', 'certificates']
  if (has('metadata')) {
    // The issuer says which of several in the metadata is meant.
    const idle = manual.filter(key => key !== 'issuer' && has(key))
    for (const key of idle) warning([...path, key], 'stands beside metadata: the metadata is what counts')
    return
  }
  const lacking = manual.filter(key => !has(key) && !(key === 'certificates' && has('certificateFingerprints')))
  if (lacking.length === 0) return
  if (lacking.length === manual.length) {
    problem([...path, 'metadata'], 'is missing', 'metadata, or issuer with loginUrl and certificates')
  } else {
    for (const key of lacking) problem([...path, key], 'is missing', 'it is needed where there is no metadata')
  }
}

function requests({ config, problem }: Rules, path: Path): void {
  const provider = config.providers?.[Number(path[1])]
  if (provider?.type !== 'saml') return
  const { signRequests, wantAssertionsEncrypted, key, certificate } = provider
  const use = signRequests ? 'signRequests' : 'wantAssertionsEncrypted'
  if (signRequests || wantAssertionsEncrypted) {
    if (key === undefined) problem([...path, 'key'], 'is missing', `${use} needs it`)
    if (certificate === undefined) problem([...path, 'certificate'], 'is missing', `${use} needs it`)
  } else if (key === undefined && certificate !== undefined) {
    problem([...path, 'key'], 'is missing', 'certificate needs it')
  }
}

function logout({ config, warning }: Rules, path: Path): void {
  const provider = config.providers?.[Number(path[1])]
  if (provider?.type !== 'saml' || provider.sloUrl === undefined) return
  if (provider.key !== undefined && provider.certificate !== undefined) return
  const hint = 'most identity providers refuse logout requests that are not signed'
  warning([...path, 'sloUrl'], 'stands without key and certificate', hint)
}
