// The sentences of en.ts in French.

import type { Texts } from './texts.js'

export const fr: Texts = {
  lang: 'fr',
  dir: 'ltr',
  language: 'Français',
  refusals: {
    broken: {
      title: 'La connexion n’a pas abouti',
      text: 'Votre service de connexion a envoyé une réponse que nous ne pouvons pas accepter. Veuillez réessayer. Si cela se reproduit, communiquez à votre administrateur la référence ci-dessous.',
    },
    tooLate: {
      title: 'Cette connexion a pris trop de temps',
      text: 'La réponse de votre service de connexion a expiré. Veuillez vous connecter à nouveau. Si cela se produit à chaque fois, une horloge n’est peut-être pas à l’heure : prévenez votre administrateur.',
    },
    tooEarly: {
      title: 'Les horloges ne concordent pas',
      text: 'La réponse de votre service de connexion est datée dans le futur. Veuillez réessayer dans une minute. Si cela se reproduit, prévenez votre administrateur.',
    },
    usedUp: {
      title: 'Cette connexion a déjà été utilisée',
      text: 'Chaque connexion ne sert qu’une fois. Vous êtes sans doute revenu avec le bouton Précédent ou avez rechargé la page. Veuillez vous connecter à nouveau.',
    },
    unbound: {
      title: 'Cette connexion n’a pas commencé ici',
      text: 'La réponse de votre service de connexion ne correspond à aucune connexion commencée par ce navigateur au cours des dix dernières minutes. Veuillez réessayer et autoriser les cookies pour ce site.',
    },
    setUpWrong: {
      title: 'L’authentification unique est mal configurée',
      text: 'Un réglage de votre service de connexion ne correspond pas à celui du centre d’assistance. Seul votre administrateur peut y remédier : veuillez lui envoyer la référence ci-dessous.',
    },
    otherMethod: {
      title: 'Un autre mode de connexion est nécessaire',
      text: 'Le centre d’assistance exige une connexion plus sécurisée que celle que vous avez utilisée, par exemple avec un second facteur. Veuillez vous connecter à nouveau en choisissant ce mode. Si votre service de connexion ne le propose pas, communiquez à votre administrateur la référence ci-dessous.',
    },
    tooOld: {
      title: 'Veuillez vous connecter encore une fois',
      text: 'Votre service de connexion s’est souvenu d’une connexion antérieure, mais le centre d’assistance en exige une nouvelle. Connectez-vous à nouveau ; si votre service de connexion ne vous le demande pas, déconnectez-vous d’abord de celui-ci.',
    },
    noAddress: {
      title: 'Votre adresse e‑mail est absente',
      text: 'Votre service de connexion ne nous a pas indiqué d’adresse e‑mail utilisable. Veuillez communiquer à votre administrateur la référence ci-dessous, ou vous connecter avec un autre compte.',
    },
    unavailable: {
      title: 'La connexion est impossible pour le moment',
      text: 'Un service nécessaire à la vérification de votre connexion est injoignable. Veuillez réessayer dans une minute.',
    },
    refusedThere: {
      title: 'Votre service de connexion a refusé l’accès',
      text: 'Il a lui-même mis fin à la connexion, peut-être parce qu’elle a été annulée ou que vous n’avez pas le droit d’utiliser cette application. Veuillez réessayer ou vous adresser à votre administrateur.',
    },
    startHere: {
      title: 'Veuillez commencer ici',
      text: 'Les connexions qui commencent auprès de votre service de connexion ne sont pas acceptées. Connectez-vous avec le bouton ci-dessous.',
    },
    agentUnknown: {
      title: 'Vous n’avez pas accès au centre d’assistance',
      text: 'Votre connexion a réussi, mais le centre d’assistance ne connaît pas votre adresse e‑mail. Demandez à votre administrateur de vous ajouter, ou connectez-vous avec un autre compte.',
    },
    agentDisabled: {
      title: 'Votre compte est désactivé',
      text: 'Votre connexion a réussi, mais votre compte du centre d’assistance est inactif. Adressez-vous à votre administrateur, ou connectez-vous avec un autre compte.',
    },
    agentForbidden: {
      title: 'Vous ne pouvez pas vous connecter ainsi',
      text: 'Votre connexion a réussi, mais elle ne donne pas accès au centre d’assistance. Adressez-vous à votre administrateur, ou connectez-vous autrement.',
    },
    agentsUnavailable: {
      title: 'La connexion est impossible pour le moment',
      text: 'Votre service de connexion a confirmé votre identité, mais nous ne pouvons pas consulter votre compte du centre d’assistance actuellement. Veuillez réessayer dans une minute.',
    },
    otherSession: {
      title: 'Une autre personne est connectée ici',
      text: 'Une connexion que ce navigateur n’a pas commencée est arrivée. Rien n’a changé. Pour passer à l’autre compte, déconnectez-vous d’abord, puis reconnectez-vous.',
    },
    otherAgent: {
      title: 'Une autre personne s’est connectée',
      text: 'Cette page exige une nouvelle connexion de la personne connectée ici, mais une autre personne s’est connectée. Rien n’a changé. Pour passer à l’autre compte, déconnectez-vous d’abord, puis reconnectez-vous.',
    },
    loop: {
      title: 'Votre navigateur ne retient pas la connexion',
      text: 'Vous vous êtes connecté plusieurs fois en une minute, mais votre navigateur n’a jamais renvoyé le cookie qui retient la connexion. Autorisez les cookies pour ce site, attendez une minute, puis réessayez.',
    },
    rateLimited: {
      title: 'Trop de connexions ont échoué',
      text: 'Trop de connexions depuis votre réseau ont échoué, peut-être celles d’autres personnes. Veuillez attendre quelques minutes, puis réessayer.',
    },
    linkUsed: {
      title: 'Ce lien a déjà été utilisé',
      text: 'Chaque lien ne sert qu’une fois. Demandez-en un nouveau à votre administrateur, ou connectez-vous comme d’habitude.',
    },
    linkExpired: {
      title: 'Ce lien a expiré',
      text: 'Les liens ne sont valables que peu de temps. Demandez-en un nouveau à votre administrateur, ou connectez-vous comme d’habitude.',
    },
    busy: {
      title: 'De nombreuses personnes se connectent',
      text: 'Veuillez réessayer dans un instant.',
    },
  },
  errors: {
    bad_request: {
      title: 'Cette adresse ne fonctionne pas',
      text: 'Le lien est incomplet ou endommagé. Allez au centre d’assistance et recommencez à partir de là.',
    },
    not_found: {
      title: 'Cette page n’existe pas',
      text: 'L’adresse est peut-être mal saisie, ou la page a été déplacée.',
    },
    link_gone: {
      title: 'Ce lien ne fonctionne pas',
      text: 'Un lien à usage unique ne sert qu’une fois, n’est valable que peu de temps et doit être complet. Vérifiez que vous l’avez copié en entier, ou demandez-en un nouveau à votre administrateur.',
    },
    challenge: { title: 'Veuillez vous connecter', text: 'Vous devez être connecté pour cela.' },
    step_up: {
      title: 'Veuillez vous connecter encore une fois',
      text: 'Cette partie du centre d’assistance exige une connexion plus sécurisée ou plus récente.',
    },
    forbidden: {
      title: 'Vous n’avez pas accès à cette page',
      text: 'Vous êtes connecté, mais cette partie du centre d’assistance exige un rôle que vous n’avez pas. Si vous pensez devoir l’avoir, adressez-vous à votre administrateur.',
    },
    wrong_origin: {
      title: 'Cet envoi ne vient pas d’ici',
      text: 'Rien n’a changé. Pour votre sécurité, cela ne fonctionne que depuis nos propres pages. Revenez en arrière, copiez votre saisie, rechargez la page et réessayez.',
    },
    too_many_headers: {
      title: 'Votre navigateur a envoyé trop de données',
      text: 'En général, il conserve trop de cookies pour ce site. Effacez-les et réessayez.',
    },
    too_slow: {
      title: 'Votre requête n’est pas arrivée entière',
      text: 'Votre navigateur a cessé d’envoyer avant que tout soit arrivé. Vérifiez votre connexion réseau et réessayez.',
    },
    store_unavailable: {
      title: 'Un instant',
      text: 'Nous ne pouvons pas vérifier votre connexion pour le moment. Rien n’est perdu : veuillez réessayer dans quelques secondes.',
    },
    shed: {
      title: 'Un instant',
      text: 'Le centre d’assistance est très sollicité. Votre requête n’a pas été traitée : veuillez réessayer dans quelques secondes.',
    },
    desk_busy: {
      title: 'Le centre d’assistance est très sollicité',
      text: 'Votre requête n’a pas été traitée. Veuillez réessayer dans quelques secondes.',
    },
    desk_unreachable: {
      title: 'Le centre d’assistance ne répond pas',
      text: 'Vous êtes connecté, mais le centre d’assistance lui-même est injoignable. Veuillez réessayer dans une minute.',
    },
    desk_timeout: {
      title: 'Le centre d’assistance est trop lent',
      text: 'Vous êtes connecté, mais le centre d’assistance n’a pas répondu à temps. Veuillez réessayer dans une minute.',
    },
    kept_gone: {
      title: 'Plus rien à envoyer',
      text: 'La réponse conservée a déjà été envoyée ou supprimée, concerne une autre page ou une autre personne, ou le délai est dépassé. Vérifiez dans le ticket si elle est arrivée.',
    },
    kept_claimed: {
      title: 'Votre réponse a peut-être déjà été envoyée',
      text: 'Une réponse conservée n’est envoyée qu’une seule fois, et l’envoi a commencé. Consultez le ticket avant de la réécrire.',
    },
    kept_unanswered: {
      title: 'Votre réponse a peut-être été envoyée',
      text: 'Le centre d’assistance n’a pas répondu. Votre réponse est peut-être arrivée ; elle n’est donc pas renvoyée : vérifiez le ticket avant de la réécrire.',
    },
    internal: {
      title: 'Un problème est survenu',
      text: 'L’erreur vient de nous, pas de vous. Veuillez réessayer. Si cela se reproduit, communiquez à votre administrateur l’identifiant de la requête ci-dessous.',
    },
    trace_refused: {
      title: 'TRACE n’est pas autorisé',
      text: 'Une réponse à TRACE répéterait des en-têtes que seul le centre d’assistance peut voir.',
    },
    upgrade_required: {
      title: 'Version de WebSocket non prise en charge',
      text: 'Seule la version 13 (RFC 6455) est prise en charge.',
    },
    method_not_allowed: {
      title: 'Cette page ne s’ouvre pas directement',
      text: 'Les services de connexion y envoient leurs réponses par POST. Pour vous connecter, partez du centre d’assistance.',
    },
    unsupported_media: {
      title: 'Ce contenu est illisible',
      text: 'Seul un formulaire est accepté ici (application/x-www-form-urlencoded, sans compression).',
    },
    too_large: {
      title: 'C’est trop volumineux',
      text: 'L’envoi dépasse ce que cette page accepte ; rien n’a donc été fait. Allez au centre d’assistance et recommencez à partir de là.',
    },
    prefetch: { title: 'Pas maintenant', text: 'Cette page n’est pas chargée à l’avance.' },
  },
  posted: {
    not: 'Votre envoi n’a pas été traité. Attendez quelques secondes, reculez d’une page et recommencez l’envoi.',
    maybe: 'Votre envoi est peut-être arrivé. Vérifiez-le avant de recommencer.',
  },
  otherHost: {
    title: 'Le centre d’assistance a une autre adresse',
    text: 'Vous ne pouvez vous connecter que sur {url}. Une connexion commencée ici ne serait pas conservée.',
    button: 'Aller sur {url}',
  },
  notSent: {
    title: 'Vous avez été déconnecté',
    text: 'Votre saisie n’a pas été envoyée. Connectez-vous dans un nouvel onglet, puis revenez à celui-ci, reculez d’une page et envoyez de nouveau votre saisie.',
    button: 'Se connecter dans un nouvel onglet',
  },
  kept: {
    kept: {
      title: 'Vous avez été déconnecté',
      text: 'Votre saisie n’a pas été envoyée, mais elle est conservée pendant {time}. Connectez-vous maintenant : vous pourrez ensuite l’envoyer.',
    },
    still: {
      title: 'Veuillez vous reconnecter',
      text: 'Votre saisie précédente est toujours conservée. Connectez-vous maintenant : vous pourrez ensuite l’envoyer.',
    },
    whyNot: {
      large: 'Elle n’a pas non plus été conservée : elle dépasse {size}.',
      file: 'Elle n’a pas non plus été conservée, car un fichier y est joint.',
      another: 'Elle n’a pas non plus été conservée, car une autre de vos saisies est encore conservée.',
      other: 'Elle n’a pas non plus pu être conservée.',
    },
    page: {
      title: 'Votre réponse a été conservée',
      text: 'Vous avez écrit votre réponse le {when}, sur la page {page}.',
      once: 'Vous pouvez l’envoyer une seule fois. Elle est conservée jusqu’au {time}.',
      hint: 'Si le centre d’assistance indique après l’envoi que le formulaire est trop ancien ou que son jeton de sécurité n’est pas valide, votre réponse n’a pas été acceptée : revenez à la page où vous l’avez écrite, copiez le texte, rouvrez le ticket et collez-y ce texte.',
      send: 'Envoyer',
      discard: 'Supprimer',
      open: 'Ouvrir la page où vous avez écrit',
    },
    none: {
      title: 'Rien n’est conservé',
      text: 'Ce qui était conservé a été envoyé, a été supprimé, ou le délai est dépassé.',
    },
    otherAgent: {
      title: 'Rien n’est conservé pour vous',
      text: 'Ce qui était conservé dans ce navigateur avait été écrit par un autre agent et a été supprimé.',
    },
    discarded: { title: 'Supprimé', text: 'Ce qui était conservé n’existe plus.' },
    back: 'Vers la réponse conservée',
  },
  stepUp: {
    notSent: {
      title: 'Veuillez vous connecter encore une fois',
      text: 'Cela exige une connexion plus sécurisée ou plus récente. Votre saisie n’a pas été envoyée. Connectez-vous dans un nouvel onglet, puis revenez à celui-ci, reculez d’une page et envoyez de nouveau votre saisie.',
      button: 'Se connecter dans un nouvel onglet',
    },
  },
  frame: {
    title: 'Vous n’êtes pas connecté',
    text: 'Cette partie de la page exige une connexion.',
    button: 'Se connecter',
  },
  chooser: {
    title: 'Connexion au centre d’assistance',
    with: 'Se connecter avec {name}',
    desk: 'Se connecter avec un mot de passe du centre d’assistance',
    onlyDesk: 'Vous allez être dirigé vers la page de connexion du centre d’assistance.',
    text: 'Choisissez votre mode de connexion.',
    single: 'Vous allez être dirigé vers votre service de connexion.',
    none: 'Aucun mode de connexion n’est encore configuré. Veuillez vous adresser à votre administrateur.',
    already: 'Vous êtes connecté en tant que {email}.',
    others: 'Ou connectez-vous à nouveau, avec ce compte ou un autre.',
  },
  bearer: {
    401: {
      title: 'Le jeton bearer n’est pas accepté',
      text: 'Obtenez un nouveau jeton et renvoyez la requête. Le champ "reason" indique ce qui ne convient pas.',
    },
    403: {
      title: 'Le jeton bearer ne donne aucun accès',
      text: 'Le jeton est valide, mais son agent ne peut pas utiliser le centre d’assistance.',
    },
    503: {
      title: 'Le jeton bearer ne peut pas être vérifié',
      text: 'Le jeton est peut-être valide. Renvoyez la requête dans un instant.',
    },
  },
  leaving: {
    title: 'Un instant',
    text: 'Vous allez être dirigé vers {name}.',
    logout: 'Vous allez être déconnecté de {name}.',
    button: 'Continuer',
  },
  logout: {
    title: 'Se déconnecter ?',
    text: 'Vous êtes connecté en tant que {email}.',
    nobody: 'Vous n’êtes pas connecté dans ce navigateur.',
    button: 'Se déconnecter',
    back: 'Retour au centre d’assistance',
  },
  logoutRefused: {
    title: 'La déconnexion n’a pas abouti',
    text: 'Votre service de connexion a envoyé un message de déconnexion que nous ne pouvons pas accepter ; rien n’a donc changé ici. Vous pouvez vous déconnecter vous-même. Si cela se reproduit, communiquez à votre administrateur la référence ci-dessous.',
  },
  breakglass: {
    title: 'Ouvrir le centre d’assistance ?',
    text: 'Ce lien vous donne accès sans votre service de connexion, pour une durée limitée. Il ne sert qu’une fois, et son utilisation est enregistrée.',
    button: 'Ouvrir le centre d’assistance',
  },
  loggedOut: {
    title: 'Vous êtes déconnecté',
    text: 'Vous pouvez maintenant fermer cette fenêtre ou vous reconnecter.',
    button: 'Se reconnecter',
    sessions: 'Se connecter et voir où vous êtes encore connecté',
  },
  sessions: {
    title: 'Où vous êtes connecté',
    see: 'Voir où vous êtes connecté',
    agent: 'Connecté en tant que {email}',
    here: 'Ce navigateur',
    unknown: 'Navigateur inconnu',
    oneTime: 'Lien à usage unique',
    facts: 'Depuis le {since}, adresse IP {address}',
    seen: 'Dernière utilisation : {when}',
    ends: 'Prend fin le {end}',
    endsIdle: 'Prend fin le {idle} sans activité, au plus tard le {end}',
    browser: '{browser} ({system})',
    end: 'Terminer',
    endOthers: 'Se déconnecter partout ailleurs',
    more: 'Seules les cent premières sont affichées.',
    back: 'Retour au centre d’assistance',
  },
  admin: {
    title: 'Gestion des sessions',
    open: 'Ouvrir la gestion des sessions',
    operator: 'Vous travaillez ici en tant que {email}. Chaque modification est enregistrée sous ce nom.',
    here: 'Seulement ce que ce processus a vu : d’autres processus de la passerelle peuvent avoir vu d’autres connexions.',
    search: 'Rechercher',
    more: 'Suite',
    notices: {
      window: {
        title: 'Ouvrez la gestion des sessions à part',
        text: 'Pour votre sécurité, elle ne s’ouvre ni à l’intérieur d’autres pages ni depuis d’autres sites. Saisissez son adresse dans un nouvel onglet, ou ouvrez-la depuis le centre d’assistance. En cas d’échec, utilisez un navigateur plus récent.',
      },
      expired: {
        title: 'Cette page est restée ouverte trop longtemps',
        text: 'Rien n’a changé. Rouvrez la gestion des sessions et recommencez ce que vous vouliez faire.',
      },
      directory: {
        title: 'Votre rôle ne peut pas être vérifié pour le moment',
        text: 'La liste des agents ne peut pas être lue actuellement. Veuillez réessayer dans une minute.',
      },
    },
    done: {
      ended: 'Sessions terminées : {count}',
      gone: 'Il n’y avait plus rien à terminer : quelqu’un d’autre a été plus rapide, ou le délai a expiré.',
      queued:
        'Le stockage des sessions ne répond pas. Les sessions sont terminées dans ce processus, et le seront partout dès qu’il répondra.',
      revoked: 'Le lien a été révoqué.',
    },
    sessions: {
      title: 'Sessions',
      label: 'Adresse e-mail, ou son début',
      none: 'Aucune session en cours n’a été trouvée.',
      here: 'Ce navigateur',
      since: 'Depuis le {since}, adresse IP {address}, {browser}',
      by: 'Connexion par {provider}',
      end: 'Terminer',
      all: 'Toutes les sessions de cet agent',
      endAll: 'Terminer toutes les sessions de {email}',
    },
    refused: {
      title: 'Connexions refusées',
      label: 'Référence ou adresse e-mail',
      none: 'Aucune connexion refusée n’a été trouvée. Les 10 000 plus récentes sont conservées une semaine.',
      total: 'Trouvées : {count}',
      nobody: 'Aucune adresse e-mail connue',
      facts: 'Par {provider}, adresse IP {address}, {browser}',
      told: 'Affiché à l’agent : {title}',
      unknown: 'Il n’y a pas de rapport {reference}. Les rapports sont conservés une semaine.',
      checks: 'Vérifications',
      show: 'Voir les vérifications',
      back: 'Retour à la liste',
      passed: 'réussie',
      failed: 'échouée',
      expected: 'Attendu : {value}',
      seen: 'Constaté : {value}',
      setting: 'Réglage : {value}',
    },
    state: {
      title: 'Services de connexion et stockage',
      providers: 'Services de connexion',
      sources: 'Agents',
      store: 'Stockage des sessions',
      up: 'Le stockage répond.',
      until: 'Certificat valable jusqu’au {when}',
      agrees: 'Son horloge concorde avec la nôtre',
      ahead: 'Son horloge avance de {time} sur la nôtre',
      behind: 'Son horloge retarde de {time} sur la nôtre',
      login: 'Dernière connexion : {when}',
      refusal: 'Dernière connexion refusée : {when}',
      show: 'Voir la dernière connexion refusée',
      never: 'Encore aucune connexion',
      agents: 'Agents : {count}. Dernière lecture de la liste : {when}',
      noList: 'N’a pas de liste : consulté à chaque connexion.',
    },
    links: {
      title: 'Liens à usage unique',
      none: 'Il n’y a aucun lien encore utilisable.',
      facts: 'Motif : {reason}. Créé par : {operator}',
      until: 'Lien valable jusqu’au {when}, durée de l’accès : {time}',
      revoke: 'Révoquer',
      make: 'La commande {command} crée de nouveaux liens.',
    },
  },
  warning: {
    idle: {
      title: 'Êtes-vous toujours là ?',
      text: 'Vous n’avez pas utilisé le centre d’assistance depuis un moment. Vous allez être déconnecté. Temps restant :',
      button: 'Rester connecté',
    },
    absolute: {
      title: 'Votre connexion va bientôt expirer',
      text: 'Toute connexion expire après un certain temps. Reconnectez-vous maintenant, dans une petite fenêtre, pour continuer sur cette page. Sinon, vous serez déconnecté. Temps restant :',
      button: 'Se reconnecter',
    },
    ended: {
      title: 'Vous avez été déconnecté',
      text: 'Votre connexion a expiré. Ce que vous avez saisi sur cette page est toujours là : reconnectez-vous, dans une petite fenêtre, pour continuer.',
      button: 'Se reconnecter',
    },
    stepUp: {
      title: 'Veuillez vous connecter encore une fois',
      text: 'Cette partie du centre d’assistance exige une connexion plus sécurisée ou plus récente. Connectez-vous, dans une petite fenêtre, pour continuer sur cette page.',
      button: 'Se connecter',
    },
    close: 'Fermer',
    left: 'Vous serez déconnecté dans {time}.',
    failed: 'Cela n’a pas fonctionné. Veuillez réessayer.',
  },
  popup: {
    done: {
      title: 'Vous êtes connecté',
      text: 'Vous pouvez fermer cette fenêtre et continuer sur la page d’où vous venez.',
    },
    none: {
      title: 'Vous pouvez fermer cette fenêtre',
      text: 'Rien n’a changé. Revenez à la page d’où vous venez.',
    },
    close: 'Fermer cette fenêtre',
  },
  buttons: {
    login: 'Se connecter',
    stay: 'Continuer en tant que {email}',
    other: 'Se connecter autrement',
    otherAccount: 'Utiliser un autre compte',
    retry: 'Réessayer',
    logout: 'Se déconnecter',
    home: 'Aller au centre d’assistance',
    tell: 'Retour à {name}',
  },
  switch: 'Langue',
  loggedInAs: 'Vous vous êtes connecté en tant que {email}.',
  loggedInHere: 'Connecté ici : {email}',
  newLogin: 'Nouvelle connexion : {email}',
  requestId: 'Identifiant de la requête',
  traceId: 'Identifiant de trace',
  reference: 'Référence',
  referenceHint: 'Votre administrateur peut s’en servir pour trouver la cause.',
}
