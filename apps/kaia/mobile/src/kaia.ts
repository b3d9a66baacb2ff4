import { createContext, useContext, useSyncExternalStore } from 'react';

import { Connection } from './api/connection.ts';
import { Session, type Vault } from './api/session.ts';
import { Events } from './agenda/events.ts';
import type { Settings } from './settings.ts';
import type { Signal } from './signal.ts';
import type { Texts } from './texts/words.ts';

/** What every screen may need: made once, when the app starts. */
export interface Kaia {
  settings: Settings;
  texts: Texts;
  timeZone: string;
  connection: Connection;
  session: Session;
  events: Events;
}

export function makeKaia(settings: Settings, texts: Texts, timeZone: string, vault: Vault): Kaia {
  const connection = new Connection(settings.apiUrl);
  const session = new Session(connection, vault, settings.apiUrl);
  return { settings, texts, timeZone, connection, session, events: new Events(session) };
}

const Context = createContext<Kaia | null>(null);

export const KaiaProvider = Context.Provider;

export function useKaia(): Kaia {
  const kaia = useContext(Context);
  if (kaia === null) throw new Error('this screen is shown outside of KaiaProvider');
  return kaia;
}

export function useSignal<T>(signal: Signal<T>): T {
  return useSyncExternalStore(signal.subscribe, signal.get, signal.get);
}
