// Desk's own login as a way in: its paths are Desk's, its cookie is not ours, and there is a page to send agents to.

import type { Rules } from './rule.js'

const key = ['login', 'alsoAllowDeskAuthentication']

export function deskLoginRules(rules: Rules): void {
  const settings = rules.config.login?.alsoAllowDeskAuthentication
  if (!settings) return
  const { paths = [], cookie, whoami } = settings
  paths.forEach((rule, index) => {
    if (rule !== undefined) onePath(rules, rule, index)
  })
  if (paths.length > 0 && !paths.some(rule => rule === undefined || /^(?:GET )?\//.test(rule))) {
    rules.problem([...key, 'paths'], 'names no page that an agent can visit', 'such as /login, without a method')
  }
  if (cookie !== undefined && /^(?:__Host-|__Secure-)?deskgate/i.test(cookie)) {
    rules.problem([...key, 'cookie'], "has a name of the gateway's own cookies", "the name of Desk's session cookie")
  }
  if (whoami !== undefined && isOwn(whoami, rules)) {
    rules.problem([...key, 'whoami'], `is the gateway's own: everything under ${rules.config.prefix} is`)
  }
}

function onePath(rules: Rules, rule: string, index: number): void {
  const path = [...key, 'paths', index]
  const pattern = rule.replace(/^[A-Z]+ /, '')
  if (pattern === '/*')
    rules.problem(path, 'makes every path public: nobody needs to log in', "Desk's login page alone")
  if (isOwn(pattern, rules)) rules.problem(path, `is the gateway's own: everything under ${rules.config.prefix} is`)
}

function isOwn(path: string, { config }: Rules): boolean {
  return config.prefix !== undefined && `${path.split('?', 1)[0]}/`.startsWith(`${config.prefix}/`)
}
