// Which API this build speaks with. It is decided when the app is built and never changed while it runs.

const ENVIRONMENTS = ['development', 'test', 'production'] as const;

export type Environment = (typeof ENVIRONMENTS)[number];

export interface Settings {
  environment: Environment;
  /** Without a slash at its end. */
  apiUrl: string;
  apiHost: string;
}

/** Why the app does not start. */
export type Refusal =
  | { why: 'environment'; found: string }
  | { why: 'api-missing' }
  | { why: 'api-unreadable'; found: string }
  | { why: 'api-not-https'; found: string };

export function readSettings(extra: Record<string, unknown> | undefined): Settings | Refusal {
  const environment = ENVIRONMENTS.find((name) => name === extra?.environment);
  if (environment === undefined) {
    return { why: 'environment', found: String(extra?.environment ?? '') };
  }
  const found = extra?.apiUrl;
  if (typeof found !== 'string' || found.trim() === '') {
    return { why: 'api-missing' };
  }
  let url: URL;
  try {
    url = new URL(found);
  } catch {
    return { why: 'api-unreadable', found };
  }
  if ((url.protocol !== 'https:' && url.protocol !== 'http:') || url.host === '') {
    return { why: 'api-unreadable', found };
  }
  // Passwords and tokens travel there: in the clear only between a developer's own machines.
  if (url.protocol !== 'https:' && environment !== 'development') {
    return { why: 'api-not-https', found };
  }
  return { environment, apiUrl: (url.origin + url.pathname).replace(/\/+$/, ''), apiHost: url.host };
}
