import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { Connection } from '../src/api/connection.ts';
import { Problem, SessionEnded, Unreachable } from '../src/api/problem.ts';
import { Session } from '../src/api/session.ts';
import { Api, json, MemoryVault, PASSWORD, problem, until } from './api.ts';

async function loggedIn(t: TestContext) {
  const api = await Api.start(t);
  const vault = new MemoryVault();
  const session = new Session(new Connection(api.url), vault, api.url);
  await session.open();
  await session.logIn('ana@kaia.ai', PASSWORD);
  return { api, vault, session };
}

test('a login opens the session and puts its tokens in the vault', async (t) => {
  const { api, vault, session } = await loggedIn(t);
  assert.deepEqual(session.state.get(), { is: 'open' });
  assert.deepEqual(JSON.parse(vault.text ?? ''), { api: api.url, access: 'access-1', refresh: 'refresh-1' });
  await session.send('/events');
  assert.equal(api.asked.at(-1)?.headers.authorization, 'Bearer access-1');
});

test('a wrong password is a problem and keeps the session closed', async (t) => {
  const api = await Api.start(t);
  const vault = new MemoryVault();
  const session = new Session(new Connection(api.url), vault, api.url);
  await session.open();
  await assert.rejects(session.logIn('ana@kaia.ai', 'wrong'), (error) => error instanceof Problem && error.status === 401);
  assert.deepEqual(session.state.get(), { is: 'closed', expired: false });
  assert.equal(vault.text, null);
});

test('many requests with an expired token wait for one refresh, and all succeed', async (t) => {
  const { api, vault, session } = await loggedIn(t);
  api.expireAccess();
  await Promise.all(Array.from({ length: 12 }, () => session.send('/events')));
  assert.equal(api.times('/api/v1/auth/refresh'), 1);
  assert.equal(JSON.parse(vault.text ?? '').refresh, 'refresh-2');
  assert.deepEqual(session.state.get(), { is: 'open' });
});

test('a request that was refused while another refreshed takes the new tokens and refreshes nothing', async (t) => {
  const { api, session } = await loggedIn(t);
  // The slow request is refused only after the quick one has refreshed.
  let slowArrived = () => {};
  const arrived = new Promise<void>((resolve) => (slowArrived = resolve));
  let letGo = () => {};
  const held = new Promise<void>((resolve) => (letGo = resolve));
  api.answer = async (asked, response) => {
    if (asked.path === '/api/v1/slow' && asked.headers.authorization === 'Bearer access-1') {
      slowArrived();
      await held;
      return problem(response, 401, 'unauthorized');
    }
    json(response, 200, { path: asked.path });
  };
  const slow = session.send('/slow');
  await arrived;
  api.expireAccess();
  await session.send('/quick');
  letGo();
  assert.deepEqual(await slow, { path: '/api/v1/slow' });
  assert.equal(api.times('/api/v1/auth/refresh'), 1);
});

test('a refused refresh logs out', async (t) => {
  const { api, vault, session } = await loggedIn(t);
  api.endSession();
  await assert.rejects(session.send('/events'), SessionEnded);
  assert.deepEqual(session.state.get(), { is: 'closed', expired: true });
  assert.equal(vault.text, null);
  await assert.rejects(session.send('/events'), SessionEnded);
  assert.equal(api.times('/api/v1/auth/refresh'), 1, 'a used token must not be sent again');
});

test('new tokens that are refused as well log out instead of going round', async (t) => {
  const { api, session } = await loggedIn(t);
  api.answer = (_, response) => problem(response, 401, 'unauthorized');
  await assert.rejects(session.send('/events'), SessionEnded);
  assert.deepEqual(session.state.get(), { is: 'closed', expired: true });
  assert.equal(api.times('/api/v1/events'), 2);
});

for (const [name, fail] of [
  ['a limit', (response) => problem(response, 429, 'too-many')],
  ['a fault of the server', (response) => problem(response, 503, 'unavailable')],
  ['a page of somebody else', (response) => void response.writeHead(403, { 'content-type': 'text/html' }).end('<h1>Log in</h1>')],
  ['a cut connection', (response) => void response.destroy()],
] as [string, (response: Parameters<typeof problem>[0]) => void][]) {
  test(`${name} in the place of the refresh's answer does not log out`, async (t) => {
    const { api, vault, session } = await loggedIn(t);
    api.expireAccess();
    api.beforeRefresh = (_, response) => fail(response);
    await assert.rejects(session.send('/events'), (error) => !(error instanceof SessionEnded));
    assert.deepEqual(session.state.get(), { is: 'open' });
    api.beforeRefresh = () => {};
    await session.send('/events');
    assert.equal(JSON.parse(vault.text ?? '').refresh, 'refresh-2');
  });
}

