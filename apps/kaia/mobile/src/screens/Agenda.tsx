import { useEffect, useMemo, useState } from 'react';
import { ActivityIndicator, AppState, RefreshControl, SectionList, StyleSheet, Text, View } from 'react-native';

import { byDay, dateOf, daysLater, timeOf } from '../agenda/calendar.ts';
import { keyOf, type AgendaEvent } from '../agenda/event.ts';
import { Feed } from '../agenda/feed.ts';
import { useKaia, useSignal } from '../kaia.ts';
import { Button } from '../parts/Button.tsx';
import { EnvironmentBadge } from '../parts/EnvironmentBadge.tsx';
import { Message } from '../parts/Message.tsx';
import { OfflineNotice } from '../parts/OfflineNotice.tsx';
import { Page } from '../parts/Page.tsx';
import { inWords, type Texts } from '../texts/words.ts';
import { useColours } from '../theme.ts';

export function Agenda({ create }: { create: () => void }) {
  const { connection, events, session, texts, timeZone } = useKaia();
  const colours = useColours();
  const [feed] = useState(() => new Feed((from, to, cursor) => events.page(from, to, cursor)));
  const state = useSignal(feed.state);
  const reachable = useSignal(connection.reachable);

  // Once at the start, and again when somebody comes back to the app.
  useEffect(() => {
    void feed.reload();
    const listener = AppState.addEventListener('change', (now) => {
      if (now === 'active') void feed.reload();
    });
    return () => listener.remove();
  }, [feed]);

  // What failed for want of a connection is asked again once there is one.
  useEffect(() => {
    if (reachable && feed.state.get().error) void feed.retry();
  }, [feed, reachable]);

  const sections = useMemo(
    () => byDay(state.events, new Date(), timeZone).map((day) => ({ title: dayInWords(day.date, timeZone, texts), data: day.events })),
    [state.events, texts, timeZone],
  );
  const error = state.error === null ? null : inWords(state.error, texts);

  return (
    <Page>
      <EnvironmentBadge />
      <View style={styles.head}>
        <Text accessibilityRole="header" style={[styles.title, { color: colours.ink }]}>
          {texts.agenda.title}
        </Text>
        <Button label={texts.agenda.create} press={create} />
        <Button label={texts.agenda.logOut} press={() => void session.logOut()} quiet />
      </View>
      <OfflineNotice />
      <SectionList
        style={styles.list}
        contentContainerStyle={styles.content}
        sections={sections}
        keyExtractor={keyOf}
        renderItem={({ item }) => <Row event={item} />}
        renderSectionHeader={({ section }) => (
          <Text accessibilityRole="header" style={[styles.day, { color: colours.ink, backgroundColor: colours.ground }]}>
            {section.title}
          </Text>
        )}
        refreshControl={
          <RefreshControl
            refreshing={state.loading === 'all' && state.loaded}
            onRefresh={() => void feed.reload()}
            tintColor={colours.accent}
            colors={[colours.accent]}
          />
        }
        onEndReached={() => void feed.more()}
        onEndReachedThreshold={0.5}
        ListEmptyComponent={
          state.loaded && !state.loading && error === null ? (
            <Text style={[styles.text, { color: colours.faint }]}>{texts.agenda.empty}</Text>
          ) : null
        }
        ListFooterComponent={
          <View style={styles.foot}>
            {error === null ? null : (
              <>
                <Message text={error} />
                <Button label={texts.agenda.retry} press={() => void feed.retry()} quiet />
              </>
            )}
            {state.loading === 'more' || (state.loading === 'all' && !state.loaded) ? (
              <ActivityIndicator
                accessibilityLabel={state.loading === 'more' ? texts.agenda.more : texts.agenda.loading}
                color={colours.accent}
              />
            ) : null}
          </View>
        }
      />
    </Page>
  );
}

function Row({ event }: { event: AgendaEvent }) {
  const { texts, timeZone } = useKaia();
  const colours = useColours();
  const when = `${timeOf(event.start, timeZone)}–${timeOf(event.end, timeZone)}`;
  return (
    <View
      accessible
      accessibilityLabel={texts.agenda.event(event.title, when, event.location)}
      style={[styles.row, { backgroundColor: colours.raised }]}
    >
      <Text style={[styles.when, { color: colours.faint }]}>{when}</Text>
      <View style={styles.what}>
        <Text style={[styles.name, { color: colours.ink }]}>{event.title}</Text>
        {event.location === '' ? null : <Text style={{ color: colours.faint }}>{event.location}</Text>}
      </View>
    </View>
  );
}

function dayInWords(date: string, timeZone: string, texts: Texts): string {
  const today = dateOf(new Date(), timeZone);
  if (date === today) return texts.agenda.today;
  if (date === daysLater(today, 1)) return texts.agenda.tomorrow;
  return new Date(`${date}T00:00:00Z`).toLocaleDateString(texts.locale, {
    weekday: 'long',
    day: 'numeric',
    month: 'long',
    timeZone: 'UTC',
  });
}

const styles = StyleSheet.create({
  head: { flexDirection: 'row', flexWrap: 'wrap', alignItems: 'center', gap: 8, padding: 16, paddingBottom: 0 },
  title: { flexGrow: 1, fontSize: 26, fontWeight: '700' },
  list: { flex: 1 },
  // Below the last row there is room for the phone's own bar.
  content: { padding: 16, paddingBottom: 64, gap: 8 },
  day: { fontSize: 17, fontWeight: '600', paddingVertical: 8 },
  row: { flexDirection: 'row', gap: 12, padding: 12, borderRadius: 8 },
  when: { fontSize: 15, fontVariant: ['tabular-nums'] },
  what: { flex: 1, gap: 2 },
  name: { fontSize: 16, fontWeight: '600' },
  text: { fontSize: 16 },
  foot: { gap: 12, paddingTop: 8 },
});
