import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Problem, readProblem, SessionEnded, Unreachable, Unreadable } from '../src/api/problem.ts';
import { inWords, textsFor } from '../src/texts/words.ts';

const es = textsFor('es-CO');
const en = textsFor('de-AT');

function read(status: number, body: unknown, headers: Record<string, string> = {}) {
  return readProblem(status, new Headers({ 'content-type': 'application/problem+json; charset=utf-8', ...headers }), JSON.stringify(body));
}

test('Spanish where the phone speaks it, English elsewhere', () => {
  for (const locale of ['es', 'es-ES', 'ES-mx', 'es-419']) assert.equal(textsFor(locale).locale, 'es', locale);
  for (const locale of ['en-US', 'de', 'est', '', 'pt-BR']) assert.equal(textsFor(locale).locale, 'en', locale);
});

test('a problem is read with everything in it', () => {
  const problem = read(
    422,
    {
      type: 'https://kaia.ai/problems/invalid',
      title: 'Invalid',
      detail: 'two fields are wrong',
      request_id: 'abc',
      errors: [{ field: 'title', message: 'is empty' }, { field: 3 }, null],
    },
    { 'retry-after': '7' },
  );
  assert.ok(problem instanceof Problem);
  const { status, kind, detail, requestId, fields, retryAfter } = problem;
  assert.deepEqual(
    { status, kind, detail, requestId, fields, retryAfter },
    { status: 422, kind: 'invalid', detail: 'two fields are wrong', requestId: 'abc', fields: [{ field: 'title', message: 'is empty' }], retryAfter: 7 },
  );
});

test('what is no problem of the API is not taken for one', () => {
  assert.ok(readProblem(502, new Headers({ 'content-type': 'text/html' }), '<h1>Bad Gateway</h1>') instanceof Unreadable);
  assert.ok(readProblem(401, new Headers(), '') instanceof Unreadable);
  for (const body of ['', '[', 'null', '3']) {
    assert.ok(readProblem(401, new Headers({ 'content-type': 'application/problem+json' }), body) instanceof Unreadable, body);
  }
});

test('every error has words in both languages', () => {
  const said = (error: unknown, during?: 'login') => [inWords(error, es, during), inWords(error, en, during)];
  assert.deepEqual(said(new Unreachable()), [es.errors.unreachable, en.errors.unreachable]);
  assert.match(said(new Unreadable(511))[0] ?? '', /\(511\)/);
  assert.deepEqual(said(new SessionEnded()), [es.errors.sessionEnded, en.errors.sessionEnded]);
  assert.deepEqual(said(read(401, {}), 'login'), [es.errors.wrongPassword, en.errors.wrongPassword]);
  assert.deepEqual(said(read(403, { type: 'email-not-verified' }), 'login'), [es.errors.notVerified, en.errors.notVerified]);
  assert.deepEqual(said(read(429, {}, { 'retry-after': '12' })), [es.errors.tooMany(12), en.errors.tooMany(12)]);
  assert.deepEqual(said(read(503, { request_id: 'r-9' })), [`${es.errors.server} Si sigue, di este código: r-9`, `${en.errors.server} If it goes on, tell us this code: r-9`]);
  assert.deepEqual(said(read(422, { errors: [{ field: 'title', message: 'is empty' }] })), ['Kaia no lo aceptó: title: is empty', 'Kaia did not accept it: title: is empty']);
  assert.deepEqual(said(new TypeError('x is undefined')), [es.errors.unknown, en.errors.unknown]);
});
