// What differs between the environments: names, icons, identifiers and the API. The rest is in app.json.
const development = {
  name: 'Kaia (Dev)',
  icon: './assets/icon-dev.png',
  package: 'com.adrianpuche.kaia',
  apiUrl: 'https://api-dev.kaia.ai',
};
const test = {
  name: 'Kaia (Test)',
  icon: './assets/icon-test.png',
  package: 'com.adrianpuche.kaia.test',
  apiUrl: 'https://api-test.kaia.ai',
};
const production = {
  name: 'Kaia',
  icon: './assets/icon.png',
  package: 'com.adrianpuche.kaia',
  apiUrl: 'https://api.kaia.ai',
};
const environments = { development, test, production };

module.exports = ({ config }) => {
  const environment = process.env.EXPO_PUBLIC_ENV || 'development';
  const own = Object.hasOwn(environments, environment) ? environments[environment] : undefined;
  if (!own) {
    throw new Error(`EXPO_PUBLIC_ENV is "${environment}"; it has to be one of ${Object.keys(environments).join(', ')}`);
  }
  const apiUrl = process.env.EXPO_PUBLIC_API_URL || own.apiUrl;
  // A developer may try the API of their own machine; nobody else's app speaks with another environment's.
  if (apiUrl !== own.apiUrl && environment !== 'development') {
    throw new Error(`EXPO_PUBLIC_API_URL is "${apiUrl}"; the API of ${environment} is "${own.apiUrl}"`);
  }
  return {
    ...config,
    name: own.name,
    icon: own.icon,
    android: { ...config.android, package: own.package },
    ios: { ...config.ios, bundleIdentifier: own.package },
    extra: { ...config.extra, apiUrl, environment },
  };
};
