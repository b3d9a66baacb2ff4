// Days and times as people write them, in one time zone, by the calendar that the platform has.

import type { AgendaEvent } from './event.ts';

export interface Day {
  /** YYYY-MM-DD */
  date: string;
  events: AgendaEvent[];
}

/** The date of a moment in a time zone: YYYY-MM-DD. */
export function dateOf(moment: Date, timeZone: string): string {
  const { year, month, day } = partsOf(moment, timeZone);
  return `${year}-${month}-${day}`;
}

/** HH:MM of a moment in a time zone. */
export function timeOf(moment: Date, timeZone: string): string {
  const { hour, minute } = partsOf(moment, timeZone);
  return `${hour}:${minute}`;
}

/** The date that many days later. */
export function daysLater(date: string, days: number): string {
  return new Date(Date.parse(`${date}T00:00:00Z`) + days * 24 * 3_600_000).toISOString().slice(0, 10);
}

/** Events in the order of their start, under the days on which they begin; what is under way already is under today. */
export function byDay(events: readonly AgendaEvent[], now: Date, timeZone: string): Day[] {
  const today = dateOf(now, timeZone);
  const days = new Map<string, AgendaEvent[]>();
  for (const event of [...events].sort((a, b) => a.start.getTime() - b.start.getTime() || a.id - b.id)) {
    const begins = dateOf(event.start, timeZone);
    const date = begins < today ? today : begins;
    const day = days.get(date);
    if (day) day.push(event);
    else days.set(date, [event]);
  }
  return [...days].map(([date, ofDay]) => ({ date, events: ofDay }));
}

/** The moment at which clocks in that zone show that date and time; `null` where there is none, as when clocks go forward. */
export function momentOf(date: string, time: string, timeZone: string): Date | null {
  const wanted = /^\d{4}-\d\d-\d\d$/.test(date) ? Date.parse(`${date}T${padded(time)}:00Z`) : NaN;
  if (Number.isNaN(wanted)) return null;
  // The zone's distance to UTC depends on the moment: taken at the wrong one first, then at what that gave.
  let moment = wanted;
  for (let round = 0; round < 2; round++) {
    moment = wanted - offsetAt(new Date(moment), timeZone);
  }
  const found = new Date(moment);
  return dateOf(found, timeZone) === date && timeOf(found, timeZone) === padded(time) ? found : null;
}

/** The next full hour. */
export function nextHour(now: Date): Date {
  return new Date((Math.floor(now.getTime() / 3_600_000) + 1) * 3_600_000);
}

function padded(time: string): string {
  return /^\d:\d\d$/.test(time) ? `0${time}` : time;
}

function offsetAt(moment: Date, timeZone: string): number {
  const { year, month, day, hour, minute, second } = partsOf(moment, timeZone);
  const shown = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return shown - Math.floor(moment.getTime() / 1000) * 1000;
}

type Parts = Record<'year' | 'month' | 'day' | 'hour' | 'minute' | 'second', string>;

const formats = new Map<string, Intl.DateTimeFormat>();

function partsOf(moment: Date, timeZone: string): Parts {
  let format = formats.get(timeZone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
    });
    formats.set(timeZone, format);
  }
  const parts: Parts = { year: '', month: '', day: '', hour: '', minute: '', second: '' };
  for (const { type, value } of format.formatToParts(moment)) {
    if (type in parts) parts[type as keyof Parts] = value.padStart(2, '0');
  }
  return parts;
}
