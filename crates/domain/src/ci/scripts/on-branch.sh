if ! git merge-base --is-ancestor "$GITHUB_SHA" "refs/remotes/origin/$BRANCH"; then
  echo "::error::$GITHUB_REF_NAME is not on $BRANCH, so nothing is deployed: merge first, then tag what was merged"
  exit 1
fi
