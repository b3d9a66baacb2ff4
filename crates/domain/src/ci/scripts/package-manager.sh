if ! command -v "$PROGRAM" > /dev/null; then
  mkdir -p .ambit/bin
  printf '#!/bin/sh\nexec npx --yes --package=%s %s "$@"\n' "$PACKAGE" "$PROGRAM" > ".ambit/bin/$PROGRAM"
  chmod 755 ".ambit/bin/$PROGRAM"
fi
