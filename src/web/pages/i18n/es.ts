// The sentences of en.ts in Spanish.

import type { Texts } from './texts.js'

export const es: Texts = {
  lang: 'es',
  dir: 'ltr',
  language: 'Español',
  refusals: {
    broken: {
      title: 'El inicio de sesión no ha funcionado',
      text: 'Su servicio de inicio de sesión ha enviado una respuesta que no podemos aceptar. Inténtelo de nuevo. Si vuelve a ocurrir, comunique a su administrador la referencia que figura abajo.',
    },
    tooLate: {
      title: 'Este inicio de sesión ha tardado demasiado',
      text: 'La respuesta de su servicio de inicio de sesión ha caducado. Inicie sesión de nuevo. Si ocurre siempre, puede que un reloj no esté en hora: avise a su administrador.',
    },
    tooEarly: {
      title: 'Los relojes no coinciden',
      text: 'La respuesta de su servicio de inicio de sesión lleva una fecha futura. Inténtelo de nuevo dentro de un minuto. Si vuelve a ocurrir, avise a su administrador.',
    },
    usedUp: {
      title: 'Este inicio de sesión ya se ha utilizado',
      text: 'Cada inicio de sesión sirve una sola vez. Probablemente ha vuelto con el botón Atrás o ha recargado la página. Inicie sesión de nuevo.',
    },
    unbound: {
      title: 'Este inicio de sesión no empezó aquí',
      text: 'La respuesta de su servicio de inicio de sesión no corresponde a ningún inicio de sesión que este navegador haya empezado en los últimos diez minutos. Inténtelo de nuevo y permita las cookies de este sitio.',
    },
    setUpWrong: {
      title: 'El inicio de sesión único está mal configurado',
      text: 'Un ajuste de su servicio de inicio de sesión no coincide con el del centro de asistencia. Su administrador tiene que corregirlo: envíele la referencia que figura abajo.',
    },
    otherMethod: {
      title: 'Se necesita otra forma de iniciar sesión',
      text: 'El centro de asistencia pide un inicio de sesión más seguro que el que ha utilizado, por ejemplo con un segundo factor. Inicie sesión de nuevo y elíjalo. Si su servicio de inicio de sesión no lo ofrece, comunique a su administrador la referencia que figura abajo.',
    },
    tooOld: {
      title: 'Inicie sesión una vez más',
      text: 'Su servicio de inicio de sesión ha recordado un inicio de sesión anterior y el centro de asistencia pide uno nuevo. Inicie sesión de nuevo; si su servicio no se lo pide, cierre antes la sesión en él.',
    },
    noAddress: {
      title: 'Falta su dirección de correo electrónico',
      text: 'Su servicio de inicio de sesión no nos ha indicado ninguna dirección de correo electrónico que podamos utilizar. Comunique a su administrador la referencia que figura abajo o inicie sesión con otra cuenta.',
    },
    unavailable: {
      title: 'Ahora mismo no es posible iniciar sesión',
      text: 'Un servicio que comprueba su inicio de sesión no responde. Inténtelo de nuevo dentro de un minuto.',
    },
    refusedThere: {
      title: 'Su servicio de inicio de sesión ha denegado el acceso',
      text: 'El propio servicio ha interrumpido el inicio de sesión, quizá porque se ha cancelado o porque usted no tiene permiso para utilizar esta aplicación. Inténtelo de nuevo o consulte a su administrador.',
    },
    startHere: {
      title: 'Empiece aquí',
      text: 'No se aceptan inicios de sesión que empiecen en su servicio de inicio de sesión. Inicie sesión con el botón de abajo.',
    },
    agentUnknown: {
      title: 'No tiene acceso al centro de asistencia',
      text: 'Su inicio de sesión ha funcionado, pero el centro de asistencia no conoce su dirección de correo electrónico. Pida a su administrador que le añada o inicie sesión con otra cuenta.',
    },
    agentDisabled: {
      title: 'Su cuenta está desactivada',
      text: 'Su inicio de sesión ha funcionado, pero su cuenta del centro de asistencia no está activa. Consulte a su administrador o inicie sesión con otra cuenta.',
    },
    agentForbidden: {
      title: 'No puede iniciar sesión de esta forma',
      text: 'Su inicio de sesión ha funcionado, pero no da acceso al centro de asistencia. Consulte a su administrador o inicie sesión de otra forma.',
    },
    agentsUnavailable: {
      title: 'Ahora mismo no es posible iniciar sesión',
      text: 'Su servicio de inicio de sesión ha confirmado su identidad, pero en este momento no podemos consultar su cuenta del centro de asistencia. Inténtelo de nuevo dentro de un minuto.',
    },
    otherSession: {
      title: 'Aquí hay otra persona con la sesión iniciada',
      text: 'Ha llegado un inicio de sesión que este navegador no ha comenzado. No ha cambiado nada. Para pasar a la otra cuenta, cierre antes la sesión y vuelva a iniciarla.',
    },
    otherAgent: {
      title: 'Ha iniciado sesión otra persona',
      text: 'Esta página exige que vuelva a iniciar sesión la persona conectada aquí, pero lo ha hecho otra persona. No ha cambiado nada. Para pasar a la otra cuenta, cierre antes la sesión y vuelva a iniciarla.',
    },
    loop: {
      title: 'Su navegador no conserva la sesión',
      text: 'Ha iniciado sesión varias veces en un minuto, pero su navegador nunca ha devuelto la cookie que conserva la sesión. Permita las cookies de este sitio, espere un minuto e inténtelo de nuevo.',
    },
    rateLimited: {
      title: 'Demasiados inicios de sesión fallidos',
      text: 'Ha habido demasiados inicios de sesión fallidos desde su red, quizá de otras personas. Espere unos minutos e inténtelo de nuevo.',
    },
    linkUsed: {
      title: 'Este enlace ya se ha utilizado',
      text: 'Cada enlace sirve una sola vez. Pida uno nuevo a su administrador o inicie sesión como de costumbre.',
    },
    linkExpired: {
      title: 'Este enlace ha caducado',
      text: 'Los enlaces solo son válidos durante poco tiempo. Pida uno nuevo a su administrador o inicie sesión como de costumbre.',
    },
    busy: {
      title: 'Muchas personas están iniciando sesión',
      text: 'Inténtelo de nuevo dentro de un momento.',
    },
  },
  errors: {
    bad_request: {
      title: 'Esta dirección no funciona',
      text: 'El enlace está incompleto o dañado. Vaya al centro de asistencia y empiece desde allí.',
    },
    not_found: {
      title: 'Esta página no existe',
      text: 'Puede que la dirección esté mal escrita o que la página se haya trasladado.',
    },
    link_gone: {
      title: 'Este enlace no funciona',
      text: 'Un enlace de un solo uso sirve una vez, durante poco tiempo y solo si está completo. Compruebe que lo ha copiado entero o pida uno nuevo a su administrador.',
    },
    challenge: { title: 'Inicie sesión', text: 'Para esto tiene que iniciar sesión.' },
    step_up: {
      title: 'Inicie sesión una vez más',
      text: 'Esta parte del centro de asistencia requiere un inicio de sesión más seguro o más reciente.',
    },
    forbidden: {
      title: 'No tiene acceso a esta página',
      text: 'Ha iniciado sesión, pero esta parte del centro de asistencia requiere un rol que usted no tiene. Si cree que debería tenerlo, consulte a su administrador.',
    },
    wrong_origin: {
      title: 'Esto no se ha enviado desde aquí',
      text: 'No ha cambiado nada. Por su seguridad, esto solo funciona desde nuestras propias páginas. Vuelva atrás, copie lo que ha escrito, recargue la página e inténtelo de nuevo.',
    },
    too_many_headers: {
      title: 'Su navegador ha enviado demasiado',
      text: 'Normalmente guarda demasiadas cookies de este sitio. Bórrelas e inténtelo de nuevo.',
    },
    too_slow: {
      title: 'Su solicitud no ha llegado completa',
      text: 'Su navegador ha dejado de enviar antes de que todo estuviera aquí. Compruebe su conexión e inténtelo de nuevo.',
    },
    store_unavailable: {
      title: 'Un momento',
      text: 'Ahora mismo no podemos comprobar su sesión. No se ha perdido nada: inténtelo de nuevo dentro de unos segundos.',
    },
    shed: {
      title: 'Un momento',
      text: 'El centro de asistencia está muy ocupado. Su solicitud no se ha procesado: inténtelo de nuevo dentro de unos segundos.',
    },
    desk_busy: {
      title: 'El centro de asistencia está muy ocupado',
      text: 'Su solicitud no se ha procesado. Inténtelo de nuevo dentro de unos segundos.',
    },
    desk_unreachable: {
      title: 'El centro de asistencia no responde',
      text: 'Ha iniciado sesión, pero no se puede acceder al propio centro de asistencia. Inténtelo de nuevo dentro de un minuto.',
    },
    desk_timeout: {
      title: 'El centro de asistencia tarda demasiado',
      text: 'Ha iniciado sesión, pero el centro de asistencia no ha respondido a tiempo. Inténtelo de nuevo dentro de un minuto.',
    },
    kept_gone: {
      title: 'No queda nada por enviar',
      text: 'La respuesta guardada ya se envió o se descartó, pertenece a otra página o a otra persona, o ha pasado demasiado tiempo. Compruebe en el ticket si ha llegado.',
    },
    kept_claimed: {
      title: 'Es posible que su respuesta ya se haya enviado',
      text: 'Una respuesta guardada se envía una sola vez, y el envío ya ha comenzado. Consulte el ticket antes de volver a escribirla.',
    },
    kept_unanswered: {
      title: 'Es posible que su respuesta se haya enviado',
      text: 'El centro de asistencia no ha respondido. Su respuesta puede haber llegado, por lo que no se vuelve a enviar: compruebe el ticket antes de volver a escribirla.',
    },
    internal: {
      title: 'Algo ha salido mal',
      text: 'El error es nuestro, no suyo. Inténtelo de nuevo. Si vuelve a ocurrir, comunique a su administrador el ID de la solicitud que figura abajo.',
    },
    trace_refused: {
      title: 'TRACE no está permitido',
      text: 'Una respuesta a TRACE repetiría cabeceras que solo puede ver el centro de asistencia.',
    },
    upgrade_required: {
      title: 'Esta versión de WebSocket no es compatible',
      text: 'Solo se admite la versión 13 (RFC 6455).',
    },
    method_not_allowed: {
      title: 'Esta página no se puede abrir directamente',
      text: 'Los servicios de inicio de sesión envían aquí sus respuestas por POST. Para iniciar sesión, empiece desde el centro de asistencia.',
    },
    unsupported_media: {
      title: 'Esto no se puede leer',
      text: 'Aquí solo se acepta un formulario (application/x-www-form-urlencoded, sin compresión).',
    },
    too_large: {
      title: 'Es demasiado grande',
      text: 'Lo enviado supera lo que admite esta página, por lo que no se ha hecho nada. Vaya al centro de asistencia y empiece desde allí.',
    },
    prefetch: { title: 'Ahora no', text: 'Esta página no se carga por adelantado.' },
  },
  posted: {
    not: 'Lo que ha enviado no se ha procesado. Espere unos segundos, retroceda una página y envíelo de nuevo.',
    maybe: 'Puede que lo que ha enviado haya llegado. Compruébelo antes de enviarlo de nuevo.',
  },
  otherHost: {
    title: 'El centro de asistencia tiene otra dirección',
    text: 'Solo puede iniciar sesión en {url}. Un inicio de sesión que empiece aquí no se conservaría.',
    button: 'Ir a {url}',
  },
  notSent: {
    title: 'Se ha cerrado su sesión',
    text: 'Lo que ha escrito no se ha enviado. Inicie sesión en una pestaña nueva, vuelva después a esta, retroceda una página y envíelo de nuevo.',
    button: 'Iniciar sesión en una pestaña nueva',
  },
  kept: {
    kept: {
      title: 'Se ha cerrado su sesión',
      text: 'Lo que ha escrito no se ha enviado, pero se guarda durante {time}. Inicie sesión ahora y podrá enviarlo.',
    },
    still: {
      title: 'Inicie sesión de nuevo',
      text: 'Lo que escribió antes sigue guardado. Inicie sesión ahora y podrá enviarlo.',
    },
    whyNot: {
      large: 'Tampoco se ha guardado: ocupa más de {size}.',
      file: 'Tampoco se ha guardado, porque lleva un archivo adjunto.',
      another: 'Tampoco se ha guardado, porque todavía hay guardado otro texto suyo.',
      other: 'Tampoco se ha podido guardar.',
    },
    page: {
      title: 'Su respuesta se ha guardado',
      text: 'Escribió su respuesta el {when} en la página {page}.',
      once: 'Puede enviarla una sola vez. Se guarda hasta el {time}.',
      hint: 'Si el centro de asistencia indica después de enviarla que el formulario es demasiado antiguo o que su token de seguridad no es válido, su respuesta no se ha aceptado: vuelva a la página donde la escribió, copie el texto, abra de nuevo el ticket y péguelo allí.',
      send: 'Enviar',
      discard: 'Descartar',
      open: 'Abrir la página donde escribió',
    },
    none: {
      title: 'No hay nada guardado',
      text: 'Lo que estaba guardado se envió, se descartó, o ha pasado demasiado tiempo.',
    },
    otherAgent: {
      title: 'No hay nada guardado para usted',
      text: 'Lo que estaba guardado en este navegador lo escribió otro agente y se ha descartado.',
    },
    discarded: { title: 'Descartado', text: 'Lo que estaba guardado ya no existe.' },
    back: 'A la respuesta guardada',
  },
  stepUp: {
    notSent: {
      title: 'Inicie sesión una vez más',
      text: 'Esto necesita un inicio de sesión más seguro o más reciente. Lo que ha escrito no se ha enviado. Inicie sesión en una pestaña nueva, vuelva después a esta, retroceda una página y envíelo de nuevo.',
      button: 'Iniciar sesión en una pestaña nueva',
    },
  },
  frame: {
    title: 'No ha iniciado sesión',
    text: 'Esta parte de la página necesita que inicie sesión.',
    button: 'Iniciar sesión',
  },
  chooser: {
    title: 'Iniciar sesión en el centro de asistencia',
    with: 'Iniciar sesión con {name}',
    desk: 'Iniciar sesión con una contraseña del centro de asistencia',
    onlyDesk: 'Se le dirigirá a la página de inicio de sesión del centro de asistencia.',
    text: 'Elija cómo quiere iniciar sesión.',
    single: 'Se le dirigirá a su servicio de inicio de sesión.',
    none: 'Todavía no se ha configurado ninguna forma de iniciar sesión. Consulte a su administrador.',
    already: 'Ha iniciado sesión como {email}.',
    others: 'O inicie sesión de nuevo, con esta cuenta o con otra.',
  },
  bearer: {
    401: {
      title: 'No se acepta el token bearer',
      text: 'Obtenga un token nuevo y envíe la solicitud de nuevo. El campo "reason" indica qué falla en este.',
    },
    403: {
      title: 'El token bearer no da acceso',
      text: 'El token es válido, pero su agente no puede utilizar el centro de asistencia.',
    },
    503: {
      title: 'Ahora no se puede comprobar el token bearer',
      text: 'Puede que el token sea válido. Envíe la solicitud de nuevo dentro de un momento.',
    },
  },
  leaving: {
    title: 'Un momento',
    text: 'Se le está dirigiendo a {name}.',
    logout: 'Se está cerrando su sesión en {name}.',
    button: 'Continuar',
  },
  logout: {
    title: '¿Cerrar sesión?',
    text: 'Ha iniciado sesión como {email}.',
    nobody: 'No ha iniciado sesión en este navegador.',
    button: 'Cerrar sesión',
    back: 'Volver al centro de asistencia',
  },
  logoutRefused: {
    title: 'El cierre de sesión no ha funcionado',
    text: 'Su servicio de inicio de sesión ha enviado un mensaje de cierre que no podemos aceptar, por lo que aquí no ha cambiado nada. Puede cerrar la sesión usted mismo. Si vuelve a ocurrir, comunique a su administrador la referencia que figura abajo.',
  },
  breakglass: {
    title: '¿Abrir el centro de asistencia?',
    text: 'Este enlace le permite entrar sin su servicio de inicio de sesión durante un tiempo limitado. Sirve una sola vez y su uso queda registrado.',
    button: 'Abrir el centro de asistencia',
  },
  loggedOut: {
    title: 'Ha cerrado la sesión',
    text: 'Ya puede cerrar esta ventana o iniciar sesión de nuevo.',
    button: 'Iniciar sesión de nuevo',
    sessions: 'Iniciar sesión y ver dónde más tiene la sesión iniciada',
  },
  sessions: {
    title: 'Dónde tiene la sesión iniciada',
    see: 'Ver dónde tiene la sesión iniciada',
    agent: 'Sesión iniciada como {email}',
    here: 'Este navegador',
    unknown: 'Navegador desconocido',
    oneTime: 'Enlace de un solo uso',
    facts: 'Desde el {since}, dirección IP {address}',
    seen: 'Último uso: {when}',
    ends: 'Termina el {end}',
    endsIdle: 'Termina el {idle} si no se usa, a más tardar el {end}',
    browser: '{browser} en {system}',
    end: 'Cerrar',
    endOthers: 'Cerrar todas las demás sesiones',
    more: 'Solo se muestran las cien primeras.',
    back: 'Volver al centro de asistencia',
  },
  admin: {
    title: 'Gestión de sesiones',
    open: 'Abrir la gestión de sesiones',
    operator: 'Usted trabaja aquí como {email}. Cada cambio se registra con este nombre.',
    here: 'Solo lo que ha visto este proceso: otros procesos de la pasarela pueden haber visto otros inicios de sesión.',
    search: 'Buscar',
    more: 'Más',
    notices: {
      window: {
        title: 'Abra la gestión de sesiones por separado',
        text: 'Por su seguridad, no se abre dentro de otras páginas ni desde otros sitios. Escriba su dirección en una pestaña nueva o ábrala desde el centro de asistencia. Si no funciona, utilice un navegador más reciente.',
      },
      expired: {
        title: 'Esta página estuvo abierta demasiado tiempo',
        text: 'No ha cambiado nada. Abra de nuevo la gestión de sesiones y repita lo que quería hacer.',
      },
      directory: {
        title: 'Su rol no se puede comprobar en este momento',
        text: 'En este momento no se puede leer la lista de agentes. Inténtelo de nuevo dentro de un minuto.',
      },
    },
    done: {
      ended: 'Sesiones cerradas: {count}',
      gone: 'Ya no quedaba nada por cerrar: otra persona fue más rápida, o el plazo ha vencido.',
      queued:
        'El almacén de sesiones no responde. Las sesiones se han cerrado en este proceso, y se cerrarán en todos en cuanto responda.',
      revoked: 'El enlace se ha revocado.',
    },
    sessions: {
      title: 'Sesiones',
      label: 'Dirección de correo, o su comienzo',
      none: 'No se encontró ninguna sesión activa.',
      here: 'Este navegador',
      since: 'Desde el {since}, dirección IP {address}, {browser}',
      by: 'Sesión iniciada con {provider}',
      end: 'Cerrar',
      all: 'Todas las sesiones de este agente',
      endAll: 'Cerrar todas las sesiones de {email}',
    },
    refused: {
      title: 'Inicios de sesión rechazados',
      label: 'Referencia o dirección de correo',
      none: 'No se encontró ningún inicio de sesión rechazado. Los 10 000 más recientes se guardan una semana.',
      total: 'Encontrados: {count}',
      nobody: 'Ninguna dirección de correo conocida',
      facts: 'Con {provider}, dirección IP {address}, {browser}',
      told: 'Mostrado al agente: {title}',
      unknown: 'No hay ningún informe {reference}. Los informes se guardan una semana.',
      checks: 'Comprobaciones',
      show: 'Ver comprobaciones',
      back: 'Volver a la lista',
      passed: 'superada',
      failed: 'no superada',
      expected: 'Esperado: {value}',
      seen: 'Visto: {value}',
      setting: 'Ajuste: {value}',
    },
    state: {
      title: 'Servicios de inicio de sesión y almacén',
      providers: 'Servicios de inicio de sesión',
      sources: 'Agentes',
      store: 'Almacén de sesiones',
      up: 'El almacén responde.',
      until: 'Certificado válido hasta el {when}',
      agrees: 'Su reloj coincide con el nuestro',
      ahead: 'Su reloj va {time} adelantado respecto al nuestro',
      behind: 'Su reloj va {time} atrasado respecto al nuestro',
      login: 'Último inicio de sesión: {when}',
      refusal: 'Último inicio de sesión rechazado: {when}',
      show: 'Ver el último inicio de sesión rechazado',
      never: 'Todavía ningún inicio de sesión',
      agents: 'Agentes: {count}. Última lectura de la lista: {when}',
      noList: 'No tiene lista: se le pregunta en cada inicio de sesión.',
    },
    links: {
      title: 'Enlaces de un solo uso',
      none: 'No hay ningún enlace que todavía se pueda usar.',
      facts: 'Motivo: {reason}. Creado por: {operator}',
      until: 'Enlace válido hasta el {when}, duración del acceso: {time}',
      revoke: 'Revocar',
      make: 'La orden {command} crea enlaces nuevos.',
    },
  },
  warning: {
    idle: {
      title: '¿Sigue ahí?',
      text: 'Hace un rato que no usa el centro de asistencia. Su sesión se cerrará pronto. Tiempo restante:',
      button: 'Mantener la sesión',
    },
    absolute: {
      title: 'Su sesión está a punto de terminar',
      text: 'Toda sesión termina pasado cierto tiempo. Inicie sesión de nuevo ahora, en una ventana pequeña, y podrá continuar en esta página. De lo contrario, su sesión se cerrará. Tiempo restante:',
      button: 'Iniciar sesión de nuevo',
    },
    ended: {
      title: 'Se ha cerrado su sesión',
      text: 'Su sesión ha terminado. Lo que ha escrito en esta página sigue ahí: inicie sesión de nuevo, en una ventana pequeña, para continuar.',
      button: 'Iniciar sesión de nuevo',
    },
    stepUp: {
      title: 'Inicie sesión una vez más',
      text: 'Esta parte del centro de asistencia exige un inicio de sesión más seguro o más reciente. Inicie sesión, en una ventana pequeña, para continuar en esta página.',
      button: 'Iniciar sesión',
    },
    close: 'Cerrar este aviso',
    left: 'Su sesión se cerrará en {time}.',
    failed: 'No ha funcionado. Inténtelo de nuevo.',
  },
  popup: {
    done: {
      title: 'Ha iniciado sesión',
      text: 'Puede cerrar esta ventana y continuar en la página de la que viene.',
    },
    none: {
      title: 'Puede cerrar esta ventana',
      text: 'No ha cambiado nada. Vuelva a la página de la que viene.',
    },
    close: 'Cerrar esta ventana',
  },
  buttons: {
    login: 'Iniciar sesión',
    stay: 'Continuar como {email}',
    other: 'Iniciar sesión de otra forma',
    otherAccount: 'Usar otra cuenta',
    retry: 'Intentar de nuevo',
    logout: 'Cerrar sesión',
    home: 'Ir al centro de asistencia',
    tell: 'Volver a {name}',
  },
  switch: 'Idioma',
  loggedInAs: 'Ha iniciado sesión como {email}.',
  loggedInHere: 'Sesión iniciada aquí: {email}',
  newLogin: 'Nuevo inicio de sesión: {email}',
  requestId: 'ID de la solicitud',
  traceId: 'ID de traza',
  reference: 'Referencia',
  referenceHint: 'Con este dato, su administrador puede encontrar la causa.',
}
