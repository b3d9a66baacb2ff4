npx --yes "$RAILWAY_CLI" up --ci --service "$SERVICE" --message "$GITHUB_SHA"
