import type { Vault } from './api/session.ts';

// A browser has no vault: what lies in its storage any script of the page can read. The web is for development here, so
// the session lasts as long as the page.
let kept: string | null = null;

export const vault: Vault = {
  read: async () => kept,
  write: async (text) => {
    kept = text;
  },
  erase: async () => {
    kept = null;
  },
};
