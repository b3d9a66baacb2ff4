import { Signal } from '../signal.ts';
import type { Connection, Request } from './connection.ts';
import { Problem, SessionEnded, Unreadable } from './problem.ts';

/** Where the tokens lie while the app does not run. */
export interface Vault {
  read(): Promise<string | null>;
  write(text: string): Promise<void>;
  erase(): Promise<void>;
}

interface Tokens {
  access: string;
  refresh: string;
}

export type SessionState =
  | { is: 'opening' }
  | { is: 'open' }
  /** `expired`: it was the API that ended it. */
  | { is: 'closed'; expired: boolean };

/**
 * Who is logged in. A refresh token can be used once: the API takes a second use for theft and ends the session. So there
 * is one refresh at a time, everybody waits for it, and its tokens are put in the vault before anybody uses them.
 */
export class Session {
  readonly state = new Signal<SessionState>({ is: 'opening' });
  readonly #connection: Connection;
  readonly #vault: Vault;
  readonly #api: string;
  #tokens: Tokens | null = null;
  #refreshing: Promise<Tokens> | null = null;

  constructor(connection: Connection, vault: Vault, api: string) {
    this.#connection = connection;
    this.#vault = vault;
    this.#api = api;
  }

  /** Takes up the session of the last time. */
  async open(): Promise<void> {
    // A phone whose vault cannot be read (its lock was changed) asks for the password again.
    const text = await this.#vault.read().catch(() => null);
    this.#tokens = text === null ? null : fromVault(text, this.#api);
    this.state.set(this.#tokens ? { is: 'open' } : { is: 'closed', expired: false });
  }

  async logIn(email: string, password: string): Promise<void> {
    const answer = await this.#connection.send('/auth/login', { method: 'POST', body: { email, password } });
    await this.#keep(fromApi(answer));
    this.state.set({ is: 'open' });
  }

  /** The phone forgets at once; the API is told as well, if it can be reached. */
  async logOut(): Promise<void> {
    const tokens = this.#tokens;
    await this.#forget(false);
    if (tokens) await this.#revoke(tokens);
  }

  /** A request in the name of who is logged in. */
  async send(path: string, request: Request = {}): Promise<unknown> {
    const tokens = this.#tokens;
    if (!tokens) throw new SessionEnded();
    try {
      return await this.#connection.send(path, { ...request, token: tokens.access });
    } catch (error) {
      if (!refused(error)) throw error;
    }
    const fresh = await this.#newerThan(tokens);
    try {
      return await this.#connection.send(path, { ...request, token: fresh.access });
    } catch (error) {
      if (!refused(error)) throw error;
      if (this.#tokens === fresh) await this.#forget(true);
      throw new SessionEnded();
    }
  }

  async #newerThan(used: Tokens): Promise<Tokens> {
    if (this.#refreshing) return this.#refreshing;
    if (!this.#tokens) throw new SessionEnded();
    // Somebody else's refresh ended while this one's request was on its way.
    if (this.#tokens !== used) return this.#tokens;
    this.#refreshing = this.#rotate(used).finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  async #rotate(old: Tokens): Promise<Tokens> {
    let fresh: Tokens;
    try {
      const body = { refresh_token: old.refresh };
      fresh = fromApi(await this.#connection.send('/auth/refresh', { method: 'POST', body }));
    } catch (error) {
      // Only a plain no ends the session: no network, a limit or a fault of the server may be over in a moment.
      if (!(error instanceof Problem) || ![400, 401, 403, 422].includes(error.status)) throw error;
      if (this.#tokens === old) await this.#forget(true);
      throw new SessionEnded();
    }
    if (this.#tokens !== old) {
      // Logged out in the meantime: what came is not kept, here or there.
      void this.#revoke(fresh);
      throw new SessionEnded();
    }
    await this.#keep(fresh);
    return fresh;
  }

  async #keep(tokens: Tokens): Promise<void> {
    this.#tokens = tokens;
    // The environment is written down with them: builds of two environments may share one package, and so one vault.
    // Where nothing can be written, what lies there is erased: a used token, sent again, would look stolen.
    await this.#vault
      .write(JSON.stringify({ api: this.#api, ...tokens }))
      .catch(() => this.#vault.erase())
      .catch(() => undefined);
    // Logged out while it was being written: then what was written goes as well.
    if (this.#tokens !== tokens) await this.#vault.erase().catch(() => undefined);
  }

  async #forget(expired: boolean): Promise<void> {
    this.#tokens = null;
    this.state.set({ is: 'closed', expired });
    await this.#vault.erase().catch(() => undefined);
  }

  async #revoke(tokens: Tokens): Promise<void> {
    const body = { refresh_token: tokens.refresh };
    await this.#connection.send('/auth/logout', { method: 'POST', body }).catch(() => undefined);
  }
}

function refused(error: unknown): boolean {
  return error instanceof Problem && error.status === 401;
}

function fromApi(answer: unknown): Tokens {
  const { access_token: access, refresh_token: refresh } = (answer ?? {}) as Record<string, unknown>;
  if (typeof access !== 'string' || typeof refresh !== 'string') throw new Unreadable(200);
  return { access, refresh };
}

function fromVault(text: string, expectedApi: string): Tokens | null {
  try {
    const { api, access, refresh } = JSON.parse(text) as Record<string, unknown>;
    return api === expectedApi && typeof access === 'string' && typeof refresh === 'string' ? { access, refresh } : null;
  } catch {
    return null;
  }
}
