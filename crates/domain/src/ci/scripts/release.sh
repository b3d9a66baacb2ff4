version=${GITHUB_REF_NAME#v}
notes=$(mktemp)
if [ -n "$CHANGELOG" ] && [ -f "$CHANGELOG" ]; then
  # What stands below the heading that names the version, up to the next heading of its level.
  awk -v version="$version" '
    { level = match($0, /^#+ /) ? RLENGTH - 1 : 0 }
    inside && level > 0 && level <= own { exit }
    inside { print }
    !inside && level > 0 {
      words = split($0, word, /[][ ()]+/)
      for (n = 1; n <= words; n++) if (word[n] == version || word[n] == "v" version) { inside = 1; own = level }
    }
  ' "$CHANGELOG" > "$notes"
fi
if gh release view "$GITHUB_REF_NAME" > /dev/null 2>&1; then
  echo "the release of $GITHUB_REF_NAME is there already"
else
  gh release create "$GITHUB_REF_NAME" --verify-tag --title "$GITHUB_REF_NAME" --notes-file "$notes" --generate-notes
fi
