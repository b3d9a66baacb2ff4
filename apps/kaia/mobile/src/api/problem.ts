// What can go wrong with a request. Words for people are made of these in `texts/words.ts`.

/** No answer came: no network, no server, or none in time. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

/** An answer came, but not one of Kaia's API: the page of a captive network, a proxy's error page. */
export class Unreadable extends Error {
  override readonly name = 'Unreadable';

  constructor(readonly status: number) {
    super(`the answer (${status}) is not one of Kaia's API`);
  }
}

/** Nobody is logged in any more. */
export class SessionEnded extends Error {
  override readonly name = 'SessionEnded';
}

export interface FieldError {
  field: string;
  message: string;
}

/** The API said no, and why: `application/problem+json` (RFC 9457). */
export class Problem extends Error {
  override readonly name = 'Problem';

  constructor(
    readonly status: number,
    /** The last part of the problem's type, such as `email-not-verified`. */
    readonly kind: string,
    readonly detail: string,
    readonly requestId: string | null,
    readonly fields: readonly FieldError[],
    /** Seconds to wait, where the API says so. */
    readonly retryAfter: number | null,
  ) {
    super(`${status} ${kind}: ${detail}`);
  }
}

/** The problem in an answer; `Unreadable` where there is none. */
export function readProblem(status: number, headers: Headers, body: string): Problem | Unreadable {
  if (!/^application\/problem\+json\b/i.test(headers.get('content-type') ?? '')) return new Unreadable(status);
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    return new Unreadable(status);
  }
  if (typeof json !== 'object' || json === null) return new Unreadable(status);
  const members = json as Record<string, unknown>;
  const text = (key: string) => (typeof members[key] === 'string' ? members[key] : '');
  const seconds = Number(headers.get('retry-after') ?? NaN);
  return new Problem(
    status,
    text('type').split(/[/:#]/).pop() ?? '',
    text('detail') || text('title'),
    text('request_id') || headers.get('x-request-id'),
    Array.isArray(members.errors) ? members.errors.filter(isFieldError) : [],
    Number.isFinite(seconds) && seconds > 0 ? Math.ceil(seconds) : null,
  );
}

function isFieldError(value: unknown): value is FieldError {
  if (typeof value !== 'object' || value === null) return false;
  const { field, message } = value as Record<string, unknown>;
  return typeof field === 'string' && typeof message === 'string';
}
