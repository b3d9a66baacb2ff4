const { getConfig } = require('expo/config');
const { getDefaultConfig } = require('expo/metro-config');

const config = getDefaultConfig(__dirname);
// For the web the app's configuration is compiled into the code, and Metro keeps compiled code: without this, a bundle
// for one environment could be made of what was kept for another, its API included.
config.cacheVersion = JSON.stringify([config.cacheVersion, getConfig(__dirname).exp]);

module.exports = config;
