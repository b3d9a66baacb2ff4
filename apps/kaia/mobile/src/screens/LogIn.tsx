import { useRef, useState } from 'react';
import { ScrollView, StyleSheet, Text, type TextInput } from 'react-native';

import { useKaia } from '../kaia.ts';
import { Button } from '../parts/Button.tsx';
import { EnvironmentBadge } from '../parts/EnvironmentBadge.tsx';
import { Field } from '../parts/Field.tsx';
import { Message } from '../parts/Message.tsx';
import { OfflineNotice } from '../parts/OfflineNotice.tsx';
import { Page } from '../parts/Page.tsx';
import { inWords } from '../texts/words.ts';
import { useColours } from '../theme.ts';

export function LogIn({ expired }: { expired: boolean }) {
  const { session, texts } = useKaia();
  const colours = useColours();
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const [message, setMessage] = useState(expired ? texts.login.expired : null);
  const passwordField = useRef<TextInput>(null);

  const submit = async () => {
    if (busy) return;
    if (email.trim() === '' || password === '') {
      setMessage(texts.login.incomplete);
      return;
    }
    setBusy(true);
    setMessage(null);
    try {
      await session.logIn(email.trim(), password);
    } catch (error) {
      setMessage(inWords(error, texts, 'login'));
      setBusy(false);
    }
  };

  return (
    <Page>
      <EnvironmentBadge />
      <OfflineNotice />
      <ScrollView contentContainerStyle={styles.content} keyboardShouldPersistTaps="handled">
        <Text accessibilityRole="header" style={[styles.title, { color: colours.ink }]}>
          Kaia
        </Text>
        <Field
          label={texts.login.email}
          value={email}
          onChangeText={setEmail}
          autoCapitalize="none"
          autoComplete="email"
          autoCorrect={false}
          inputMode="email"
          returnKeyType="next"
          submitBehavior="submit"
          onSubmitEditing={() => passwordField.current?.focus()}
        />
        <Field
          inputRef={passwordField}
          label={texts.login.password}
          value={password}
          onChangeText={setPassword}
          autoCapitalize="none"
          autoComplete="current-password"
          secureTextEntry
          returnKeyType="go"
          onSubmitEditing={() => void submit()}
        />
        {message === null ? null : <Message text={message} />}
        <Button label={busy ? texts.login.busy : texts.login.submit} press={() => void submit()} disabled={busy} />
      </ScrollView>
    </Page>
  );
}

const styles = StyleSheet.create({
  content: { padding: 24, gap: 16 },
  title: { fontSize: 32, fontWeight: '700' },
});
