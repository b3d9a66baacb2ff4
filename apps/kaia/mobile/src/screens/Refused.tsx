import { ScrollView, StyleSheet, Text } from 'react-native';

import { Page } from '../parts/Page.tsx';
import type { Refusal } from '../settings.ts';
import type { Texts } from '../texts/words.ts';
import { useColours } from '../theme.ts';

/** A build that must not be used says why, and does nothing else. */
export function Refused({ refusal, texts }: { refusal: Refusal; texts: Texts }) {
  const colours = useColours();
  const words = texts.refusal;
  const why = refusal.why === 'api-missing' ? words[refusal.why] : words[refusal.why](refusal.found);
  return (
    <Page>
      <ScrollView contentContainerStyle={styles.content}>
        <Text accessibilityRole="header" style={[styles.title, { color: colours.ink }]}>
          {words.title}
        </Text>
        <Text style={[styles.text, { color: colours.ink }]}>{why}</Text>
        <Text style={[styles.text, { color: colours.faint }]}>{words.hint}</Text>
      </ScrollView>
    </Page>
  );
}

const styles = StyleSheet.create({
  content: { padding: 24, gap: 16 },
  title: { fontSize: 24, fontWeight: '700' },
  text: { fontSize: 16 },
});
