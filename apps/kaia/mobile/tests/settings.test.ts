import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readSettings } from '../src/settings.ts';

test('a build of test speaks with the API of test', () => {
  assert.deepEqual(readSettings({ environment: 'test', apiUrl: 'https://api-test.kaia.ai/' }), {
    environment: 'test',
    apiUrl: 'https://api-test.kaia.ai',
    apiHost: 'api-test.kaia.ai',
  });
});

test('a path and a port belong to the address', () => {
  const settings = readSettings({ environment: 'development', apiUrl: 'http://api-dev.kaia.localhost:8080/behind/' });
  assert.deepEqual(settings, {
    environment: 'development',
    apiUrl: 'http://api-dev.kaia.localhost:8080/behind',
    apiHost: 'api-dev.kaia.localhost:8080',
  });
});

for (const [name, extra, why] of [
  ['nothing', undefined, 'environment'],
  ['an environment that does not exist', { environment: 'staging', apiUrl: 'https://api.kaia.ai' }, 'environment'],
  ['no API', { environment: 'production' }, 'api-missing'],
  ['an empty API', { environment: 'production', apiUrl: ' ' }, 'api-missing'],
  ['an API that is no URL', { environment: 'development', apiUrl: 'api-dev.kaia.ai' }, 'api-unreadable'],
  ['an API of another kind', { environment: 'development', apiUrl: 'file:///etc/passwd' }, 'api-unreadable'],
  ['an API in the clear in test', { environment: 'test', apiUrl: 'http://api-test.kaia.ai' }, 'api-not-https'],
  ['an API in the clear in production', { environment: 'production', apiUrl: 'http://api.kaia.ai' }, 'api-not-https'],
] as const) {
  test(`${name} is refused`, () => {
    const settings = readSettings(extra);
    assert.equal('why' in settings ? settings.why : settings.apiUrl, why);
  });
}
