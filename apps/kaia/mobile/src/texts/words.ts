import { Problem, SessionEnded, Unreachable, Unreadable } from '../api/problem.ts';
import { en } from './en.ts';
import { es, type Texts } from './es.ts';

export type { Texts };

/** Spanish where the phone speaks it, English everywhere else. */
export function textsFor(locale: string): Texts {
  return /^es\b/i.test(locale) ? es : en;
}

/** What went wrong, for the person who holds the phone. */
export function inWords(error: unknown, texts: Texts, during?: 'login'): string {
  const words = texts.errors;
  if (error instanceof Unreachable) return words.unreachable;
  if (error instanceof Unreadable) return words.unreadable(error.status);
  if (error instanceof SessionEnded) return words.sessionEnded;
  if (!(error instanceof Problem)) return words.unknown;
  if (error.kind === 'email-not-verified') return words.notVerified;
  if (error.status === 429) return words.tooMany(error.retryAfter);
  if (error.status >= 500) return words.server + (error.requestId ? words.request(error.requestId) : '');
  if (error.status === 401) return during === 'login' ? words.wrongPassword : words.sessionEnded;
  if (error.status === 403) return words.forbidden;
  if (error.status === 404) return words.notFound;
  const details = error.fields.map(({ field, message }) => `${field}: ${message}`).join(' · ') || error.detail;
  return details === '' ? words.unknown : words.invalid(details);
}
