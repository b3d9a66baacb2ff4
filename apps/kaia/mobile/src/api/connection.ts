import { Signal } from '../signal.ts';
import { readProblem, Unreachable, Unreadable } from './problem.ts';

export interface Request {
  method?: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  body?: unknown;
  token?: string;
  headers?: Record<string, string>;
}

/** The way to one API: sends a request, reads the answer, and knows whether the API could be reached the last time. */
export class Connection {
  readonly reachable = new Signal(true);
  readonly #api: string;
  readonly #patience: number;

  constructor(api: string, patience = 15_000) {
    this.#api = api;
    this.#patience = patience;
  }

  /** The API's answer; `undefined` where it has none to give (204). */
  async send(path: string, request: Request = {}): Promise<unknown> {
    const headers: Record<string, string> = { accept: 'application/json', ...request.headers };
    if (request.body !== undefined) headers['content-type'] = 'application/json';
    if (request.token !== undefined) headers.authorization = `Bearer ${request.token}`;
    const { response, body } = await this.#exchange(`${this.#api}/api/v1${path}`, {
      method: request.method ?? 'GET',
      headers,
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
    });
    if (!response.ok) throw readProblem(response.status, response.headers, body);
    if (response.status === 204 || response.status === 202) return undefined;
    try {
      return JSON.parse(body);
    } catch {
      throw new Unreadable(response.status);
    }
  }

  /** Asks whether the API can be reached again. A browser may not read the answer, and it need not: one came. */
  async probe(): Promise<void> {
    await this.#exchange(`${this.#api}/health`, { mode: 'no-cors' }).catch(() => undefined);
  }

  async #exchange(url: string, init: RequestInit): Promise<{ response: Response; body: string }> {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), this.#patience);
    try {
      const response = await fetch(url, { ...init, signal: abort.signal });
      // The body too has to come in time.
      const body = await response.text();
      this.reachable.set(true);
      return { response, body };
    } catch (error) {
      this.reachable.set(false);
      throw new Unreachable('the API cannot be reached', { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }
}
