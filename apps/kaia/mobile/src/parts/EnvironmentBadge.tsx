import { StyleSheet, Text, View } from 'react-native';

import { useKaia } from '../kaia.ts';
import { useColours } from '../theme.ts';

/** Which environment this is, and whose data: shown everywhere but in production. */
export function EnvironmentBadge() {
  const { settings, texts } = useKaia();
  const colours = useColours();
  if (settings.environment === 'production') return null;
  const name = texts.environment[settings.environment];
  return (
    <View style={styles.row}>
      <Text
        accessibilityLabel={texts.badgeLabel(name, settings.apiHost)}
        style={[styles.badge, { color: colours.ink, borderColor: colours.ink }]}
      >
        {texts.badge(name, settings.apiHost)}
      </Text>
    </View>
  );
}

const styles = StyleSheet.create({
  row: { flexDirection: 'row', paddingHorizontal: 16, paddingTop: 8 },
  badge: { fontSize: 13, borderWidth: 1, borderRadius: 12, paddingHorizontal: 10, paddingVertical: 2, overflow: 'hidden' },
});
