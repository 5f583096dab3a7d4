// What ties a token to the browser that asked for it: the attempt's ID, sent out as `state` and inside return_to, and
// looked for in all that comes back. Must never take one of several that disagree.

import type { RecordCheck } from '../../core/checks.js'
import type { Attempt, CallbackRequest } from '../../core/providers.js'

const parameter = 'deskgate_state'

/** `target` (a path with its query) with the attempt's ID in its query, and no other; without its fragment, which is not the provider's to know. */
export function withState(target: string, id: string): string {
  const [address = ''] = target.split('#', 1)
  const [path = '', ...query] = address.split('?')
  const pairs = query.join('?').split('&')
  // By the name that it decodes to: that is what statesIn would find.
  const kept = pairs.filter(pair => pair !== '' && !new URLSearchParams(pair).has(parameter))
  return `${path}?${[...kept, `${parameter}=${id}`].join('&')}`
}

/** Every state that a response carries: the form's, the token's own, and those of both return_to. Empty ones are none. */
export function statesOf(callback: CallbackRequest, token: { state?: string; returnTo?: string }): string[] {
  const bare = [callback.state, token.state]
  const inside = [callback.returnTo, token.returnTo].flatMap(target => (target ? statesIn(target) : []))
  return [...new Set([...bare, ...inside])].filter((state): state is string => state !== undefined && state !== '')
}

/** The attempt that all states name; refuses with jwt.state_mismatch when they do not, or when one is demanded. */
export function checkState(
  states: string[],
  rules: { provider: string; requireState: boolean; attempt: CallbackRequest['attempt'] },
  check: RecordCheck,
): Attempt | undefined {
  const reason = 'jwt.state_mismatch'
  if (rules.requireState) {
    check('state present', {
      ok: states.length > 0,
      reason,
      expected: 'the state of a login that this browser began',
      seen: states.length > 0 ? 'one' : 'none',
      setting: 'requireState',
    })
  }
  check('states agree', { ok: states.length <= 1, reason, expected: 'at most one state', seen: `${states.length}` })
  const [state] = states
  if (state === undefined) return undefined
  const attempt = rules.attempt(state)
  const seen = attempt ? `one for provider ${attempt.provider}` : 'one that this browser does not hold'
  const expected = `a state that this browser was given for provider ${rules.provider}`
  check('state', { ok: attempt?.provider === rules.provider, reason, expected, seen })
  return attempt
}

function statesIn(target: string): string[] {
  const query = target.split('#', 1)[0]?.split('?').slice(1).join('?') ?? ''
  return new URLSearchParams(query).getAll(parameter)
}
