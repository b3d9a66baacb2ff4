if [ -z "$SLACK_WEBHOOK_URL" ]; then
  echo "::notice::SLACK_WEBHOOK_URL is not set, so nobody is told but by GitHub"
  exit 0
fi
jq --null-input --arg text "$PROJECT: deployment of $GITHUB_REF_NAME to $ENVIRONMENT $RESULT
$GITHUB_SERVER_URL/$GITHUB_REPOSITORY/actions/runs/$GITHUB_RUN_ID" \
  '{ text: ($text | gsub("&"; "&amp;") | gsub("<"; "&lt;") | gsub(">"; "&gt;")) }' |
  # The address is the secret: it is read from a file and stands on no command line.
  curl --silent --show-error --fail --max-time 20 --retry 3 --header 'Content-Type: application/json' --data @- \
    --config <(printf 'url = "%s"\n' "$SLACK_WEBHOOK_URL") > /dev/null
