import { useEffect, useState } from 'react';
import { BackHandler, ScrollView, StyleSheet, Text, View } from 'react-native';

import { dateOf, nextHour, timeOf } from '../agenda/calendar.ts';
import { readDraft, type Draft, type Faults, type Field as DraftField } from '../agenda/draft.ts';
import { keyOf, type AgendaEvent } from '../agenda/event.ts';
import { useKaia } from '../kaia.ts';
import { Button } from '../parts/Button.tsx';
import { EnvironmentBadge } from '../parts/EnvironmentBadge.tsx';
import { Field } from '../parts/Field.tsx';
import { Message } from '../parts/Message.tsx';
import { OfflineNotice } from '../parts/OfflineNotice.tsx';
import { Page } from '../parts/Page.tsx';
import { inWords } from '../texts/words.ts';
import { useColours } from '../theme.ts';

const HOUR = 3_600_000;

export function Create({ leave }: { leave: () => void }) {
  const { events, texts, timeZone } = useKaia();
  const colours = useColours();
  const words = texts.create;
  const [draft, setDraft] = useState<Draft>(() => emptyDraft(timeZone));
  const [faults, setFaults] = useState<Faults>({});
  const [conflicts, setConflicts] = useState<AgendaEvent[]>([]);
  const [message, setMessage] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [key, setKey] = useState(newKey);

  useEffect(() => {
    const listener = BackHandler.addEventListener('hardwareBackPress', () => {
      leave();
      return true;
    });
    return () => listener.remove();
  }, [leave]);

  const change = (field: DraftField) => (text: string) => {
    setDraft({ ...draft, [field]: text });
    setFaults({ ...faults, [field]: undefined });
    setConflicts([]);
    // Another event than the one that may have been sent under this key.
    setKey(newKey());
  };

  const save = async (despiteConflicts: boolean) => {
    if (busy) return;
    const read = readDraft(draft, timeZone);
    if ('faults' in read) {
      setFaults(read.faults);
      return;
    }
    setBusy(true);
    setMessage(null);
    try {
      const found = despiteConflicts ? [] : await events.conflicts(read.event.start, read.event.end);
      setConflicts(found);
      if (found.length === 0) {
        await events.create(read.event, key);
        leave();
        return;
      }
    } catch (error) {
      setMessage(inWords(error, texts));
    }
    setBusy(false);
  };

  const field = (name: DraftField, label: string) => {
    const fault = faults[name];
    return (
      <Field
        label={label}
        value={draft[name]}
        onChangeText={change(name)}
        editable={!busy}
        fault={fault === undefined ? undefined : texts.faults[fault]}
      />
    );
  };

  return (
    <Page>
      <EnvironmentBadge />
      <OfflineNotice />
      <ScrollView contentContainerStyle={styles.content} keyboardShouldPersistTaps="handled">
        <Text accessibilityRole="header" style={[styles.title, { color: colours.ink }]}>
          {words.title}
        </Text>
        {field('title', words.name)}
        {field('location', words.location)}
        {field('date', words.date)}
        <View style={styles.times}>
          <View style={styles.time}>{field('begins', words.begins)}</View>
          <View style={styles.time}>{field('ends', words.ends)}</View>
        </View>
        <Text style={{ color: colours.faint }}>{words.zone(timeZone)}</Text>
        {conflicts.length === 0 ? null : (
          <View accessibilityRole="alert" accessibilityLiveRegion="assertive" style={[styles.notice, { backgroundColor: colours.notice }]}>
            <Text style={[styles.strong, { color: colours.ink }]}>{words.conflicts}</Text>
            {conflicts.map((event) => (
              <Text key={keyOf(event)} style={{ color: colours.ink }}>
                {`${timeOf(event.start, timeZone)}–${timeOf(event.end, timeZone)} ${event.title}`}
              </Text>
            ))}
          </View>
        )}
        {message === null ? null : <Message text={message} />}
        <Button
          label={busy ? words.busy : conflicts.length === 0 ? words.submit : words.anyway}
          press={() => void save(conflicts.length > 0)}
          disabled={busy}
        />
        <Button label={words.cancel} press={leave} disabled={busy} quiet />
      </ScrollView>
    </Page>
  );
}

function emptyDraft(timeZone: string): Draft {
  const start = nextHour(new Date());
  const end = new Date(start.getTime() + HOUR);
  return {
    title: '',
    location: '',
    date: dateOf(start, timeZone),
    begins: timeOf(start, timeZone),
    ends: dateOf(end, timeZone) === dateOf(start, timeZone) ? timeOf(end, timeZone) : '23:59',
  };
}

/** Names one attempt to create one event, so that sending it twice makes one. It is no secret: chance is enough. */
function newKey(): string {
  return `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}${Math.random().toString(36).slice(2)}`;
}

const styles = StyleSheet.create({
  content: { padding: 24, paddingBottom: 64, gap: 16 },
  title: { fontSize: 26, fontWeight: '700' },
  times: { flexDirection: 'row', gap: 16 },
  time: { flex: 1 },
  notice: { padding: 12, borderRadius: 8, gap: 4 },
  strong: { fontWeight: '600' },
});
