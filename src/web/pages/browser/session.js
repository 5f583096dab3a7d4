// Warns an agent before the session ends, in every tab of Desk at once, and lets them stay or log in again in a small window.
// What it knows it asks of the gateway; asking keeps no session alive. A message of another page only makes it ask again.

/**
 * What the gateway said last.
 * @typedef {object} Known
 * @property {number} ends milliseconds after it was asked
 * @property {number} warns the same for the warning
 * @property {boolean} absolute no activity can move the end
 * @property {string} agent
 * @property {Moment} asked
 */
/** @typedef {{ date: number, tick: number }} Moment */
/** @typedef {{ resolve(loggedIn: boolean): void, address: string, stepUp: boolean }} Waiting */

/** Milliseconds: the longest sleep, between two questions while the end is near, and between any two. */
const [longest, nearby, shortest] = [60_000, 10_000, 1000]

const ask = fetch.bind(window)
const channel = new BroadcastChannel('deskgate')
const dialog = createDialog(setup.texts, { keep: () => void look('keep'), dismiss })
const loginPage = `${setup.login}?display=popup`

/** @type {Known | undefined} */
let known
/** Whose page this is. @type {string | undefined} */
let agent
/** @type {'unknown' | 'alive' | 'near' | 'over'} */
let state = 'unknown'
/** The dialog that the agent has closed. @type {WarningKind | undefined} */
let dismissed
/** @type {Waiting[]} */
let waiting = []
/** A small window has finished a login. */
let told = false
/** Questions so far, and the last one whose answer counts. */
let [questions, answered] = [0, 0]
let lastAsked = moment()
/** @type {number | undefined} */
let timer
/** @type {number | undefined} */
let later

function moment() {
  return { date: Date.now(), tick: performance.now() }
}

/**
 * Milliseconds since then. One of the clocks may stop while the computer sleeps, and the other may be set: the later one
 * counts, and whatever comes of it is asked for first.
 * @param {Moment} then
 */
function since({ date, tick }) {
  return Math.max(Date.now() - date, performance.now() - tick)
}

/**
 * Asks the gateway, or tells it that the agent stays.
 * @param {'look' | 'keep'} what
 */
async function look(what) {
  const number = ++questions
  const asked = moment()
  lastAsked = asked
  const answer = await answerTo(what, asked)
  // An answer that was overtaken by a later one is old.
  if (number < answered) return
  if (answer === undefined) {
    if (what === 'keep') dialog.failed()
    if (state === 'alive' && known && known.warns <= since(known.asked)) state = 'near'
    return plan()
  }
  answered = number
  if (answer === 'over') {
    known = undefined
    state = 'over'
  } else {
    if (agent !== undefined && agent !== answer.agent) return location.reload()
    agent = answer.agent
    known = answer
    state = answer.warns > 0 ? 'alive' : 'near'
    settle(({ stepUp }) => told || !stepUp, true)
    told = false
  }
  if (what === 'keep') channel.postMessage('look')
  plan()
}

/**
 * Undefined when there is none: the gateway or the network is down.
 * @param {'look' | 'keep'} what
 * @param {Moment} asked
 * @returns {Promise<Known | 'over' | undefined>}
 */
async function answerTo(what, asked) {
  try {
    const [address, method] = what === 'keep' ? [setup.touch, 'POST'] : [setup.session, 'GET']
    const headers = { accept: 'application/json' }
    const signal = AbortSignal.timeout(nearby)
    const response = await ask(address, { method, headers, signal, cache: 'no-store', redirect: 'error' })
    if (response.status === 401 && /^Deskgate/.test(response.headers.get('www-authenticate') ?? '')) return 'over'
    if (response.status !== 200) return undefined
    const facts = await response.json()
    const [ends, warns] = [facts.idleEnd, facts.warnAt].map(at => Date.parse(at) - Date.parse(facts.now))
    const absolute = facts.idleEnd === facts.absoluteEnd
    if (ends === undefined || warns === undefined || !Number.isFinite(ends + warns)) return undefined
    return { ends, warns, absolute, agent: String(facts.agent.email), asked }
  } catch {
    return undefined
  }
}

