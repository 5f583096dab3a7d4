// Every sentence that an agent reads, in English. Plain words: what happened, and what to do. Never holds markup, a secret,
// or how a check works. {name} stands for a value. The other languages follow this file: a missing key or value is a type
// error there.

export const en = {
  lang: 'en',
  dir: 'ltr',
  /** Its own name, for the switch. */
  language: 'English',
  refusals: {
    broken: {
      title: 'The login did not work',
      text: 'Your login service sent an answer that we cannot accept. Please try again. If it happens again, give your administrator the reference below.',
    },
    tooLate: {
      title: 'This login took too long',
      text: 'The answer from your login service has expired. Please log in again. If it happens every time, a clock may be wrong: tell your administrator.',
    },
    tooEarly: {
      title: 'The clocks do not agree',
      text: 'The answer from your login service is dated in the future. Please try again in a minute. If it happens again, tell your administrator.',
    },
    usedUp: {
      title: 'This login has already been used',
      text: 'Each login works once. You probably came back with the Back button or reloaded the page. Please log in again.',
    },
    unbound: {
      title: 'This login did not start here',
      text: 'The answer from your login service does not belong to a login that this browser began in the last ten minutes. Please try again, and allow cookies for this site.',
    },
    setUpWrong: {
      title: 'Single sign-on is not configured correctly',
      text: 'Your login service and the help desk do not agree on a setting. Your administrator has to fix this: please send them the reference below.',
    },
    otherMethod: {
      title: 'Another way of logging in is needed',
      text: 'The help desk asks for a stronger login than the one you used, such as a second factor. Please log in again and choose it. If your login service does not offer it, give your administrator the reference below.',
    },
    tooOld: {
      title: 'Please log in once more',
      text: 'Your login service remembered an earlier login, and the help desk asks for a new one. Log in again; if your login service does not ask you to, log out there first.',
    },
    noAddress: {
      title: 'Your e‑mail address is missing',
      text: 'Your login service did not send us an e‑mail address that we can use. Please give your administrator the reference below, or log in with another account.',
    },
    unavailable: {
      title: 'Logging in is not possible just now',
      text: 'A service that checks your login is not responding. Please try again in a minute.',
    },
    refusedThere: {
      title: 'Your login service refused the login',
      text: 'It ended the login itself, perhaps because it was cancelled or because you are not allowed to use this application. Please try again or ask your administrator.',
    },
    startHere: {
      title: 'Please start here',
      text: 'Logins that begin at your login service are not accepted. Log in with the button below.',
    },
    agentUnknown: {
      title: 'You have no access to the help desk',
      text: 'Your login worked, but the help desk does not know your e‑mail address. Ask your administrator to add you, or log in with another account.',
    },
    agentDisabled: {
      title: 'Your account is inactive',
      text: 'Your login worked, but your help desk account is inactive. Ask your administrator, or log in with another account.',
    },
    agentForbidden: {
      title: 'You may not log in this way',
      text: 'Your login worked, but it does not open the help desk. Ask your administrator, or log in another way.',
    },
    agentsUnavailable: {
      title: 'Logging in is not possible just now',
      text: 'Your login service confirmed who you are, but we cannot look up your help desk account at the moment. Please try again in a minute.',
    },
    otherSession: {
      title: 'Another agent is logged in here',
      text: 'This browser received a login that it did not start. Nothing has changed. To switch to the other account, log out first, then log in again.',
    },
    otherAgent: {
      title: 'Another agent has logged in',
      text: 'This page needs a fresh login by the agent who is logged in here, but a different agent logged in. Nothing has changed. To switch to the other account, log out first, then log in again.',
    },
    loop: {
      title: 'Your browser does not keep you logged in',
      text: 'You logged in several times within a minute, but your browser never sent back the cookie that keeps you logged in. Allow cookies for this site, wait a minute, then try again.',
    },
    rateLimited: {
      title: 'Too many failed logins',
      text: 'There were too many failed logins from your network, perhaps by other people. Please wait a few minutes, then try again.',
    },
    linkUsed: {
      title: 'This link has been used',
      text: 'Each link works once. Ask your administrator for a new one, or log in as usual.',
    },
    linkExpired: {
      title: 'This link has expired',
      text: 'Links are valid for a short time. Ask your administrator for a new one, or log in as usual.',
    },
    busy: {
      title: 'Many people are logging in',
      text: 'Please try again in a moment.',
    },
  },
  errors: {
    bad_request: {
      title: 'This address does not work',
      text: 'The link is incomplete or damaged. Go to the help desk and start from there.',
    },
    not_found: { title: 'There is no such page', text: 'The address may be mistyped, or the page has moved.' },
    link_gone: {
      title: 'This link does not work',
      text: 'A one-time link works once, for a short time, and only if it is complete. Check that you copied all of it, or ask your administrator for a new one.',
    },
    challenge: { title: 'Please log in', text: 'You have to log in for this.' },
    step_up: {
      title: 'Please log in once more',
      text: 'This part of the help desk needs a stronger or more recent login.',
    },
    forbidden: {
      title: 'This page is not open to you',
      text: 'You are logged in, but this part of the help desk needs a role that you do not have. If you should have it, ask your administrator.',
    },
    wrong_origin: {
      title: 'This was not sent from here',
      text: 'Nothing has changed. For your security, this only works from our own pages. Go back, copy what you entered, reload the page and try again.',
    },
    too_many_headers: {
      title: 'Your browser sent too much',
      text: 'Usually this means that your browser has too many cookies for this site. Clear them and try again.',
    },
    too_slow: {
      title: 'Your request did not arrive completely',
      text: 'Your browser stopped before it had sent everything. Check your connection and try again.',
    },
    store_unavailable: {
      title: 'Just a moment',
      text: 'We cannot check your login just now. Nothing is lost: please try again in a few seconds.',
    },
    shed: {
      title: 'Just a moment',
      text: 'The help desk is very busy. Your request was not processed: please try again in a few seconds.',
    },
    desk_busy: {
      title: 'The help desk is very busy',
      text: 'Your request was not processed. Please try again in a few seconds.',
    },
    desk_unreachable: {
      title: 'The help desk is not responding',
      text: 'You are logged in, but the help desk itself cannot be reached. Please try again in a minute.',
    },
    desk_timeout: {
      title: 'The help desk is taking too long',
      text: 'You are logged in, but the help desk did not answer in time. Please try again in a minute.',
    },
    kept_gone: {
      title: 'Nothing left to send',
      text: 'The kept reply was already sent or thrown away, has expired, or belongs to another page or agent. Check the ticket to see whether it arrived.',
    },
    kept_claimed: {
      title: 'Your reply may already have been sent',
      text: 'A kept reply is sent only once, and sending has started. Check the ticket before you write it again.',
    },
    kept_unanswered: {
      title: 'Your reply may have been sent',
      text: 'The help desk has not answered. Your reply may have arrived, so it is not sent again. Check the ticket before you write it again.',
    },
    internal: {
      title: 'Something went wrong',
      text: 'This is our error, not yours. Please try again. If it happens again, give your administrator the request ID below.',
    },
    trace_refused: {
      title: 'TRACE is not allowed',
      text: 'A response to TRACE would repeat headers that only the help desk may see.',
    },
    upgrade_required: {
      title: 'This WebSocket version is not supported',
      text: 'Only version 13 (RFC 6455) is supported.',
    },
    method_not_allowed: {
      title: 'This page cannot be opened directly',
      text: 'Login services send their answers here by POST. To log in, start from the help desk.',
    },
    unsupported_media: {
      title: 'This cannot be read',
      text: 'Only a form (application/x-www-form-urlencoded, without compression) is accepted here.',
    },
    too_large: {
      title: 'This is too large',
      text: 'More was sent than this page accepts, so nothing was done. Go to the help desk and start from there.',
    },
    prefetch: { title: 'Not now', text: 'This page is not loaded ahead of time.' },
  },
  /** In the place of an error's text, of a request that was not a read. */
  posted: {
    not: 'What you sent was not processed. Wait a few seconds, go one page back and send it again.',
    /** It may have reached Desk. */
    maybe: 'What you sent may have arrived. Check whether it did before you send it again.',
  },
  otherHost: {
    title: 'The help desk has another address',
    text: 'You can only log in at {url}. A login that you begin here would be lost.',
    button: 'Go to {url}',
  },
  notSent: {
    title: 'You were logged out',
    text: 'What you entered was not sent. Open a new tab to log in, then come back to this one, go one page back and send it again.',
    button: 'Open a new tab to log in',
  },
  kept: {
    kept: {
      title: 'You were logged out',
      text: 'What you entered was not sent, but it is kept for {time}. Log in now: then you can send it.',
    },
    still: {
      title: 'Please log in once more',
      text: 'What you entered before is still kept. Log in now: then you can send it.',
    },
    whyNot: {
      large: 'It was not kept for you either: it is larger than {size}.',
      file: 'It was not kept for you either, because a file is attached.',
      another: 'It was not kept for you either, because something else that you entered is still kept.',
      other: 'It could not be kept for you either.',
    },
    page: {
      title: 'Your reply was kept',
      text: 'You wrote your reply on {when}, on the page {page}.',
      once: 'You can send it once. It is kept until {time}.',
      hint: 'If the help desk says after you have sent it that the form is too old or that its security token is invalid, your reply was not accepted: go back to the page where you wrote it, copy the text, open the ticket again and paste it there.',
      send: 'Send',
      discard: 'Throw away',
      open: 'Open the page you wrote on',
    },
    none: {
      title: 'Nothing is kept',
      text: 'The reply was sent, was thrown away, or has expired.',
    },
    otherAgent: {
      title: 'Nothing is kept for you',
      text: 'The reply kept in this browser was written by another agent. It was thrown away.',
    },
    discarded: { title: 'Thrown away', text: 'What was kept is gone.' },
    back: 'Go to the kept reply',
  },
  stepUp: {
    notSent: {
      title: 'Please log in once more',
      text: 'This needs a stronger or more recent login. What you entered was not sent. Open a new tab to log in, then come back to this one, go one page back and send it again.',
      button: 'Open a new tab to log in',
    },
  },
  frame: {
    title: 'You are not logged in',
    text: 'This part of the page needs a login.',
    button: 'Log in',
  },
  chooser: {
    title: 'Log in to the help desk',
    with: 'Log in with {name}',
    desk: 'Log in with a help desk password',
    onlyDesk: 'You will be sent to the login of the help desk.',
    text: 'Choose how you want to log in.',
    single: 'You will be sent to your login service.',
    none: 'No way to log in is set up yet. Please ask your administrator.',
    already: 'You are logged in as {email}.',
    others: 'Or log in again, with this account or another one.',
  },
  bearer: {
    401: {
      title: 'The bearer token is not accepted',
      text: 'Get a new token and send the request again. The member "reason" says what is wrong with this one.',
    },
    403: {
      title: 'The bearer token gives no access',
      text: 'The token is valid, but its agent may not use the help desk.',
    },
    503: {
      title: 'The bearer token cannot be checked just now',
      text: 'The token may be valid. Send the request again in a moment.',
    },
  },
  leaving: {
    title: 'One moment',
    text: 'You are being sent to {name}.',
    logout: 'You are being logged out of {name}.',
    button: 'Continue',
  },
  logout: {
    title: 'Log out?',
    text: 'You are logged in as {email}.',
    nobody: 'This browser is not logged in.',
    button: 'Log out',
    back: 'Back to the help desk',
  },
  logoutRefused: {
    title: 'The logout did not work',
    text: 'Your login service sent a logout message that we cannot accept, so nothing has changed here. You can log out yourself. If it happens again, give your administrator the reference below.',
  },
  breakglass: {
    title: 'Open the help desk?',
    text: 'This link lets you in without your login service, for a limited time. It works once, and its use is recorded.',
    button: 'Open the help desk',
  },
  loggedOut: {
    title: 'You are logged out',
    text: 'You can close this window now, or log in again.',
    button: 'Log in again',
    sessions: 'Log in and see where else you are logged in',
  },
  sessions: {
    title: 'Where you are logged in',
    see: 'See where you are logged in',
    agent: 'Logged in as {email}',
    here: 'This browser',
    unknown: 'Unknown browser',
    oneTime: 'One-time link',
    facts: 'Since {since}, from {address}',
    seen: 'Last used {when}',
    ends: 'Ends {end}',
    endsIdle: 'Ends {idle} if not used, and no later than {end}',
    browser: '{browser} on {system}',
    end: 'End',
    endOthers: 'Log out everywhere else',
    more: 'Only the first hundred are shown.',
    back: 'Back to the help desk',
  },
  admin: {
    title: 'Session desk',
    open: 'Open the session desk',
    operator: 'You are working here as {email}. Every change is recorded under this name.',
    here: 'Only what this process has seen: other processes of the gateway may have seen other logins.',
    search: 'Search',
    more: 'More',
    notices: {
      window: {
        title: 'Open the session desk by itself',
        text: 'For your security, it does not open inside other pages or from other sites. Type its address into a new tab, or open it from the help desk. If that fails, use a newer browser.',
      },
      expired: {
        title: 'This page has expired',
        text: 'Nothing has changed. Open the session desk again and repeat what you wanted to do.',
      },
      directory: {
        title: 'Your role cannot be checked just now',
        text: 'The list of agents cannot be read at the moment. Please try again in a minute.',
      },
    },
    done: {
      ended: 'Sessions ended: {count}',
      gone: 'Nothing was left to end: somebody else ended it first, or it had expired.',
      queued:
        'The session store does not answer. The sessions have ended in this process, and end everywhere as soon as it answers.',
      revoked: 'The link has been revoked.',
    },
    sessions: {
      title: 'Sessions',
      label: 'E-mail address, or the start of one',
      none: 'No live session was found.',
      here: 'This browser',
      since: 'Since {since}, from {address}, {browser}',
      by: 'Logged in with {provider}',
      end: 'End',
      all: 'All sessions of this agent',
      endAll: 'End all sessions of {email}',
    },
    refused: {
      title: 'Refused logins',
      label: 'Reference or e-mail address',
      none: 'No refused login was found. The newest 10,000 are kept, for a week.',
      total: 'Found: {count}',
      nobody: 'No e-mail address known',
      facts: 'With {provider}, from {address}, {browser}',
      told: 'Shown to the agent: {title}',
      unknown: 'There is no report {reference}. Reports are kept for a week.',
      checks: 'Checks',
      show: 'Show checks',
      back: 'Back to the list',
      passed: 'passed',
      failed: 'failed',
      expected: 'Expected: {value}',
      seen: 'Seen: {value}',
      setting: 'Setting: {value}',
    },
    state: {
      title: 'Login services and store',
      providers: 'Login services',
      sources: 'Agents',
      store: 'Session store',
      up: 'The store answers.',
      until: 'Certificate valid until {when}',
      agrees: 'Its clock agrees with ours',
      ahead: 'Its clock is {time} ahead of ours',
      behind: 'Its clock is {time} behind ours',
      login: 'Last login: {when}',
      refusal: 'Last refused login: {when}',
      show: 'Show last refused login',
      never: 'No login yet',
      agents: 'Agents: {count}. List last read: {when}',
      noList: 'No list: this source is queried at each login.',
    },
    links: {
      title: 'One-time links',
      none: 'There is no link that could still be used.',
      facts: 'Reason: {reason}. Made by: {operator}',
      until: 'Link valid until {when}, gives {time} of access',
      revoke: 'Revoke',
      make: 'New links are made with the command {command}.',
    },
  },
  warning: {
    idle: {
      title: 'Are you still there?',
      text: 'You have not used the help desk for a while. You will soon be logged out. Time left:',
      button: 'Stay logged in',
    },
    absolute: {
      title: 'Your login is about to expire',
      text: 'Every login expires after some time. Log in again now, in a small window, to continue on this page. Otherwise you will be logged out. Time left:',
      button: 'Log in again',
    },
    ended: {
      title: 'You have been logged out',
      text: 'Your login has ended. What you have entered on this page is still there: log in again, in a small window, to continue.',
      button: 'Log in again',
    },
    stepUp: {
      title: 'Please log in once more',
      text: 'This part of the help desk needs a stronger or more recent login. Log in, in a small window, to continue on this page.',
      button: 'Log in',
    },
    close: 'Close',
    left: 'You will be logged out in {time}.',
    failed: 'That did not work. Please try again.',
  },
  popup: {
    done: {
      title: 'You are logged in',
      text: 'You can close this window and continue on the page that you came from.',
    },
    none: {
      title: 'You can close this window',
      text: 'Nothing has changed. Go back to the page that you came from.',
    },
    close: 'Close this window',
  },
  buttons: {
    login: 'Log in',
    stay: 'Continue as {email}',
    other: 'Log in another way',
    otherAccount: 'Use another account',
    retry: 'Try again',
    logout: 'Log out',
    home: 'Go to the help desk',
    tell: 'Back to {name}',
  },
  /** The label of the switch. */
  switch: 'Language',
  /** On the page of a refused login. */
  loggedInAs: 'You logged in as {email}.',
  /** The agent who was logged in before a login of somebody else, and the other one. */
  loggedInHere: 'Logged in here: {email}',
  newLogin: 'New login: {email}',
  requestId: 'Request ID',
  traceId: 'Trace ID',
  reference: 'Reference',
  referenceHint: 'Your administrator can look it up.',
} as const
