import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { byDay, dateOf, daysLater, momentOf, nextHour, timeOf } from '../src/agenda/calendar.ts';
import { readDraft } from '../src/agenda/draft.ts';
import { readEvent, type AgendaEvent } from '../src/agenda/event.ts';
import { Events, type Page } from '../src/agenda/events.ts';
import { Feed } from '../src/agenda/feed.ts';
import { Connection } from '../src/api/connection.ts';
import { Unreadable } from '../src/api/problem.ts';
import { Session } from '../src/api/session.ts';
import { Api, json, MemoryVault, PASSWORD } from './api.ts';

const MADRID = 'Europe/Madrid';
const BOGOTA = 'America/Bogota';

function event(id: number, start: string, end = start): AgendaEvent {
  return { id, title: `event ${id}`, description: '', location: '', start: new Date(start), end: new Date(end) };
}

function inJson(id: number, start: string) {
  return { id, title: `event ${id}`, description: '', location: null, start_time: start, end_time: start };
}

async function events(t: TestContext) {
  const api = await Api.start(t);
  const session = new Session(new Connection(api.url), new MemoryVault(), api.url);
  await session.logIn('ana@kaia.ai', PASSWORD);
  return { api, events: new Events(session) };
}

test('a page is asked for with its range and cursor, whatever characters the cursor has', async (t) => {
  const { api, events: list } = await events(t);
  api.answer = (_, response) => json(response, 200, { items: [inJson(7, '2026-11-27T10:00:00Z')], next_cursor: 'b+/=&' });
  const page = await list.page(new Date('2026-11-27T00:00:00Z'), new Date('2026-12-27T00:00:00Z'), 'a+/=&');
  const asked = new URL(api.asked.at(-1)?.path ?? '', api.url).searchParams;
  assert.deepEqual(Object.fromEntries(asked), {
    from: '2026-11-27T00:00:00.000Z',
    to: '2026-12-27T00:00:00.000Z',
    limit: '20',
    cursor: 'a+/=&',
  });
  assert.equal(page.next, 'b+/=&');
  assert.deepEqual(page.events, [event(7, '2026-11-27T10:00:00Z')]);
});

test('an event is created under its key, in UTC, with its zone', async (t) => {
  const { api, events: list } = await events(t);
  api.answer = (_, response) => json(response, 201, inJson(1, '2026-11-27T10:00:00Z'));
  const draft = { title: ' Dentista ', location: '', date: '2026-11-27', begins: '9:30', ends: '10:00' };
  const read = readDraft(draft, MADRID);
  assert.ok('event' in read);
  await list.create(read.event, 'key-1');
  const asked = api.asked.at(-1);
  assert.equal(asked?.headers['idempotency-key'], 'key-1');
  assert.deepEqual(asked?.body, {
    title: 'Dentista',
    start_time: '2026-11-27T08:30:00.000Z',
    end_time: '2026-11-27T09:00:00.000Z',
    time_zone: MADRID,
  });
});

test('conflicts are read', async (t) => {
  const { api, events: list } = await events(t);
  api.answer = (_, response) => json(response, 200, { conflicts: [inJson(3, '2026-11-27T10:00:00Z')] });
  const found = await list.conflicts(new Date('2026-11-27T10:00:00Z'), new Date('2026-11-27T11:00:00Z'));
  assert.deepEqual(found.map(({ id }) => id), [3]);
  assert.deepEqual(api.asked.at(-1)?.body, { start_time: '2026-11-27T10:00:00.000Z', end_time: '2026-11-27T11:00:00.000Z' });
});

for (const answer of [null, {}, { items: 3, next_cursor: null }, { items: [], next_cursor: 4 }, { items: [{}], next_cursor: null }]) {
  test(`${JSON.stringify(answer)} is no page`, async (t) => {
    const { api, events: list } = await events(t);
    api.answer = (_, response) => json(response, 200, answer);
    await assert.rejects(list.page(new Date(0), new Date(1), null), Unreadable);
  });
}

