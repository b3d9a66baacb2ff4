import { Unreadable } from '../api/problem.ts';

export interface AgendaEvent {
  id: number;
  title: string;
  description: string;
  location: string;
  start: Date;
  end: Date;
}

export interface NewEvent {
  title: string;
  location: string;
  start: Date;
  end: Date;
  timeZone: string;
}

/** Occurrences of a recurring event share its id: only together with the start is it unique. */
export function keyOf(event: AgendaEvent): string {
  return `${event.id}@${event.start.getTime()}`;
}

export function readEvent(json: unknown): AgendaEvent {
  const { id, title, description, location, start_time, end_time } = (json ?? {}) as Record<string, unknown>;
  const start = new Date(typeof start_time === 'string' ? start_time : NaN);
  const end = new Date(typeof end_time === 'string' ? end_time : NaN);
  if (typeof id !== 'number' || typeof title !== 'string' || isNaN(start.getTime()) || isNaN(end.getTime())) {
    throw new Unreadable(200);
  }
  return {
    id,
    title,
    description: typeof description === 'string' ? description : '',
    location: typeof location === 'string' ? location : '',
    start,
    end,
  };
}

export function readEvents(list: unknown): AgendaEvent[] {
  if (!Array.isArray(list)) throw new Unreadable(200);
  return list.map(readEvent);
}
