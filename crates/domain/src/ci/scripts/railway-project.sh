# A token is good for one environment of one project: that of another environment must not deploy here.
if ! npx --yes "$RAILWAY_CLI" status --json | jq -r '.id, .name' | grep -qxF -- "$EXPECTED"; then
  echo "::error::RAILWAY_TOKEN of the environment \"$ENVIRONMENT\" is not one of the project \"$EXPECTED\""
  exit 1
fi
