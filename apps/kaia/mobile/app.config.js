// marks: 9e2ae78248c9f0af 7a6faf32cc1d89c0
// Written by `ambit mobile sync` from ambit.toml; what is edited here is refused by `ambit mobile sync --check`.
// Settings that are the same everywhere belong in app.json, those of EAS in eas.base.json.
const environments = {
  "development": {
    name: "Kaia (Dev)",
    package: "com.adrianpuche.kaia",
    icon: "./assets/icon-dev.png",
    apiUrl: "https://api-dev.kaia.ai",
    anyApi: true,
  },
  "test": {
    name: "Kaia (Test)",
    package: "com.adrianpuche.kaia.test",
    icon: "./assets/icon-test.png",
    apiUrl: "https://api-test.kaia.ai",
  },
  "production": {
    name: "Kaia",
    package: "com.adrianpuche.kaia",
    icon: "./assets/icon.png",
    apiUrl: "https://api.kaia.ai",
  },
};
const defaultLabel = "development";

module.exports = ({ config }) => {
  const label = process.env.EXPO_PUBLIC_ENV || defaultLabel;
  if (!Object.hasOwn(environments, label)) {
    throw new Error(`EXPO_PUBLIC_ENV is "${label}"; it is one of ${Object.keys(environments).join(', ')}`);
  }
  const { name, package: identifier, icon, apiUrl: declared, anyApi } = environments[label];
  const apiUrl = process.env.EXPO_PUBLIC_API_URL || declared;
  if (apiUrl !== declared && !anyApi) {
    throw new Error(`EXPO_PUBLIC_API_URL is "${apiUrl}"; the API of ${label} is "${declared}"`);
  }
  return {
    ...config,
    name,
    ...(icon && { icon }),
    android: { ...config.android, package: identifier },
    ios: { ...config.ios, bundleIdentifier: identifier },
    extra: { ...config.extra, apiUrl, environment: label },
  };
};
