// The rules across keys, in the order of the reference. They run on what the schema could load, so that one run finds
// the schema's problems and theirs. None of them opens a file or a socket.

import type { Draft } from './partial-config.js'
import type { Finding, Problem } from './problems.js'
import { accessRules } from './rules/access.js'
import { agentRules } from './rules/agents.js'
import { deskLoginRules } from './rules/desk-login.js'
import { gatewayRules } from './rules/gateway.js'
import { identityRules } from './rules/identity.js'
import { jwtRules } from './rules/jwt.js'
import { keyRules } from './rules/keys.js'
import { providerRules } from './rules/providers.js'
import type { Rules } from './rules/rule.js'
import { samlRules } from './rules/saml.js'
import { secretRules } from './rules/secrets.js'
import { sessionRules } from './rules/sessions.js'
import type { Config } from './schema/index.js'

export interface Judged {
  problems: Finding[]
  warnings: Finding[]
  elsewhere: Problem[]
}

const all = [
  gatewayRules,
  secretRules,
  providerRules,
  samlRules,
  jwtRules,
  keyRules,
  deskLoginRules,
  agentRules,
  accessRules,
  sessionRules,
  identityRules,
]

/** Applies every rule to what could be loaded of a configuration. */
export function judge(config: Draft<Config>, written: Rules['written'], now: number): Judged {
  const judged: Judged = { problems: [], warnings: [], elsewhere: [] }
  const rules: Rules = {
    config,
    written,
    now,
    problem: (path, message, hint) => judged.problems.push({ path, message, hint }),
    warning: (path, message, hint) => judged.warnings.push({ path, message, hint }),
    elsewhere: problems => judged.elsewhere.push(...problems),
  }
  for (const rule of all) rule(rules)
  return judged
}