test('an event without a readable time is refused', () => {
  assert.throws(() => readEvent({ ...inJson(1, '2026-11-27T10:00:00Z'), end_time: 'tomorrow' }), Unreadable);
});

/** A feed whose pages are answered by hand, in any order. */
function feedByHand() {
  const asked: { cursor: string | null; from: Date; answer: (page: Page) => void; fail: (error: Error) => void }[] = [];
  const feed = new Feed(
    (from, _, cursor) => new Promise((answer, fail) => void asked.push({ cursor, from, answer, fail })),
    () => new Date('2026-11-27T08:00:00Z'),
  );
  const nth = (n: number) => {
    const request = asked[n];
    assert.ok(request, `request ${n} was made`);
    return request;
  };
  return { feed, asked, nth };
}

test('the feed goes from page to page by cursor, and stops after the last', async () => {
  const { feed, asked, nth } = feedByHand();
  const first = feed.reload();
  assert.equal(feed.state.get().loading, 'all');
  nth(0).answer({ events: [event(1, '2026-11-27T10:00:00Z'), event(2, '2026-11-27T11:00:00Z')], next: 'c1' });
  await first;
  const second = feed.more();
  assert.equal(feed.state.get().loading, 'more');
  await feed.more();
  assert.equal(asked.length, 2, 'one page at a time');
  assert.equal(nth(1).cursor, 'c1');
  // One that moved between two pages comes twice; two occurrences of one event are two.
  nth(1).answer({ events: [event(2, '2026-11-27T11:00:00Z'), event(1, '2026-11-28T10:00:00Z')], next: null });
  await second;
  assert.deepEqual(
    feed.state.get().events.map(({ id, start }) => [id, start.toISOString().slice(0, 10)]),
    [[1, '2026-11-27'], [2, '2026-11-27'], [1, '2026-11-28']],
  );
  await feed.more();
  assert.equal(asked.length, 2);
});

test('a page that arrives after a reload was asked for is dropped', async () => {
  const { feed, nth } = feedByHand();
  const first = feed.reload();
  nth(0).answer({ events: [event(1, '2026-11-27T10:00:00Z')], next: 'c1' });
  await first;
  const more = feed.more();
  const again = feed.reload();
  nth(2).answer({ events: [event(9, '2026-11-27T10:00:00Z')], next: null });
  await again;
  nth(1).answer({ events: [event(2, '2026-11-27T11:00:00Z')], next: 'c2' });
  await more;
  assert.deepEqual(feed.state.get().events.map(({ id }) => id), [9]);
  assert.equal(feed.state.get().more, false);
});

test('what failed is said, keeps what was there, and is tried again as what it was', async () => {
  const { feed, asked, nth } = feedByHand();
  const first = feed.reload();
  nth(0).answer({ events: [event(1, '2026-11-27T10:00:00Z')], next: 'c1' });
  await first;
  const more = feed.more();
  const broken = new Error('broken');
  nth(1).fail(broken);
  await more;
  assert.equal(feed.state.get().error, broken);
  assert.deepEqual(feed.state.get().events.map(({ id }) => id), [1]);
  await feed.more();
  assert.equal(asked.length, 2, 'reaching the end of the list again does not hammer the API');

  const retried = feed.retry();
  assert.equal(nth(2).cursor, 'c1');
  nth(2).answer({ events: [event(2, '2026-11-27T11:00:00Z')], next: 'c2' });
  await retried;
  assert.equal(feed.state.get().error, null);

  const reload = feed.reload();
  nth(3).fail(broken);
  await reload;
  const reloaded = feed.retry();
  assert.equal(nth(4).cursor, null, 'a reload that failed is a reload again, though there are more pages');
  nth(4).answer({ events: [], next: null });
  await reloaded;
  assert.deepEqual(feed.state.get().events, []);
});

test('events are under the day on which they begin where the person is', () => {
  const list = [event(2, '2026-11-28T04:30:00Z'), event(1, '2026-11-28T01:00:00Z'), event(3, '2026-11-28T05:30:00Z')];
  const now = new Date('2026-11-27T12:00:00Z');
  const days = (zone: string) => byDay(list, now, zone).map(({ date, events: of }) => [date, of.map(({ id }) => id)]);
  assert.deepEqual(days(MADRID), [['2026-11-28', [1, 2, 3]]]);
  assert.deepEqual(days(BOGOTA), [['2026-11-27', [1, 2]], ['2026-11-28', [3]]]);
});

