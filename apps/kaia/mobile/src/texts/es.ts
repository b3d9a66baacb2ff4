export const es = {
  locale: 'es',
  environment: { development: 'Desarrollo', test: 'Pruebas', production: 'Producción' },
  badge: (environment: string, host: string) => `${environment} · ${host}`,
  badgeLabel: (environment: string, host: string) => `Ambiente: ${environment}. La API es ${host}.`,

  refusal: {
    title: 'Kaia no puede arrancar',
    environment: (found: string) =>
      found === ''
        ? 'Esta versión no dice para qué ambiente se hizo. Falta EXPO_PUBLIC_ENV.'
        : `Esta versión se hizo para un ambiente que no existe: «${found}».`,
    'api-missing': 'Esta versión no dice con qué API habla. Falta EXPO_PUBLIC_API_URL.',
    'api-unreadable': (found: string) => `La dirección de la API no es una URL: «${found}».`,
    'api-not-https': (found: string) => `La dirección de la API no es segura: «${found}». Fuera de desarrollo tiene que empezar con https://.`,
    hint: 'Pide una versión nueva a quien te dio esta.',
  },

  login: {
    title: 'Entrar',
    email: 'Correo electrónico',
    password: 'Contraseña',
    submit: 'Entrar',
    busy: 'Entrando…',
    expired: 'Tu sesión terminó. Entra de nuevo.',
    incomplete: 'Escribe tu correo y tu contraseña.',
  },

  agenda: {
    title: 'Agenda',
    create: 'Nuevo evento',
    logOut: 'Salir',
    empty: 'No tienes eventos en los próximos 30 días.',
    loading: 'Cargando la agenda…',
    more: 'Cargando más…',
    retry: 'Reintentar',
    today: 'Hoy',
    tomorrow: 'Mañana',
    event: (title: string, when: string, where: string) => (where === '' ? `${title}, ${when}` : `${title}, ${when}, en ${where}`),
  },

  create: {
    title: 'Nuevo evento',
    name: 'Título',
    location: 'Lugar (opcional)',
    date: 'Fecha (AAAA-MM-DD)',
    begins: 'Empieza (HH:MM)',
    ends: 'Termina (HH:MM)',
    zone: (zone: string) => `Horas de ${zone}`,
    submit: 'Guardar',
    busy: 'Guardando…',
    cancel: 'Cancelar',
    conflicts: 'A esa hora ya tienes:',
    anyway: 'Guardar de todos modos',
  },

  faults: {
    'title-missing': 'Escribe un título.',
    'title-long': 'El título tiene como máximo 500 caracteres.',
    date: 'No es una fecha: se escribe como 2026-03-29.',
    time: 'Esa hora no existe ese día: se escribe como 09:30.',
    order: 'Tiene que terminar después de empezar.',
  },

  offline: 'Sin conexión con Kaia. Lo que ves puede no estar al día.',

  errors: {
    unreachable: 'No se pudo llegar a Kaia. Revisa tu conexión e inténtalo de nuevo.',
    unreadable: (status: number) =>
      `Algo entre tu teléfono y Kaia respondió en su lugar (${status}). Si estás en una red con página de acceso, entra en ella primero.`,
    sessionEnded: 'Tu sesión terminó. Entra de nuevo.',
    wrongPassword: 'El correo o la contraseña no son correctos.',
    notVerified: 'Falta confirmar tu correo: abre el enlace que te enviamos.',
    forbidden: 'No tienes permiso para hacer eso.',
    notFound: 'Eso ya no existe.',
    tooMany: (seconds: number | null) =>
      seconds === null ? 'Demasiados intentos. Espera un momento.' : `Demasiados intentos. Espera ${seconds} s.`,
    invalid: (details: string) => `Kaia no lo aceptó: ${details}`,
    server: 'Kaia tiene un problema. Inténtalo en un momento.',
    request: (id: string) => ` Si sigue, di este código: ${id}`,
    unknown: 'Algo salió mal. Inténtalo de nuevo.',
  },
};

export type Texts = typeof es;
