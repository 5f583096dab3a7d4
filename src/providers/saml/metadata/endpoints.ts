// Where browsers are sent to, by the metadata of an IdP (SAML Metadata 2.2.2). Never another address than http or https.

import { postBinding, redirectBinding } from '../namespaces.js'
import { children, MetadataError } from './document.js'

/** Where logout messages go to (SAML Metadata 2.4.2). */
export interface LogoutService {
  binding: 'redirect' | 'post'
  location: string
  /** Where answers go to, when it is not the same (SAML Metadata 2.2.2). */
  responseLocation?: string
}

const bindings: Readonly<Record<string, LogoutService['binding']>> = {
  [redirectBinding]: 'redirect',
  [postBinding]: 'post',
}

/** The address of the first service of that name with that binding. Throws MetadataError. */
export function endpoint(descriptor: Element, name: string, binding: string): string | undefined {
  const found = children(descriptor, name).find(one => one.getAttribute('Binding') === binding)
  return found && address(found, 'Location')
}

/** SingleLogoutService with a binding that browsers speak. Throws MetadataError. */
export function logoutServices(descriptor: Element): LogoutService[] {
  return children(descriptor, 'SingleLogoutService').flatMap(service => {
    const binding = bindings[service.getAttribute('Binding') ?? '']
    const location = address(service, 'Location')
    if (binding === undefined || location === undefined) return []
    const responseLocation = address(service, 'ResponseLocation')
    return [{ binding, location, ...(responseLocation === undefined ? {} : { responseLocation }) }]
  })
}

function address(service: Element, attribute: string): string | undefined {
  const location = service.getAttribute(attribute)
  if (!location) return undefined
  // Attack: a javascript: address that our own page would send browsers to.
  if (!/^https?:\/\/[^\s]+$/.test(location))
    throw new MetadataError(`the ${attribute} of ${service.localName} is not an http or https URL`)
  return location
}
