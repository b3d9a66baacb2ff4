import { StyleSheet, Text } from 'react-native';

import { useColours } from '../theme.ts';

/** What went wrong. Read out by a screen reader when it appears. */
export function Message({ text }: { text: string }) {
  const colours = useColours();
  return (
    <Text accessibilityRole="alert" accessibilityLiveRegion="assertive" style={[styles.text, { color: colours.alert }]}>
      {text}
    </Text>
  );
}

const styles = StyleSheet.create({ text: { fontSize: 16 } });
