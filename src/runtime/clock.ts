// The real clock and the real randomness; everything else takes them as arguments.

import { randomBytes } from 'node:crypto'
import type { Clock, Random } from '../core/contracts.js'

export const systemClock: Clock = { now: () => Date.now() }

export const systemRandom: Random = bytes => randomBytes(bytes)
