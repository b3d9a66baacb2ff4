import * as SecureStore from 'expo-secure-store';

import type { Vault } from './api/session.ts';

const KEY = 'kaia.session';

/** The phone's own vault: the Keystore of Android, the Keychain of iOS. Nothing of it leaves the phone in a backup. */
export const vault: Vault = {
  read: () => SecureStore.getItemAsync(KEY),
  write: (text) => SecureStore.setItemAsync(KEY, text, { keychainAccessible: SecureStore.AFTER_FIRST_UNLOCK_THIS_DEVICE_ONLY }),
  erase: () => SecureStore.deleteItemAsync(KEY),
};
