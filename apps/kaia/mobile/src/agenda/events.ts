import type { Session } from '../api/session.ts';
import { Unreadable } from '../api/problem.ts';
import { readEvents, type AgendaEvent, type NewEvent } from './event.ts';

const PAGE = 20;

export interface Page {
  events: AgendaEvent[];
  /** Where the next page begins; `null` after the last one. */
  next: string | null;
}

/** The events of who is logged in, as the API has them. */
export class Events {
  readonly #session: Pick<Session, 'send'>;

  constructor(session: Pick<Session, 'send'>) {
    this.#session = session;
  }

  async page(from: Date, to: Date, cursor: string | null): Promise<Page> {
    const query: Record<string, string> = { from: from.toISOString(), to: to.toISOString(), limit: String(PAGE) };
    if (cursor !== null) query.cursor = cursor;
    const text = Object.entries(query).map(([key, value]) => `${key}=${encodeURIComponent(value)}`);
    const answer = ((await this.#session.send(`/events?${text.join('&')}`)) ?? {}) as Record<string, unknown>;
    const next = answer.next_cursor;
    if (next !== null && typeof next !== 'string') throw new Unreadable(200);
    return { events: readEvents(answer.items), next };
  }

  async conflicts(start: Date, end: Date): Promise<AgendaEvent[]> {
    const body = { start_time: start.toISOString(), end_time: end.toISOString() };
    const answer = ((await this.#session.send('/events/conflicts', { method: 'POST', body })) ?? {}) as Record<string, unknown>;
    return readEvents(answer.conflicts);
  }

  /** Creates it once, however often it is sent under one key. */
  async create(event: NewEvent, key: string): Promise<void> {
    await this.#session.send('/events', {
      method: 'POST',
      headers: { 'idempotency-key': key },
      body: {
        title: event.title,
        ...(event.location === '' ? {} : { location: event.location }),
        start_time: event.start.toISOString(),
        end_time: event.end.toISOString(),
        time_zone: event.timeZone,
      },
    });
  }
}
