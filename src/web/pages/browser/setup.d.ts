// What the gateway gives to session.js: addresses and texts, nothing of a session.

type WarningKind = 'idle' | 'absolute' | 'ended' | 'stepUp'

interface WarningSetup {
  session: string
  touch: string
  login: string
  texts: Record<WarningKind, { title: string; text: string; button: string }> & {
    lang: string
    dir: string
    close: string
    /** With {time} in the place of a duration. */
    left: string
    failed: string
  }
}

declare const setup: WarningSetup
