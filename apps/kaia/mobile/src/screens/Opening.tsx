import { ActivityIndicator, StyleSheet, View } from 'react-native';

import { useKaia } from '../kaia.ts';
import { Page } from '../parts/Page.tsx';
import { useColours } from '../theme.ts';

/** While the vault is read. */
export function Opening() {
  const { texts } = useKaia();
  const colours = useColours();
  return (
    <Page>
      <View style={styles.middle}>
        <ActivityIndicator accessibilityLabel={texts.agenda.loading} color={colours.accent} size="large" />
      </View>
    </Page>
  );
}

const styles = StyleSheet.create({ middle: { flex: 1, justifyContent: 'center' } });
