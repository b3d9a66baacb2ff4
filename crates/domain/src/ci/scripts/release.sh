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
# What waits for a yes is a draft; run again after the yes, it is published.
case $STATE in
  watching | succeeded) draft=false ;;
  *) draft=true ;;
esac
if before=$(gh release view "$GITHUB_REF_NAME" --json isDraft --jq .isDraft 2> /dev/null); then
  if [ "$before/$draft" = true/false ]; then
    gh release edit "$GITHUB_REF_NAME" --draft=false
  fi
else
  gh release create "$GITHUB_REF_NAME" --verify-tag --title "$GITHUB_REF_NAME" --draft="$draft" --notes-file "$notes" --generate-notes
fi
