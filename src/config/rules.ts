// The rules across settings. They check the valid part of a configuration, so that one run finds their problems beside
// those of the schema. None opens a file or a socket.

import type { DeepPartial } from './partial-config.js'
import type { Finding, Problem } from './problems.js'
import { accessRules, agentRules } from './rules/agents.js'
import { gatewayRules } from './rules/gateway.js'
import { identityRules } from './rules/identity.js'
import { jwtRules } from './rules/jwt.js'
import { keyRules, secretRules } from './rules/keys.js'
import { pagesRules } from './rules/pages.js'
import { deskLoginRules, providerRules } from './rules/providers.js'
import type { Rules } from './rules/rule.js'
import { samlRules } from './rules/saml.js'
import { sessionRules } from './rules/sessions.js'
import type { Config } from './schema/index.js'

interface RuleFindings {
  problems: Finding[]
  warnings: Finding[]
  /** Problems of other files. */
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
  pagesRules,
  sessionRules,
  identityRules,
]

/** Applies every rule to the valid part of a configuration. */
export function validateRules(config: DeepPartial<Config>, written: Rules['written'], now: number): RuleFindings {
  const findings: RuleFindings = { problems: [], warnings: [], elsewhere: [] }
  const rules: Rules = {
    config,
    written,
    now,
    problem: (path, message, hint) => findings.problems.push({ path, message, hint }),
    warning: (path, message, hint) => findings.warnings.push({ path, message, hint }),
    elsewhere: problems => findings.elsewhere.push(...problems),
  }
  for (const rule of all) rule(rules)
  return findings
}
