if [ -z "$RAILWAY_TOKEN" ]; then
  echo "::error::RAILWAY_TOKEN is not set in the environment \"$ENVIRONMENT\" of this repository (Settings, Environments)"
  exit 1
fi