/** Shows what has to be shown, and sleeps until something changes. */
function plan() {
  render()
  clearTimeout(timer)
  if (state === 'unknown' || state === 'over' || !known) return
  const gone = since(known.asked)
  if (state === 'near') dialog.count(known.ends - gone)
  const wait = state === 'near' ? shortest : Math.min(known.warns - gone, longest)
  timer = setTimeout(wake, Math.max(wait, 50))
}

/** A timer of a background tab may be late: it only decides when to look at the clocks. */
function wake() {
  if (!known) return
  const gone = since(known.asked)
  if (state === 'alive' && known.warns > gone) return plan()
  if (state === 'alive') return void look('look').then(tellOthers)
  const overdue = gone - known.ends
  const pause = since(lastAsked)
  // Somebody may be working in another tab. A tab that nobody sees asks only at the end.
  const isNext = pause >= nearby && (overdue >= 0 || document.visibilityState === 'visible')
  if (isNext || (overdue >= 0 && pause > overdue)) void look('look')
  plan()
}

/** So that a tab whose timers sleep warns as well. */
function tellOthers() {
  if (state === 'near' || state === 'over') channel.postMessage('look')
}

/** Asks now, or in a moment when it has just asked: messages cost at most a question a second. */
function lookSoon() {
  if (later !== undefined) return
  const wait = shortest - since(lastAsked)
  if (wait <= 0) return void look('look')
  later = setTimeout(() => {
    later = undefined
    void look('look')
  }, wait)
}

function render() {
  const kind = kindNow()
  if (kind !== dismissed) dismissed = undefined
  const first = waiting.find(({ stepUp }) => stepUp) ?? waiting[0]
  // A page in a frame leaves it to the page around it.
  if (kind === undefined || kind === dismissed || isInside()) dialog.hide()
  else dialog.show(kind, first?.address ?? loginPage)
}

/** @returns {WarningKind | undefined} */
function kindNow() {
  if (waiting.some(({ stepUp }) => stepUp)) return 'stepUp'
  // A page that never had a session is a public one.
  if (state === 'over') return agent !== undefined || waiting.length > 0 ? 'ended' : undefined
  if (state !== 'near') return undefined
  return known?.absolute ? 'absolute' : 'idle'
}

function isInside() {
  try {
    return parent !== window && Object.hasOwn(parent, 'deskgate')
  } catch {
    return false
  }
}

/** @param {WarningKind} kind */
function dismiss(kind) {
  dismissed = kind
  settle(() => true, false)
  plan()
}

/** @param {(one: Waiting) => boolean} which @param {boolean} loggedIn */
function settle(which, loggedIn) {
  const done = waiting.filter(which)
  waiting = waiting.filter(one => !done.includes(one))
  for (const { resolve } of done) resolve(loggedIn)
}

/**
 * Lets the agent log in again in a small window.
 * @param {string} [loginUrl] of the 401 answer, for a login that has to be stronger or fresher
 * @returns {Promise<boolean>} whether they have; false when they closed the dialog, or the gateway does not answer
 */
async function login(loginUrl = setup.login) {
  // @ts-expect-error: the page around this one has the same function
  if (isInside()) return parent.deskgate.login(loginUrl)
  const url = new URL(loginUrl, location.origin)
  if (url.origin !== location.origin || !`${url.pathname}/`.startsWith(`${setup.login}/`)) {
    throw new TypeError('not a login address of this help desk')
  }
  url.searchParams.delete('return_to')
  url.searchParams.set('display', 'popup')
  const stepUp = url.searchParams.has('step_up')
  /** @type {Promise<boolean>} */
  const done = new Promise(resolve => waiting.push({ resolve, address: url.pathname + url.search, stepUp }))
  dismissed = undefined
  if (stepUp) plan()
  else {
    await look('look')
    if (state !== 'over') settle(one => !one.stepUp, false)
  }
  return done
}

channel.addEventListener('message', ({ data }) => {
  told ||= data === 'login'
  lookSoon()
})

/** The tab is looked at again, or the computer wakes. */
function awake() {
  if (document.visibilityState === 'visible' && (state !== 'alive' || since(lastAsked) > longest)) lookSoon()
}
for (const name of ['focus', 'online', 'pageshow']) addEventListener(name, awake)
document.addEventListener('visibilitychange', awake)

Object.defineProperty(window, 'deskgate', { value: Object.freeze({ login }), enumerable: true })
void look('look')
