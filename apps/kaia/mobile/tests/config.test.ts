import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test, type TestContext } from 'node:test';

import { readSettings } from '../src/settings.ts';

const require = createRequire(import.meta.url);
const evaluate = require('../app.config.js') as (given: { config: unknown }) => {
  name: string;
  icon: string;
  slug: string;
  android: { package: string };
  extra: Record<string, unknown>;
};
const app = (file: string) => fileURLToPath(new URL(`../${file}`, import.meta.url).href);
const read = (file: string) => JSON.parse(readFileSync(app(file), 'utf8'));

function underProfile(t: TestContext, profile: string, more: Record<string, string> = {}) {
  const before = { ...process.env };
  t.after(() => {
    process.env = before;
  });
  process.env = { ...before, ...read('eas.json').build[profile].env, ...more };
  return evaluate({ config: read('app.json').expo });
}

for (const [profile, name, icon, id, api, environment] of [
  ['development', 'Kaia (Dev)', './assets/icon-dev.png', 'com.adrianpuche.kaia', 'https://api-dev.kaia.ai', 'development'],
  ['preview-test', 'Kaia (Test)', './assets/icon-test.png', 'com.adrianpuche.kaia.test', 'https://api-test.kaia.ai', 'test'],
  ['preview', 'Kaia', './assets/icon.png', 'com.adrianpuche.kaia', 'https://api.kaia.ai', 'production'],
  ['production', 'Kaia', './assets/icon.png', 'com.adrianpuche.kaia', 'https://api.kaia.ai', 'production'],
] as const) {
  test(`the profile ${profile} makes ${name} for ${api}`, (t) => {
    const config = underProfile(t, profile);
    assert.deepEqual([config.name, config.icon, config.android.package], [name, icon, id]);
    assert.equal(config.slug, 'mobile', 'what app.json says stays');
    const png = readFileSync(app(config.icon));
    assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [1024, 1024], 'the icon is one that stores accept');
    const settings = readSettings(config.extra);
    assert.ok(!('why' in settings), 'the app starts with it');
    assert.deepEqual([settings.apiUrl, settings.environment], [api, environment]);
  });
}

test('an API of another environment is refused, except by a developer', (t) => {
  const wrong = { EXPO_PUBLIC_API_URL: 'https://api.kaia.ai' };
  assert.throws(() => underProfile(t, 'preview-test', wrong), /https:\/\/api-test\.kaia\.ai/);
  assert.throws(() => underProfile(t, 'production', { EXPO_PUBLIC_API_URL: 'https://api-test.kaia.ai' }), /https:\/\/api\.kaia\.ai/);
  const own = { EXPO_PUBLIC_API_URL: 'http://api-dev.kaia.localhost:8080' };
  assert.equal(underProfile(t, 'development', own).extra.apiUrl, own.EXPO_PUBLIC_API_URL);
});

test('an environment that does not exist is refused', (t) => {
  assert.throws(() => underProfile(t, 'production', { EXPO_PUBLIC_ENV: 'staging' }), /development, test, production/);
});