test('what began before today and is under way is under today', () => {
  const list = [event(1, '2026-11-20T10:00:00Z', '2026-12-01T10:00:00Z'), event(2, '2026-11-27T15:00:00Z')];
  const days = byDay(list, new Date('2026-11-27T12:00:00Z'), MADRID);
  assert.deepEqual(days.map(({ date, events: of }) => [date, of.map(({ id }) => id)]), [['2026-11-27', [1, 2]]]);
});

test('midnight is 00:00 and not 24:00', () => {
  assert.equal(timeOf(new Date('2026-11-27T23:00:00Z'), MADRID), '00:00');
  assert.equal(dateOf(new Date('2026-11-27T23:00:00Z'), MADRID), '2026-11-28');
  assert.equal(daysLater('2026-02-28', 1), '2026-03-01');
});

test('a typed date and time is a moment, also around the changes of clocks', () => {
  const moment = (date: string, time: string, zone = MADRID) => momentOf(date, time, zone)?.toISOString();
  assert.equal(moment('2026-07-01', '10:00'), '2026-07-01T08:00:00.000Z');
  assert.equal(moment('2026-12-01', '10:00'), '2026-12-01T09:00:00.000Z');
  assert.equal(moment('2026-12-01', '00:00'), '2026-11-30T23:00:00.000Z');
  assert.equal(moment('2026-12-01', '10:00', BOGOTA), '2026-12-01T15:00:00.000Z');
  assert.equal(moment('2026-12-01', '10:00', 'Pacific/Kiritimati'), '2026-11-30T20:00:00.000Z');
  assert.equal(moment('2026-12-01', '10:00', 'Asia/Kathmandu'), '2026-12-01T04:15:00.000Z');
  // On 2026-03-29 clocks in Madrid go from 2 to 3.
  assert.equal(moment('2026-03-29', '01:59'), '2026-03-29T00:59:00.000Z');
  assert.equal(moment('2026-03-29', '02:30'), undefined);
  assert.equal(moment('2026-03-29', '03:00'), '2026-03-29T01:00:00.000Z');
  for (const [date, time] of [['2026-02-30', '10:00'], ['2026-13-01', '10:00'], ['', ''], ['2026-12-01', '24:30'], ['1/2/2026', '10:00'], ['2026-12-01', '10h']] as const) {
    assert.equal(moment(date, time), undefined, `${date} ${time}`);
  }
});

test('each fault of a draft is named at its field', () => {
  const good = { title: 'x', location: '', date: '2026-11-27', begins: '09:00', ends: '10:00' };
  const faults = (change: Partial<typeof good>) => {
    const read = readDraft({ ...good, ...change }, MADRID);
    return 'faults' in read ? read.faults : null;
  };
  assert.equal(faults({}), null);
  assert.deepEqual(faults({ title: '  ' }), { title: 'title-missing' });
  assert.equal(faults({ title: '🗓'.repeat(500) }), null);
  assert.deepEqual(faults({ title: 'x'.repeat(501) }), { title: 'title-long' });
  assert.deepEqual(faults({ date: '2026-02-30' }), { date: 'date' });
  assert.deepEqual(faults({ date: '2026-03-29', begins: '02:30' }), { begins: 'time' });
  assert.deepEqual(faults({ ends: '9:00' }), { ends: 'order' });
  assert.deepEqual(faults({ begins: '', ends: 'x' }), { begins: 'time', ends: 'time' });
});

test('the next hour is a full one and later', () => {
  assert.equal(nextHour(new Date('2026-11-27T10:00:00Z')).toISOString(), '2026-11-27T11:00:00.000Z');
  assert.equal(nextHour(new Date('2026-11-27T10:59:59Z')).toISOString(), '2026-11-27T11:00:00.000Z');
});
