import { Pressable, StyleSheet, Text } from 'react-native';

import { useColours } from '../theme.ts';

interface Props {
  label: string;
  press: () => void;
  disabled?: boolean;
  /** Less prominent than the screen's main action. */
  quiet?: boolean;
}

export function Button({ label, press, disabled = false, quiet = false }: Props) {
  const colours = useColours();
  return (
    <Pressable
      accessibilityRole="button"
      accessibilityLabel={label}
      accessibilityState={{ disabled }}
      disabled={disabled}
      onPress={press}
      style={({ pressed }) => [
        styles.button,
        quiet ? { borderColor: colours.line, borderWidth: 1 } : { backgroundColor: colours.accent },
        { opacity: disabled ? 0.6 : pressed ? 0.8 : 1 },
      ]}
    >
      <Text style={[styles.label, { color: quiet ? colours.ink : colours.onAccent }]}>{label}</Text>
    </Pressable>
  );
}

const styles = StyleSheet.create({
  // A finger needs 48 points.
  button: { minHeight: 48, paddingHorizontal: 16, paddingVertical: 8, borderRadius: 8, justifyContent: 'center', alignItems: 'center' },
  label: { fontSize: 16, fontWeight: '600' },
});
