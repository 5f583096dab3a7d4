// The sentences of en.ts in German.

import type { Texts } from './texts.js'

export const de: Texts = {
  lang: 'de',
  dir: 'ltr',
  language: 'Deutsch',
  refusals: {
    broken: {
      title: 'Die Anmeldung hat nicht funktioniert',
      text: 'Ihr Anmeldedienst hat eine Antwort gesendet, die wir nicht annehmen können. Bitte versuchen Sie es noch einmal. Wenn es wieder geschieht, nennen Sie Ihrer Administration die Referenz unten.',
    },
    tooLate: {
      title: 'Diese Anmeldung hat zu lange gedauert',
      text: 'Die Antwort Ihres Anmeldedienstes ist abgelaufen. Bitte melden Sie sich noch einmal an. Wenn das jedes Mal geschieht, geht vielleicht eine Uhr falsch: Bitte informieren Sie Ihre Administration.',
    },
    tooEarly: {
      title: 'Die Uhren stimmen nicht überein',
      text: 'Die Antwort Ihres Anmeldedienstes ist in die Zukunft datiert. Bitte versuchen Sie es in einer Minute noch einmal. Wenn es wieder geschieht, informieren Sie Ihre Administration.',
    },
    usedUp: {
      title: 'Diese Anmeldung wurde bereits verwendet',
      text: 'Jede Anmeldung gilt nur einmal. Wahrscheinlich sind Sie mit der Zurück-Schaltfläche hierher gelangt oder haben die Seite neu geladen. Bitte melden Sie sich noch einmal an.',
    },
    unbound: {
      title: 'Diese Anmeldung hat nicht hier begonnen',
      text: 'Die Antwort Ihres Anmeldedienstes gehört zu keiner Anmeldung, die dieser Browser in den letzten zehn Minuten begonnen hat. Bitte versuchen Sie es noch einmal, und lassen Sie Cookies für diese Website zu.',
    },
    setUpWrong: {
      title: 'Single Sign‑on ist nicht richtig eingerichtet',
      text: 'Eine Einstellung Ihres Anmeldedienstes passt nicht zum Helpdesk. Das muss Ihre Administration beheben: Bitte senden Sie ihr die Referenz unten.',
    },
    otherMethod: {
      title: 'Eine andere Art der Anmeldung ist nötig',
      text: 'Der Helpdesk verlangt eine sicherere Anmeldung als die verwendete, zum Beispiel mit einem zweiten Faktor. Bitte melden Sie sich noch einmal an und wählen Sie dabei den zweiten Faktor oder die sicherere Art. Wenn Ihr Anmeldedienst sie nicht anbietet, nennen Sie Ihrer Administration die Referenz unten.',
    },
    tooOld: {
      title: 'Bitte melden Sie sich noch einmal an',
      text: 'Ihr Anmeldedienst hat sich an eine frühere Anmeldung erinnert, der Helpdesk verlangt aber eine neue. Melden Sie sich noch einmal an; wenn Ihr Anmeldedienst Sie nicht dazu auffordert, melden Sie sich zuerst dort ab.',
    },
    noAddress: {
      title: 'Ihre E‑Mail-Adresse fehlt',
      text: 'Ihr Anmeldedienst hat uns keine E‑Mail-Adresse genannt, die wir verwenden können. Bitte nennen Sie Ihrer Administration die Referenz unten, oder melden Sie sich mit einem anderen Konto an.',
    },
    unavailable: {
      title: 'Die Anmeldung ist gerade nicht möglich',
      text: 'Ein Dienst, den wir zur Prüfung Ihrer Anmeldung brauchen, ist nicht erreichbar. Bitte versuchen Sie es in einer Minute noch einmal.',
    },
    refusedThere: {
      title: 'Ihr Anmeldedienst hat die Anmeldung abgelehnt',
      text: 'Er hat die Anmeldung selbst beendet, vielleicht weil sie abgebrochen wurde oder weil Sie diese Anwendung nicht verwenden dürfen. Bitte versuchen Sie es noch einmal oder fragen Sie Ihre Administration.',
    },
    startHere: {
      title: 'Bitte beginnen Sie hier',
      text: 'Anmeldungen, die bei Ihrem Anmeldedienst beginnen, werden nicht angenommen. Melden Sie sich mit der Schaltfläche unten an.',
    },
    agentUnknown: {
      title: 'Sie haben keinen Zugang zum Helpdesk',
      text: 'Ihre Anmeldung war erfolgreich, aber der Helpdesk kennt Ihre E‑Mail-Adresse nicht. Bitten Sie Ihre Administration, Sie aufzunehmen, oder melden Sie sich mit einem anderen Konto an.',
    },
    agentDisabled: {
      title: 'Ihr Konto ist deaktiviert',
      text: 'Ihre Anmeldung war erfolgreich, aber Ihr Konto im Helpdesk ist nicht aktiv. Fragen Sie Ihre Administration, oder melden Sie sich mit einem anderen Konto an.',
    },
    agentForbidden: {
      title: 'So dürfen Sie sich nicht anmelden',
      text: 'Ihre Anmeldung war erfolgreich, aber sie gibt Ihnen keinen Zugang zum Helpdesk. Fragen Sie Ihre Administration, oder melden Sie sich auf anderem Weg an.',
    },
    agentsUnavailable: {
      title: 'Die Anmeldung ist gerade nicht möglich',
      text: 'Ihr Anmeldedienst hat bestätigt, wer Sie sind, aber wir können Ihr Konto im Helpdesk im Moment nicht prüfen. Bitte versuchen Sie es in einer Minute noch einmal.',
    },
    otherSession: {
      title: 'Hier ist schon eine andere Person angemeldet',
      text: 'Es kam eine Anmeldung an, die dieser Browser nicht begonnen hat. Es hat sich nichts geändert. Um zum anderen Konto zu wechseln, melden Sie sich zuerst ab und dann neu an.',
    },
    otherAgent: {
      title: 'Eine andere Person hat sich angemeldet',
      text: 'Diese Seite verlangt eine neue Anmeldung der hier angemeldeten Person, aber eine andere Person hat sich angemeldet. Es hat sich nichts geändert. Um zum anderen Konto zu wechseln, melden Sie sich zuerst ab und dann neu an.',
    },
    loop: {
      title: 'Ihr Browser merkt sich die Anmeldung nicht',
      text: 'Sie haben sich innerhalb einer Minute mehrmals angemeldet, aber Ihr Browser hat das Cookie, das sich die Anmeldung merkt, nie zurückgesendet. Lassen Sie Cookies für diese Website zu, warten Sie eine Minute und versuchen Sie es dann noch einmal.',
    },
    rateLimited: {
      title: 'Zu viele fehlgeschlagene Anmeldungen',
      text: 'Aus Ihrem Netzwerk kamen zu viele fehlgeschlagene Anmeldungen, vielleicht von anderen Personen. Bitte warten Sie ein paar Minuten und versuchen Sie es dann noch einmal.',
    },
    linkUsed: {
      title: 'Dieser Link wurde bereits verwendet',
      text: 'Jeder Link gilt nur einmal. Bitten Sie Ihre Administration um einen neuen, oder melden Sie sich wie gewohnt an.',
    },
    linkExpired: {
      title: 'Dieser Link ist abgelaufen',
      text: 'Links gelten nur für kurze Zeit. Bitten Sie Ihre Administration um einen neuen, oder melden Sie sich wie gewohnt an.',
    },
    busy: {
      title: 'Viele Personen melden sich gerade an',
      text: 'Bitte versuchen Sie es gleich noch einmal.',
    },
  },
  errors: {
    bad_request: {
      title: 'Diese Adresse funktioniert nicht',
      text: 'Der Link ist unvollständig oder beschädigt. Gehen Sie zum Helpdesk und beginnen Sie dort.',
    },
    not_found: {
      title: 'Diese Seite gibt es nicht',
      text: 'Vielleicht enthält die Adresse einen Tippfehler, oder die Seite wurde verschoben.',
    },
    link_gone: {
      title: 'Dieser Link funktioniert nicht',
      text: 'Ein Einmal-Link gilt nur einmal, nur für kurze Zeit und nur vollständig. Prüfen Sie, ob Sie ihn ganz kopiert haben, oder bitten Sie Ihre Administration um einen neuen.',
    },
    challenge: { title: 'Bitte melden Sie sich an', text: 'Dafür müssen Sie angemeldet sein.' },
    step_up: {
      title: 'Bitte melden Sie sich noch einmal an',
      text: 'Dieser Teil des Helpdesks verlangt eine sicherere oder neuere Anmeldung.',
    },
    forbidden: {
      title: 'Diese Seite ist für Sie nicht freigegeben',
      text: 'Sie sind angemeldet, aber dieser Teil des Helpdesks verlangt eine Rolle, die Sie nicht haben. Wenn Sie diese Rolle brauchen, fragen Sie Ihre Administration.',
    },
    wrong_origin: {
      title: 'Das wurde nicht von hier gesendet',
      text: 'Es hat sich nichts geändert. Zu Ihrer Sicherheit ist das nur von unseren eigenen Seiten aus möglich. Gehen Sie zurück, kopieren Sie Ihre Eingaben, laden Sie die Seite neu und versuchen Sie es noch einmal.',
    },
    too_many_headers: {
      title: 'Ihr Browser hat zu viel gesendet',
      text: 'Meist hat er zu viele Cookies für diese Website gespeichert. Löschen Sie diese und versuchen Sie es noch einmal.',
    },
    too_slow: {
      title: 'Ihre Anfrage kam nicht vollständig an',
      text: 'Ihr Browser hat aufgehört zu senden, bevor alles hier war. Prüfen Sie Ihre Verbindung und versuchen Sie es noch einmal.',
    },
    store_unavailable: {
      title: 'Einen Moment bitte',
      text: 'Wir können Ihre Anmeldung gerade nicht prüfen. Es ist nichts verloren: Bitte versuchen Sie es in ein paar Sekunden noch einmal.',
    },
    shed: {
      title: 'Einen Moment bitte',
      text: 'Der Helpdesk ist stark ausgelastet. Ihre Anfrage wurde nicht bearbeitet: Bitte versuchen Sie es in ein paar Sekunden noch einmal.',
    },
    desk_busy: {
      title: 'Der Helpdesk ist stark ausgelastet',
      text: 'Ihre Anfrage wurde nicht bearbeitet. Bitte versuchen Sie es in ein paar Sekunden noch einmal.',
    },
    desk_unreachable: {
      title: 'Der Helpdesk antwortet nicht',
      text: 'Sie sind angemeldet, aber der Helpdesk selbst ist nicht erreichbar. Bitte versuchen Sie es in einer Minute noch einmal.',
    },
    desk_timeout: {
      title: 'Der Helpdesk braucht zu lange',
      text: 'Sie sind angemeldet, aber der Helpdesk hat nicht rechtzeitig geantwortet. Bitte versuchen Sie es in einer Minute noch einmal.',
    },
    kept_gone: {
      title: 'Nichts mehr zu senden',
      text: 'Die aufbewahrte Antwort wurde schon gesendet oder verworfen, gehört zu einer anderen Seite oder Person, oder die Aufbewahrungszeit ist abgelaufen. Sehen Sie im Ticket nach, ob sie angekommen ist.',
    },
    kept_claimed: {
      title: 'Ihre Antwort wurde vielleicht schon gesendet',
      text: 'Eine aufbewahrte Antwort wird nur einmal gesendet, und das Senden hat begonnen. Sehen Sie im Ticket nach, bevor Sie sie noch einmal schreiben.',
    },
    kept_unanswered: {
      title: 'Ihre Antwort wurde vielleicht gesendet',
      text: 'Der Helpdesk hat nicht geantwortet. Ihre Antwort kann angekommen sein und wird deshalb nicht noch einmal gesendet: Sehen Sie im Ticket nach, bevor Sie sie noch einmal schreiben.',
    },
    internal: {
      title: 'Etwas ist schiefgegangen',
      text: 'Das ist unser Fehler, nicht Ihrer. Bitte versuchen Sie es noch einmal. Wenn es wieder geschieht, nennen Sie Ihrer Administration die Anfrage-ID unten.',
    },
    trace_refused: {
      title: 'TRACE ist nicht erlaubt',
      text: 'Eine Antwort auf TRACE würde Header wiederholen, die nur der Helpdesk sehen darf.',
    },
    upgrade_required: {
      title: 'Diese WebSocket-Version wird nicht unterstützt',
      text: 'Nur Version 13 (RFC 6455) wird unterstützt.',
    },
    method_not_allowed: {
      title: 'Diese Seite lässt sich nicht direkt öffnen',
      text: 'Anmeldedienste senden ihre Antworten per POST hierher. Um sich anzumelden, beginnen Sie beim Helpdesk.',
    },
    unsupported_media: {
      title: 'Das können wir nicht lesen',
      text: 'Hier wird nur ein Formular angenommen (application/x-www-form-urlencoded, ohne Komprimierung).',
    },
    too_large: {
      title: 'Das ist zu groß',
      text: 'Es wurde mehr gesendet, als diese Seite annimmt, deshalb wurde nichts ausgeführt. Gehen Sie zum Helpdesk und beginnen Sie dort.',
    },
    prefetch: { title: 'Jetzt nicht', text: 'Diese Seite wird nicht im Voraus geladen.' },
  },
  posted: {
    not: 'Was Sie gesendet haben, wurde nicht bearbeitet. Warten Sie ein paar Sekunden, gehen Sie eine Seite zurück und senden Sie es noch einmal.',
    maybe: 'Was Sie gesendet haben, ist vielleicht angekommen. Prüfen Sie das, bevor Sie es noch einmal senden.',
  },
  otherHost: {
    title: 'Der Helpdesk hat eine andere Adresse',
    text: 'Sie können sich nur unter {url} anmelden. Eine Anmeldung, die hier beginnt, bliebe nicht erhalten.',
    button: 'Zu {url}',
  },
  notSent: {
    title: 'Sie wurden abgemeldet',
    text: 'Ihre Eingaben wurden nicht gesendet. Melden Sie sich in einem neuen Tab an, wechseln Sie dann wieder zu diesem Tab, gehen Sie eine Seite zurück und senden Sie Ihre Eingaben noch einmal.',
    button: 'In einem neuen Tab anmelden',
  },
  kept: {
    kept: {
      title: 'Sie wurden abgemeldet',
      text: 'Ihre Eingaben wurden nicht gesendet, aber sie werden {time} lang aufbewahrt. Melden Sie sich jetzt an, dann können Sie sie senden.',
    },
    still: {
      title: 'Bitte melden Sie sich noch einmal an',
      text: 'Ihre früheren Eingaben sind noch aufbewahrt. Melden Sie sich jetzt an, dann können Sie sie senden.',
    },
    whyNot: {
      large: 'Ihre Eingaben konnten auch nicht aufbewahrt werden, weil sie größer als {size} sind.',
      file: 'Ihre Eingaben wurden auch nicht aufbewahrt, weil eine Datei angehängt ist.',
      another: 'Ihre Eingaben wurden auch nicht aufbewahrt, weil noch andere Eingaben von Ihnen aufbewahrt sind.',
      other: 'Ihre Eingaben konnten auch nicht aufbewahrt werden.',
    },
    page: {
      title: 'Ihre Antwort wurde aufbewahrt',
      text: 'Sie haben Ihre Antwort am {when} auf der Seite {page} geschrieben.',
      once: 'Sie können sie einmal senden. Sie wird bis {time} aufbewahrt.',
      hint: 'Wenn der Helpdesk nach dem Senden sagt, dass das Formular zu alt oder sein Sicherheitstoken ungültig ist, wurde Ihre Antwort nicht angenommen: Gehen Sie zu der Seite zurück, auf der Sie sie geschrieben haben, kopieren Sie den Text, öffnen Sie das Ticket neu und fügen Sie ihn dort ein.',
      send: 'Senden',
      discard: 'Verwerfen',
      open: 'Zur Seite, auf der Sie geschrieben haben',
    },
    none: {
      title: 'Es ist nichts aufbewahrt',
      text: 'Was aufbewahrt war, wurde gesendet oder verworfen, oder die Zeit dafür ist abgelaufen.',
    },
    otherAgent: {
      title: 'Für Sie ist nichts aufbewahrt',
      text: 'Was in diesem Browser aufbewahrt war, hatte jemand anders geschrieben. Es wurde verworfen.',
    },
    discarded: { title: 'Verworfen', text: 'Was aufbewahrt war, ist gelöscht.' },
    back: 'Zur aufbewahrten Antwort',
  },
  stepUp: {
    notSent: {
      title: 'Bitte melden Sie sich noch einmal an',
      text: 'Das verlangt eine sicherere oder neuere Anmeldung. Ihre Eingaben wurden nicht gesendet. Melden Sie sich in einem neuen Tab an, wechseln Sie dann wieder zu diesem Tab, gehen Sie eine Seite zurück und senden Sie Ihre Eingaben noch einmal.',
      button: 'In einem neuen Tab anmelden',
    },
  },
  frame: {
    title: 'Sie sind nicht angemeldet',
    text: 'Für diesen Teil der Seite müssen Sie angemeldet sein.',
    button: 'Anmelden',
  },
  chooser: {
    title: 'Beim Helpdesk anmelden',
    with: 'Mit {name} anmelden',
    desk: 'Mit einem Helpdesk-Passwort anmelden',
    onlyDesk: 'Sie werden zur Anmeldung des Helpdesks weitergeleitet.',
    text: 'Wählen Sie, wie Sie sich anmelden möchten.',
    single: 'Sie werden zu Ihrem Anmeldedienst weitergeleitet.',
    none: 'Es ist noch kein Anmeldeweg eingerichtet. Bitte fragen Sie Ihre Administration.',
    already: 'Sie sind als {email} angemeldet.',
    others: 'Oder melden Sie sich neu an, mit diesem oder einem anderen Konto.',
  },
  bearer: {
    401: {
      title: 'Das Bearer-Token wird nicht angenommen',
      text: 'Holen Sie ein neues Token und senden Sie die Anfrage noch einmal. Das Feld "reason" sagt, was an diesem falsch ist.',
    },
    403: {
      title: 'Das Bearer-Token gewährt keinen Zugang',
      text: 'Das Token ist gültig, aber sein Agent darf den Helpdesk nicht verwenden.',
    },
    503: {
      title: 'Das Bearer-Token lässt sich gerade nicht prüfen',
      text: 'Das Token kann gültig sein. Senden Sie die Anfrage gleich noch einmal.',
    },
  },
  leaving: {
    title: 'Einen Moment',
    text: 'Sie werden zu {name} weitergeleitet.',
    logout: 'Sie werden bei {name} abgemeldet.',
    button: 'Weiter',
  },
  logout: {
    title: 'Abmelden?',
    text: 'Sie sind als {email} angemeldet.',
    nobody: 'Sie sind in diesem Browser nicht angemeldet.',
    button: 'Abmelden',
    back: 'Zurück zum Helpdesk',
  },
  logoutRefused: {
    title: 'Die Abmeldung hat nicht funktioniert',
    text: 'Ihr Anmeldedienst hat eine Abmeldenachricht gesendet, die wir nicht annehmen können; hier hat sich deshalb nichts geändert. Sie können sich selbst abmelden. Wenn es wieder geschieht, nennen Sie Ihrer Administration die Referenz unten.',
  },
  breakglass: {
    title: 'Helpdesk öffnen?',
    text: 'Mit diesem Link kommen Sie für begrenzte Zeit ohne Ihren Anmeldedienst in den Helpdesk. Er gilt nur einmal, und seine Verwendung wird aufgezeichnet.',
    button: 'Helpdesk öffnen',
  },
  loggedOut: {
    title: 'Sie sind abgemeldet',
    text: 'Sie können dieses Fenster jetzt schließen oder sich wieder anmelden.',
    button: 'Wieder anmelden',
    sessions: 'Anmelden und sehen, wo Sie noch angemeldet sind',
  },
  sessions: {
    title: 'Wo Sie angemeldet sind',
    see: 'Zeigen, wo Sie angemeldet sind',
    agent: 'Angemeldet als {email}',
    here: 'Dieser Browser',
    unknown: 'Unbekannter Browser',
    oneTime: 'Einmal-Link',
    facts: 'Seit dem {since}, von {address}',
    seen: 'Zuletzt verwendet: {when}',
    ends: 'Endet am {end}',
    endsIdle: 'Endet ohne Nutzung am {idle}, spätestens am {end}',
    browser: '{browser} ({system})',
    end: 'Beenden',
    endOthers: 'Überall sonst abmelden',
    more: 'Nur die ersten hundert werden angezeigt.',
    back: 'Zurück zum Helpdesk',
  },
  admin: {
    title: 'Sitzungsverwaltung',
    open: 'Sitzungsverwaltung öffnen',
    operator: 'Sie arbeiten hier als {email}. Jede Änderung wird unter diesem Namen aufgezeichnet.',
    here: 'Nur was dieser Prozess gesehen hat: Andere Prozesse des Gateways können weitere Anmeldungen gesehen haben.',
    search: 'Suchen',
    more: 'Mehr',
    notices: {
      window: {
        title: 'Öffnen Sie die Sitzungsverwaltung in einem eigenen Fenster',
        text: 'Zu Ihrer Sicherheit öffnet sie sich nicht innerhalb anderer Seiten oder von anderen Websites aus. Geben Sie ihre Adresse in einem neuen Tab ein, oder öffnen Sie sie vom Helpdesk aus. Wenn das nicht gelingt, verwenden Sie einen neueren Browser.',
      },
      expired: {
        title: 'Diese Seite war zu lange offen',
        text: 'Es hat sich nichts geändert. Öffnen Sie die Sitzungsverwaltung neu und wiederholen Sie, was Sie tun wollten.',
      },
      directory: {
        title: 'Ihre Rolle lässt sich gerade nicht prüfen',
        text: 'Die Liste der Agenten kann im Moment nicht gelesen werden. Bitte versuchen Sie es in einer Minute noch einmal.',
      },
    },
    done: {
      ended: 'Beendete Sitzungen: {count}',
      gone: 'Es gab nichts mehr zu beenden: Jemand anders war schneller, oder die Zeit war schon abgelaufen.',
      queued:
        'Der Sitzungsspeicher antwortet nicht. Die Sitzungen sind in diesem Prozess beendet und enden überall, sobald er antwortet.',
      revoked: 'Der Link wurde widerrufen.',
    },
    sessions: {
      title: 'Sitzungen',
      label: 'E‑Mail-Adresse oder ihr Anfang',
      none: 'Es wurde keine laufende Sitzung gefunden.',
      here: 'Dieser Browser',
      since: 'Seit dem {since}, von {address}, {browser}',
      by: 'Angemeldet über {provider}',
      end: 'Beenden',
      all: 'Alle Sitzungen dieses Agenten',
      endAll: 'Alle Sitzungen von {email} beenden',
    },
    refused: {
      title: 'Abgelehnte Anmeldungen',
      label: 'Referenz oder E‑Mail-Adresse',
      none: 'Es wurde keine abgelehnte Anmeldung gefunden. Die neuesten 10.000 werden eine Woche lang aufbewahrt.',
      total: 'Gefunden: {count}',
      nobody: 'Keine E‑Mail-Adresse bekannt',
      facts: 'Über {provider}, von {address}, {browser}',
      told: 'Dem Agenten angezeigt: {title}',
      unknown: 'Es gibt keinen Bericht {reference}. Berichte werden eine Woche lang aufbewahrt.',
      checks: 'Prüfungen',
      show: 'Prüfungen zeigen',
      back: 'Zurück zur Liste',
      passed: 'bestanden',
      failed: 'nicht bestanden',
      expected: 'Erwartet: {value}',
      seen: 'Erhalten: {value}',
      setting: 'Einstellung: {value}',
    },
    state: {
      title: 'Anmeldedienste und Speicher',
      providers: 'Anmeldedienste',
      sources: 'Agenten',
      store: 'Sitzungsspeicher',
      up: 'Der Speicher antwortet.',
      until: 'Zertifikat gültig bis {when}',
      agrees: 'Seine Uhr stimmt mit unserer überein',
      ahead: 'Seine Uhr geht gegenüber unserer um {time} vor',
      behind: 'Seine Uhr geht gegenüber unserer um {time} nach',
      login: 'Letzte Anmeldung: {when}',
      refusal: 'Letzte abgelehnte Anmeldung: {when}',
      show: 'Letzte abgelehnte Anmeldung zeigen',
      never: 'Noch keine Anmeldung',
      agents: 'Agenten: {count}. Liste zuletzt gelesen: {when}',
      noList: 'Hat keine Liste: wird bei jeder Anmeldung gefragt.',
    },
    links: {
      title: 'Einmal-Links',
      none: 'Es gibt keinen Link, der noch verwendet werden könnte.',
      facts: 'Grund: {reason}. Erstellt von: {operator}',
      until: 'Link gültig bis {when}, Dauer des Zugangs: {time}',
      revoke: 'Widerrufen',
      make: 'Neue Links erstellt der Befehl {command}.',
    },
  },
  warning: {
    idle: {
      title: 'Sind Sie noch da?',
      text: 'Sie haben den Helpdesk seit einer Weile nicht benutzt. Sie werden bald abgemeldet. Verbleibende Zeit:',
      button: 'Angemeldet bleiben',
    },
    absolute: {
      title: 'Ihre Anmeldung läuft gleich ab',
      text: 'Jede Anmeldung gilt nur für eine bestimmte Zeit. Melden Sie sich jetzt in einem kleinen Fenster neu an, dann können Sie auf dieser Seite weiterarbeiten. Andernfalls werden Sie abgemeldet. Verbleibende Zeit:',
      button: 'Neu anmelden',
    },
    ended: {
      title: 'Sie wurden abgemeldet',
      text: 'Ihre Anmeldung ist abgelaufen. Was Sie auf dieser Seite eingegeben haben, ist noch da: Melden Sie sich in einem kleinen Fenster neu an, um weiterzuarbeiten.',
      button: 'Neu anmelden',
    },
    stepUp: {
      title: 'Bitte melden Sie sich noch einmal an',
      text: 'Dieser Teil des Helpdesks verlangt eine sicherere oder neuere Anmeldung. Melden Sie sich in einem kleinen Fenster an, um auf dieser Seite weiterzuarbeiten.',
      button: 'Anmelden',
    },
    close: 'Schließen',
    left: 'Zeit bis zur Abmeldung: {time}.',
    failed: 'Das hat nicht funktioniert. Bitte versuchen Sie es noch einmal.',
  },
  popup: {
    done: {
      title: 'Sie sind angemeldet',
      text: 'Sie können dieses Fenster schließen und auf der Seite weiterarbeiten, von der Sie gekommen sind.',
    },
    none: {
      title: 'Sie können dieses Fenster schließen',
      text: 'Es hat sich nichts geändert. Kehren Sie zu der Seite zurück, von der Sie gekommen sind.',
    },
    close: 'Dieses Fenster schließen',
  },
  buttons: {
    login: 'Anmelden',
    stay: 'Weiter als {email}',
    other: 'Auf anderem Weg anmelden',
    otherAccount: 'Anderes Konto verwenden',
    retry: 'Noch einmal versuchen',
    logout: 'Abmelden',
    home: 'Zum Helpdesk',
    tell: 'Zurück zu {name}',
  },
  switch: 'Sprache',
  loggedInAs: 'Sie haben sich als {email} angemeldet.',
  loggedInHere: 'Hier angemeldet: {email}',
  newLogin: 'Neue Anmeldung: {email}',
  requestId: 'Anfrage-ID',
  traceId: 'Trace-ID',
  reference: 'Referenz',
  referenceHint: 'Ihre Administration kann sie nachschlagen.',
}