test('logging out forgets at once and tells the API', async (t) => {
  const { api, vault, session } = await loggedIn(t);
  await session.logOut();
  assert.equal(vault.text, null);
  assert.deepEqual(session.state.get(), { is: 'closed', expired: false });
  assert.deepEqual(api.asked.at(-1)?.body, { refresh_token: 'refresh-1' });
});

test('logging out without a connection forgets all the same', async (t) => {
  const { api, vault, session } = await loggedIn(t);
  await api.stop();
  await session.logOut();
  assert.equal(vault.text, null);
  assert.deepEqual(session.state.get(), { is: 'closed', expired: false });
});

test('tokens that arrive after logging out are revoked and not kept', async (t) => {
  const { api, vault, session } = await loggedIn(t);
  api.expireAccess();
  let letGo = () => {};
  const held = new Promise<void>((resolve) => (letGo = resolve));
  let refreshArrived = () => {};
  const arrived = new Promise<void>((resolve) => (refreshArrived = resolve));
  api.beforeRefresh = () => {
    refreshArrived();
    return held;
  };
  const ended = assert.rejects(session.send('/events'), SessionEnded);
  await arrived;
  // The API hears of the logout only after it has answered the refresh.
  const erase = vault.erase;
  vault.erase = async () => {
    letGo();
    await ended;
    await erase();
  };
  await session.logOut();
  assert.equal(vault.text, null);
  assert.deepEqual(session.state.get(), { is: 'closed', expired: false });
  await until(() => api.asked.some(({ path, body }) => path === '/api/v1/auth/logout' && body.refresh_token === 'refresh-2'));
  await assert.rejects(session.send('/events'), SessionEnded);
});

test('the next start takes the session up', async (t) => {
  const { api, vault } = await loggedIn(t);
  const later = new Session(new Connection(api.url), vault, api.url);
  await later.open();
  assert.deepEqual(later.state.get(), { is: 'open' });
  await later.send('/events');
});

test('tokens of another environment are never sent', async (t) => {
  const { vault } = await loggedIn(t);
  const other = await Api.start(t);
  const session = new Session(new Connection(other.url), vault, other.url);
  await session.open();
  assert.deepEqual(session.state.get(), { is: 'closed', expired: false });
  assert.equal(other.asked.length, 0);
});

for (const text of ['', 'null', '{}', '{"api":1}', 'not json']) {
  test(`a vault with ${JSON.stringify(text)} in it is an empty one`, async (t) => {
    const api = await Api.start(t);
    const vault = new MemoryVault();
    vault.text = text;
    const session = new Session(new Connection(api.url), vault, api.url);
    await session.open();
    assert.deepEqual(session.state.get(), { is: 'closed', expired: false });
  });
}

test('a vault that cannot be written keeps no used token', async (t) => {
  const { api, vault, session } = await loggedIn(t);
  vault.write = async () => {
    throw new Error('the keystore is locked');
  };
  api.expireAccess();
  await session.send('/events');
  assert.equal(vault.text, null);
  assert.deepEqual(session.state.get(), { is: 'open' });
});

test('whether the API can be reached is known, and asked again', async (t) => {
  const api = await Api.start(t);
  const connection = new Connection(api.url);
  api.answer = (_, response) => void response.destroy();
  const session = new Session(connection, new MemoryVault(), api.url);
  await session.logIn('ana@kaia.ai', PASSWORD);
  await assert.rejects(session.send('/events'), Unreachable);
  assert.equal(connection.reachable.get(), false);
  await connection.probe();
  assert.equal(connection.reachable.get(), true);
});

test('an API that does not answer in time cannot be reached', async (t) => {
  const api = await Api.start(t);
  const vault = new MemoryVault();
  await new Session(new Connection(api.url), vault, api.url).logIn('ana@kaia.ai', PASSWORD);
  const session = new Session(new Connection(api.url, 50), vault, api.url);
  await session.open();
  // The head of the answer comes, its body never does.
  api.answer = (_, response) => void response.writeHead(200, { 'content-type': 'application/json' }).write('{');
  await assert.rejects(session.send('/events'), Unreachable);
});
