import Constants from 'expo-constants';
import { useEffect, useState } from 'react';

import { makeKaia, KaiaProvider, useKaia, useSignal, type Kaia } from './kaia.ts';
import { Agenda } from './screens/Agenda.tsx';
import { Create } from './screens/Create.tsx';
import { LogIn } from './screens/LogIn.tsx';
import { Opening } from './screens/Opening.tsx';
import { Refused } from './screens/Refused.tsx';
import { readSettings } from './settings.ts';
import { textsFor } from './texts/words.ts';
import { vault } from './vault';

const { locale, timeZone } = new Intl.DateTimeFormat().resolvedOptions();
const texts = textsFor(locale);
const settings = readSettings(Constants.expoConfig?.extra);
const kaia: Kaia | null = 'why' in settings ? null : makeKaia(settings, texts, timeZone, vault);

export function App() {
  if ('why' in settings) return <Refused refusal={settings} texts={texts} />;
  return (
    <KaiaProvider value={kaia}>
      <Screens />
    </KaiaProvider>
  );
}

function Screens() {
  const { session } = useKaia();
  const state = useSignal(session.state);
  useEffect(() => {
    void session.open();
  }, [session]);
  switch (state.is) {
    case 'opening':
      return <Opening />;
    case 'closed':
      return <LogIn expired={state.expired} />;
    case 'open':
      return <LoggedIn />;
  }
}

function LoggedIn() {
  const [creating, setCreating] = useState(false);
  // Leaving the form loads the agenda anew: the new event is in it.
  return creating ? <Create leave={() => setCreating(false)} /> : <Agenda create={() => setCreating(true)} />;
}
