// A real HTTP server on a free port with the API's rules for tokens, for the tests of what speaks with it.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

import type { Vault } from '../src/api/session.ts';

export interface Asked {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  body: Record<string, unknown>;
}

export type Answer = (asked: Asked, response: ServerResponse) => void | Promise<void>;

export const PASSWORD = 'correct horse';

/**
 * Rotates as Kaia does: a refresh token serves once, a second use ends the session, an access token serves until
 * `expireAccess`. What is not about tokens is answered by `answer`.
 */
export class Api {
  readonly asked: Asked[] = [];
  answer: Answer = (_, response) => json(response, 200, { items: [], next_cursor: null });
  /** Called before a refresh is answered. */
  beforeRefresh: Answer = () => {};
  #access = '';
  #refresh = '';
  #made = 0;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  static async start(test: TestContext): Promise<Api> {
    const api = new Api();
    await new Promise<void>((listening) => api.#server.listen(0, '127.0.0.1', listening));
    test.after(() => api.stop());
    return api;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((stopped) => this.#server.close(stopped));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  expireAccess(): void {
    this.#access = '';
  }

  endSession(): void {
    this.#access = '';
    this.#refresh = '';
  }

  times(path: string): number {
    return this.asked.filter((asked) => asked.path === path).length;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const chunk of request) text += chunk;
    const asked = {
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
    };
    this.asked.push(asked);
    switch (asked.path) {
      case '/health':
        return json(response, 200, {});
      case '/api/v1/auth/login':
        return asked.body.password === PASSWORD ? this.#giveTokens(response) : problem(response, 401, 'unauthorized');
      case '/api/v1/auth/refresh':
        await this.beforeRefresh(asked, response);
        if (response.writableEnded || response.destroyed) return;
        if (asked.body.refresh_token === this.#refresh && this.#refresh !== '') return this.#giveTokens(response);
        this.endSession();
        return problem(response, 401, 'refresh-token-reused');
      case '/api/v1/auth/logout':
        if (asked.body.refresh_token === this.#refresh) this.endSession();
        response.writeHead(204).end();
        return;
      default:
        if (this.#access === '' || asked.headers.authorization !== `Bearer ${this.#access}`) {
          return problem(response, 401, 'unauthorized');
        }
        await this.answer(asked, response);
    }
  }

  #giveTokens(response: ServerResponse): void {
    this.#made += 1;
    this.#access = `access-${this.#made}`;
    this.#refresh = `refresh-${this.#made}`;
    json(response, 200, { access_token: this.#access, refresh_token: this.#refresh, token_type: 'Bearer', expires_in: 60 });
  }
}

export function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

export function problem(response: ServerResponse, status: number, kind: string, more: Record<string, unknown> = {}): void {
  const body = { type: `https://kaia.ai/problems/${kind}`, title: kind, status, detail: `about ${kind}`, request_id: 'r-1', ...more };
  response.writeHead(status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(body));
}

export class MemoryVault implements Vault {
  text: string | null = null;
  read = async () => this.text;
  write = async (text: string) => {
    this.text = text;
  };
  erase = async () => {
    this.text = null;
  };
}

/** Waits for a condition. */
export async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > end) throw new Error('what was waited for did not happen');
    await new Promise((resolve) => setImmediate(resolve));
  }
}
