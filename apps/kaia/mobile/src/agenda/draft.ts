// A new event as it is typed, and what of it is not right yet.

import { momentOf } from './calendar.ts';
import type { NewEvent } from './event.ts';

const LONGEST_TITLE = 500;

export interface Draft {
  title: string;
  location: string;
  date: string;
  begins: string;
  ends: string;
}

export type Field = keyof Draft;
export type Fault = 'title-missing' | 'title-long' | 'date' | 'time' | 'order';
export type Faults = Partial<Record<Field, Fault>>;

export function readDraft(draft: Draft, timeZone: string): { event: NewEvent } | { faults: Faults } {
  const faults: Faults = {};
  const title = draft.title.trim();
  if (title === '') faults.title = 'title-missing';
  else if ([...title].length > LONGEST_TITLE) faults.title = 'title-long';

  const date = draft.date.trim();
  const start = momentOf(date, draft.begins.trim(), timeZone);
  const end = momentOf(date, draft.ends.trim(), timeZone);
  // Noon is there on every date of every zone: it tells a wrong date from a wrong time.
  if (momentOf(date, '12:00', timeZone) === null) faults.date = 'date';
  else {
    if (start === null) faults.begins = 'time';
    if (end === null) faults.ends = 'time';
  }
  if (start && end && end.getTime() <= start.getTime()) faults.ends = 'order';

  if (Object.keys(faults).length > 0 || !start || !end) return { faults };
  return { event: { title, location: draft.location.trim(), start, end, timeZone } };
}
