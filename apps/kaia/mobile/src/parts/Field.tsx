import type { Ref } from 'react';
import { StyleSheet, Text, TextInput, View, type TextInputProps } from 'react-native';

import { useColours } from '../theme.ts';

interface Props extends Omit<TextInputProps, 'style' | 'accessibilityLabel'> {
  label: string;
  /** What is wrong with what was typed. */
  fault?: string | undefined;
  inputRef?: Ref<TextInput>;
}

export function Field({ label, fault, inputRef, ...input }: Props) {
  const colours = useColours();
  return (
    <View style={styles.field}>
      <Text style={[styles.label, { color: colours.ink }]}>{label}</Text>
      <TextInput
        {...input}
        ref={inputRef}
        accessibilityLabel={fault === undefined ? label : `${label}. ${fault}`}
        placeholderTextColor={colours.faint}
        style={[
          styles.input,
          { color: colours.ink, backgroundColor: colours.raised, borderColor: fault === undefined ? colours.line : colours.alert },
        ]}
      />
      {fault === undefined ? null : <Text style={[styles.fault, { color: colours.alert }]}>{fault}</Text>}
    </View>
  );
}

const styles = StyleSheet.create({
  field: { gap: 4 },
  label: { fontSize: 15, fontWeight: '600' },
  input: { minHeight: 48, borderWidth: 1, borderRadius: 8, paddingHorizontal: 12, fontSize: 16 },
  fault: { fontSize: 14 },
});
