import type { ReactNode } from 'react';
import { KeyboardAvoidingView, Platform, SafeAreaView, StatusBar, StyleSheet, View } from 'react-native';

import { useColours } from '../theme.ts';

/** The whole screen, clear of the phone's own bars. */
export function Page({ children }: { children: ReactNode }) {
  const colours = useColours();
  return (
    <SafeAreaView style={[styles.whole, { backgroundColor: colours.ground }]}>
      <StatusBar translucent backgroundColor="transparent" />
      <KeyboardAvoidingView style={styles.whole} behavior={Platform.OS === 'ios' ? 'padding' : 'height'}>
        <View role="main" style={styles.column}>{children}</View>
      </KeyboardAvoidingView>
    </SafeAreaView>
  );
}

const styles = StyleSheet.create({
  whole: { flex: 1 },
  column: {
    flex: 1,
    width: '100%',
    maxWidth: 640,
    alignSelf: 'center',
    // On Android the app is drawn under the status bar.
    paddingTop: Platform.OS === 'android' ? (StatusBar.currentHeight ?? 0) : 0,
  },
});
