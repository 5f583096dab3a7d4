// Logins by a posted token, as the registry of protocols has them.

import type { JwtSettings } from '../../config/schema/providers.js'
import type { Protocol } from '../protocol.js'
import { handleJwtCallback } from '../select.js'
import { createJwtProvider } from './provider.js'

export const jwtProtocol: Protocol<JwtSettings> = {
  type: 'jwt',
  malformed: 'jwt.malformed',
  replayed: 'jwt.replayed',
  unselected: 'jwt.issuer_mismatch',
  messageFields: ['jwt', 'token'],
  create: createJwtProvider,
  handleCallback: (callback, providers) => handleJwtCallback(callback, {}, providers),
}
