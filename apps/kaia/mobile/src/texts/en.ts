import type { Texts } from './es.ts';

export const en: Texts = {
  locale: 'en',
  environment: { development: 'Development', test: 'Test', production: 'Production' },
  badge: (environment, host) => `${environment} · ${host}`,
  badgeLabel: (environment, host) => `Environment: ${environment}. The API is ${host}.`,

  refusal: {
    title: 'Kaia cannot start',
    environment: (found) =>
      found === ''
        ? 'This build does not say which environment it was made for. EXPO_PUBLIC_ENV is missing.'
        : `This build was made for an environment that does not exist: “${found}”.`,
    'api-missing': 'This build does not say which API it speaks with. EXPO_PUBLIC_API_URL is missing.',
    'api-unreadable': (found) => `The API's address is not a URL: “${found}”.`,
    'api-not-https': (found) => `The API's address is not safe: “${found}”. Outside development it has to begin with https://.`,
    hint: 'Ask whoever gave you this build for a new one.',
  },

  login: {
    title: 'Log in',
    email: 'E-mail',
    password: 'Password',
    submit: 'Log in',
    busy: 'Logging in…',
    expired: 'Your session ended. Log in again.',
    incomplete: 'Type your e-mail address and your password.',
  },

  agenda: {
    title: 'Agenda',
    create: 'New event',
    logOut: 'Log out',
    empty: 'You have no events in the next 30 days.',
    loading: 'Loading the agenda…',
    more: 'Loading more…',
    retry: 'Try again',
    today: 'Today',
    tomorrow: 'Tomorrow',
    event: (title, when, where) => (where === '' ? `${title}, ${when}` : `${title}, ${when}, at ${where}`),
  },

  create: {
    title: 'New event',
    name: 'Title',
    location: 'Place (optional)',
    date: 'Date (YYYY-MM-DD)',
    begins: 'Begins (HH:MM)',
    ends: 'Ends (HH:MM)',
    zone: (zone) => `Times in ${zone}`,
    submit: 'Save',
    busy: 'Saving…',
    cancel: 'Cancel',
    conflicts: 'At that time you already have:',
    anyway: 'Save anyway',
  },

  faults: {
    'title-missing': 'Type a title.',
    'title-long': 'A title has 500 characters at most.',
    date: 'That is no date: write it as 2026-03-29.',
    time: 'That time does not exist on that day: write it as 09:30.',
    order: 'It has to end after it begins.',
  },

  offline: 'Kaia cannot be reached. What you see may be out of date.',

  errors: {
    unreachable: 'Kaia could not be reached. Check your connection and try again.',
    unreadable: (status) =>
      `Something between your phone and Kaia answered in its place (${status}). If your network has a sign-in page, sign in there first.`,
    sessionEnded: 'Your session ended. Log in again.',
    wrongPassword: 'The e-mail address or the password is wrong.',
    notVerified: 'Your e-mail address is not confirmed yet: open the link that we sent you.',
    forbidden: 'You may not do that.',
    notFound: 'That is not there any more.',
    tooMany: (seconds) => (seconds === null ? 'Too many attempts. Wait a moment.' : `Too many attempts. Wait ${seconds} s.`),
    invalid: (details) => `Kaia did not accept it: ${details}`,
    server: 'Kaia has a problem. Try again in a moment.',
    request: (id) => ` If it goes on, tell us this code: ${id}`,
    unknown: 'Something went wrong. Try again.',
  },
};
