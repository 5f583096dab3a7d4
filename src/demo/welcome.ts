// What the demo prints once it is up: where to go, whom to be, what to try.

import type { Person } from './people.js'

export function welcome(demo: { url: string; idpUrl: string; deskUrl: string; people: readonly Person[] }): string[] {
  const rows = demo.people.map(person => `  ${person.name.padEnd(14)}${person.email.padEnd(22)}${roleOf(person)}`)
  return [
    '',
    'The Deskgate demo is up.',
    '',
    `  Open this                  ${demo.url}`,
    `  Demo identity provider     ${demo.idpUrl}`,
    `  Desk, past the gateway     ${demo.deskUrl}  (it refuses you)`,
    '',
    'People to log in as, without a password:',
    '',
    ...rows,
    '',
    'What to try:',
    '',
    '  1. Log in by SAML, see who reached Desk, log out, and log in again by JWT as somebody else.',
    '  2. Log in as Sam: the provider vouches for him, but he is no agent.',
    `  3. Pretend to be the team lead:  curl -i -H 'X-Agent-Email: joao@aloha.example' ${demo.url}/team`,
    `     and the same past the gateway: curl -i -H 'X-Agent-Email: joao@aloha.example' ${demo.deskUrl}/team`,
    `  4. The keys that Desk verifies with: ${demo.url}/auth/jwks.json`,
    '',
    'All is kept in memory and ends with Ctrl+C.',
    '',
  ]
}

function roleOf(person: Person): string {
  if (person.agentId === undefined) return 'no agent: gets no further than the gateway'
  return person.roles.includes('admin') ? 'agent with the role admin: sees the Team page' : 'agent'
}
