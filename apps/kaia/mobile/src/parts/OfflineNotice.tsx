import { useEffect } from 'react';
import { StyleSheet, Text, View } from 'react-native';

import { useKaia, useSignal } from '../kaia.ts';
import { useColours } from '../theme.ts';

const AGAIN_MS = 5_000;

/** Shown while the API cannot be reached; it asks by itself whether it can be again. */
export function OfflineNotice() {
  const { connection, texts } = useKaia();
  const colours = useColours();
  const reachable = useSignal(connection.reachable);
  useEffect(() => {
    if (reachable) return;
    // Each probe ends within the connection's patience; one that is still under way when the next is due does no harm.
    const timer = setInterval(() => void connection.probe(), AGAIN_MS);
    return () => clearInterval(timer);
  }, [connection, reachable]);
  if (reachable) return null;
  return (
    <View accessibilityLiveRegion="polite" style={[styles.notice, { backgroundColor: colours.notice }]}>
      <Text style={{ color: colours.ink }}>{texts.offline}</Text>
    </View>
  );
}

const styles = StyleSheet.create({ notice: { margin: 16, marginBottom: 0, padding: 12, borderRadius: 8 } });
