// The three people of the demo: an agent, an agent with the admin role, and one whom the identity provider knows but
// the directory does not. Made-up names at a domain that nobody can own (RFC 2606).

export interface Person {
  /** Names the person in the login form. */
  id: string
  name: string
  email: string
  title: string
  roles: string[]
  /** Desk's number of the agent; undefined for a person who is not an agent. */
  agentId?: string
}

export const people: readonly Person[] = [
  {
    id: 'maya',
    name: 'Maya Okafor',
    email: 'maya@aloha.example',
    title: 'Support agent',
    roles: ['agent'],
    agentId: '17',
  },
  {
    id: 'joao',
    name: 'João Silva',
    email: 'joao@aloha.example',
    title: 'Team lead (admin)',
    roles: ['agent', 'admin'],
    agentId: '4',
  },
  {
    id: 'sam',
    name: 'Sam Turner',
    email: 'sam@aloha.example',
    title: 'Accounting (not an agent)',
    roles: ['staff'],
  },
]

/** The directory of the demo as an agents file: the people who are agents. */
export function agentsFile(everybody: readonly Person[]): string {
  const agents = everybody.flatMap(({ agentId, email, name, roles }) =>
    agentId === undefined ? [] : [{ email, id: agentId, name, roles, active: true }],
  )
  return JSON.stringify(agents, null, 2)
}

/** The letters of an avatar. */
export function initialsOf(name: string): string {
  const words = name.split(/\s+/).filter(word => word !== '')
  return [words[0], words.length > 1 ? words.at(-1) : undefined]
    .map(word => (word ? (Array.from(word)[0] ?? '') : ''))
    .join('')
    .toUpperCase()
}
