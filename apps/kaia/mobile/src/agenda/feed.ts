import { Signal } from '../signal.ts';
import { keyOf, type AgendaEvent } from './event.ts';
import type { Page } from './events.ts';

const DAYS = 30;

export interface FeedState {
  events: AgendaEvent[];
  /** What is under way: everything anew, or the next page. */
  loading: 'all' | 'more' | null;
  /** Whether there is a page after the last one that is here. */
  more: boolean;
  /** Why the last request failed. What was here before stays. */
  error: unknown;
  /** Whether anything was ever loaded. */
  loaded: boolean;
}

/** The agenda of the next days, page after page. */
export class Feed {
  readonly state = new Signal<FeedState>({ events: [], loading: null, more: false, error: null, loaded: false });
  readonly #page: (from: Date, to: Date, cursor: string | null) => Promise<Page>;
  readonly #now: () => Date;
  #from = new Date(0);
  #to = new Date(0);
  #cursor: string | null = null;
  #asked: 'all' | 'more' = 'all';
  /** An answer to what was asked before the last reload is dropped. */
  #round = 0;

  constructor(page: (from: Date, to: Date, cursor: string | null) => Promise<Page>, now: () => Date = () => new Date()) {
    this.#page = page;
    this.#now = now;
  }

  /** Begins anew, from now on. */
  async reload(): Promise<void> {
    const from = this.#now();
    const to = new Date(from.getTime() + DAYS * 24 * 3_600_000);
    await this.#load('all', from, to, null);
  }

  /** The next page, if there is one and nothing is under way. After a failure it is asked for again by `retry`. */
  async more(): Promise<void> {
    const { loading, more, error } = this.state.get();
    if (loading || !more || error) return;
    await this.#load('more', this.#from, this.#to, this.#cursor);
  }

  /** What failed, once more. */
  async retry(): Promise<void> {
    if (this.state.get().loading) return;
    await (this.#asked === 'more' ? this.#load('more', this.#from, this.#to, this.#cursor) : this.reload());
  }

  async #load(what: 'all' | 'more', from: Date, to: Date, cursor: string | null): Promise<void> {
    const round = ++this.#round;
    this.#asked = what;
    this.state.set({ ...this.state.get(), loading: what, error: null });
    try {
      const page = await this.#page(from, to, cursor);
      if (round !== this.#round) return;
      this.#from = from;
      this.#to = to;
      this.#cursor = page.next;
      const before = what === 'more' ? this.state.get().events : [];
      this.state.set({
        events: withoutRepeats([...before, ...page.events]),
        loading: null,
        more: page.next !== null,
        error: null,
        loaded: true,
      });
    } catch (error) {
      if (round !== this.#round) return;
      this.state.set({ ...this.state.get(), loading: null, error });
    }
  }
}

/** Events that were created or moved between two pages can come twice. */
function withoutRepeats(events: AgendaEvent[]): AgendaEvent[] {
  return [...new Map(events.map((event) => [keyOf(event), event])).values()];
}
