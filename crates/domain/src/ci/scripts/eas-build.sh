if [ -z "$EXPO_TOKEN" ]; then
  echo "::error::EXPO_TOKEN is not set in the environment \"$ENVIRONMENT\" of this repository (Settings, Environments)"
  exit 1
fi
# Another key than the installed app's could never update it: no build makes one by itself.
npx --yes "$EAS_CLI" build --platform android --profile "$PROFILE" --non-interactive --no-wait --freeze-credentials
