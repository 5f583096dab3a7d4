// Every attack of the tables, against the provider: refused for its reason, at its check.

import { refuse } from './refusals.js'
import { semantics } from './semantics.js'
import { size } from './size.js'
import { structure } from './structure.js'

refuse([...structure, ...semantics, ...size])
