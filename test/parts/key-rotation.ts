// All four kinds of keys of a gateway, an old and a new one of each, as files and as settings.

import { verify } from 'node:crypto'
import { newSigningKey as newIdentityKey } from '../../src/keys/assertion-keys.js'
import { newSigningKey } from './saml-idp.js'

/** The order of the old and new keys; the first is in use. */
export type Ring = ('old' | 'new')[]

const [spOld, spNew] = [newSigningKey('sp old'), newSigningKey('sp new')]

export const certificates = { old: spOld.certificate, new: spNew.certificate }
export const portalSecrets = {
  old: 'the old secret of the portal, long enough',
  new: 'the new secret of the portal, long enough',
}

/** Beside the configuration. */
export const keyFiles = {
  'ring-old': 'the old key ring of the reloads, long enough',
  'ring-new': 'the new key ring of the reloads, long enough',
  'portal-old': portalSecrets.old,
  'portal-new': portalSecrets.new,
  'identity-old.key': newIdentityKey(),
  'identity-new.key': newIdentityKey(),
  'sp-old.key': spOld.key,
  'sp-old.crt': spOld.certificate,
  'sp-new.key': spNew.key,
  'sp-new.crt': spNew.certificate,
}

export const ringOf = (ring: Ring) => ring.map(name => ({ file: `ring-${name}` }))

/** The settings that hold keys; `providers` without theirs. */
export function keySettings(ring: Ring, providers: { corp: object; portal: object }) {
  const [now = 'old', ...others] = ring
  const pair = (name: string) => ({ key: `sp-${name}.key`, certificate: `sp-${name}.crt` })
  return {
    secrets: ringOf(ring),
    providers: [
      { ...providers.corp, ...pair(now), otherKeys: others.map(pair), signRequests: true },
      { ...providers.portal, secrets: ring.map(name => ({ file: `portal-${name}` })) },
    ],
    identity: { assertion: { keys: ring.map(name => `identity-${name}.key`) } },
  }
}

/** The key that signed a request in a redirect (SAML Bindings 3.4.4.1). */
export function signerOf(location: string): keyof typeof certificates | 'nobody' {
  const [signed = '', signature = ''] = (location.split('?')[1] ?? '').split('&Signature=')
  const bytes = Buffer.from(decodeURIComponent(signature), 'base64')
  const made = (name: keyof typeof certificates) => verify('sha256', Buffer.from(signed), certificates[name], bytes)
  return (['old', 'new'] as const).find(made) ?? 'nobody'
}
