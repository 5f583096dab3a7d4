// The dialog of session.js: in a closed shadow root, so that Desk's styles and ours do not meet, and in the top layer. Needs
// no style attribute and no markup from text: it works under a strict policy, with Trusted Types too. Knows no session.

/** @typedef {{ keep(): void, dismiss(kind: WarningKind): void }} WarningActions */

const style = `
:host{all:initial!important}
dialog{--card:#fff;--line:#dde2ec;--edge:#8490ab;--ink:#151a2d;--soft:#566079;--accent:#3452d9;--accent-ink:#fff;--accent-2:#2740b4;--tint:#eef1fd;color-scheme:light dark;box-sizing:border-box;width:min(26rem,100vw - 1.5rem);max-height:calc(100vh - 1.5rem);overflow:auto;margin:auto;padding:clamp(1.25rem,6vw,2rem);border:1px solid var(--line);border-radius:18px;background:var(--card);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;text-align:start;box-shadow:0 12px 48px rgb(10 14 30/.3)}
@media (prefers-color-scheme:dark){dialog{--card:#171c2e;--line:#2b3350;--edge:#6d7899;--ink:#eef1fa;--soft:#a7b0c9;--accent:#8ea5ff;--accent-ink:#0d1330;--accent-2:#b0c0ff;--tint:#1f2742}}
dialog::backdrop{background:rgb(15 20 35/.6)}
dialog.covers::backdrop{background:rgb(15 20 35/.75);backdrop-filter:blur(14px)}
h2{margin:0 0 .5rem;font-size:1.35em;line-height:1.25;letter-spacing:-.01em;overflow-wrap:anywhere}
p{margin:0 0 1rem;color:var(--soft);overflow-wrap:anywhere}
.clock{color:var(--ink);font-size:2em;font-weight:650;line-height:1.2;font-variant-numeric:tabular-nums;direction:ltr;text-align:center}
.said:empty,[hidden]{display:none}
.said.quiet{position:absolute;width:1px;height:1px;margin:-1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap;display:block}
.actions{display:grid;gap:.65rem;margin-top:1.25rem}
button,a{box-sizing:border-box;display:flex;align-items:center;justify-content:center;min-height:3rem;padding:.6rem 1rem;border:1px solid transparent;border-radius:12px;background:var(--accent);color:var(--accent-ink);font:inherit;font-weight:600;text-align:center;text-decoration:none;cursor:pointer;overflow-wrap:anywhere}
button:hover,a:hover{background:var(--accent-2)}
.close{background:transparent;border-color:var(--edge);color:var(--ink);font-weight:500}
.close:hover{background:var(--tint)}
:focus-visible{outline:3px solid var(--accent);outline-offset:3px}
`

/** Seconds before the end at which the time that is left is said, not only shown. */
const announced = [60, 30, 10]

/**
 * @param {WarningSetup['texts']} texts
 * @param {WarningActions} actions
 */
// biome-ignore lint/correctness/noUnusedVariables: session.js uses it, and both are served as one script
function createDialog(texts, actions) {
  const { host, dialog, title, text, time, said, keep, login, close } = build(texts)
  /** @type {WarningKind | undefined} */
  let kind
  let lastSaid = Number.POSITIVE_INFINITY

  /** @param {string} words @param {'shown' | 'quiet'} how */
  const say = (words, how) => {
    said.className = `said ${how}`
    said.textContent = words
  }
  const leave = () => {
    if (kind === undefined) return
    const left = kind
    kind = undefined
    dialog.close()
    actions.dismiss(left)
  }
  keep.addEventListener('click', actions.keep)
  close.addEventListener('click', leave)
  // Esc, or the Back gesture of a phone. The close event comes too late: a timer may have shown the next dialog.
  dialog.addEventListener('cancel', leave)
  login.addEventListener('click', event => {
    const size = `popup,width=480,height=700,left=${screenX + 60},top=${screenY + 60}`
    // Where the browser allows no small window, the link opens a tab.
    if (open(login.href, login.target, size)) event.preventDefault()
  })

  return {
    /** @param {WarningKind} next @param {string} address where the small window goes */
    show(next, address) {
      login.href = address
      if (kind === next && dialog.open && host.isConnected) return
      const words = texts[next]
      title.textContent = words.title
      text.textContent = words.text
      const main = next === 'idle' ? keep : login
      main.textContent = words.button
      keep.hidden = main !== keep
      login.hidden = main !== login
      time.hidden = next === 'ended' || next === 'stepUp'
      dialog.classList.toggle('covers', next === 'ended')
      say('', 'quiet')
      lastSaid = Number.POSITIVE_INFINITY
      kind = next
      // Desk may have replaced its whole page.
      if (!host.isConnected) document.documentElement.append(host)
      if (!dialog.open) dialog.showModal()
      main.focus()
    },
    hide() {
      kind = undefined
      if (dialog.open) dialog.close()
    },
    /** @param {number} left milliseconds */
    count(left) {
      const seconds = Math.max(0, Math.ceil(left / 1000))
      time.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
      const due = announced.findLast(at => seconds <= at)
      if (due === undefined || due >= lastSaid) return
      lastSaid = due
      say(texts.left.replace('{time}', inWords(due, texts.lang)), 'quiet')
    },
    failed: () => say(texts.failed, 'shown'),
  }
}

/** @param {WarningSetup['texts']} texts */
function build(texts) {
  const host = document.createElement('div')
  const root = host.attachShadow({ mode: 'closed' })
  const sheet = new CSSStyleSheet()
  sheet.replaceSync(style)
  root.adoptedStyleSheets = [sheet]
  const dialog = document.createElement('dialog')
  Object.assign(dialog, { lang: texts.lang, dir: texts.dir, role: 'alertdialog' })
  dialog.setAttribute('aria-labelledby', 'title')
  dialog.setAttribute('aria-describedby', 'text time')
  const title = Object.assign(document.createElement('h2'), { id: 'title' })
  const text = Object.assign(document.createElement('p'), { id: 'text' })
  const time = Object.assign(document.createElement('p'), { id: 'time', className: 'clock', role: 'timer' })
  const said = Object.assign(document.createElement('p'), { role: 'status' })
  const actions = Object.assign(document.createElement('div'), { className: 'actions' })
  const keep = Object.assign(document.createElement('button'), { type: 'button' })
  const login = Object.assign(document.createElement('a'), { target: 'deskgate-login', rel: 'opener' })
  const close = Object.assign(document.createElement('button'), { type: 'button', className: 'close' })
  close.textContent = texts.close
  actions.append(keep, login, close)
  dialog.append(title, text, time, said, actions)
  root.append(dialog)
  // Desk's keyboard shortcuts are not for this dialog.
  for (const name of ['keydown', 'keypress', 'keyup']) host.addEventListener(name, event => event.stopPropagation())
  return { host, dialog, title, text, time, said, keep, login, close }
}

/** @param {number} seconds @param {string} lang */
function inWords(seconds, lang) {
  const [value, unit] = seconds % 60 === 0 ? [seconds / 60, 'minute'] : [seconds, 'second']
  return new Intl.NumberFormat(lang, { style: 'unit', unit, unitDisplay: 'long' }).format(value)
}
