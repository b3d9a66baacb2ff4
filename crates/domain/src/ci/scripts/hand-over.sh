for name in AMBIT_HOST AMBIT_HOST_KEY AMBIT_SSH_KEY; do
  if [ -z "${!name}" ]; then
    echo "::error::$name is not set in the environment \"$ENVIRONMENT\" of this repository (Settings, Environments)"
    exit 1
  fi
done
umask 077
keys=$(mktemp -d)
trap 'rm -rf "$keys"' EXIT
printf '%s\n' "$AMBIT_SSH_KEY" > "$keys/key"
printf '%s\n' "$AMBIT_HOST_KEY" > "$keys/known_hosts"
# Only this key is offered, and only to a machine that has the declared key.
export GIT_SSH_COMMAND="ssh -F /dev/null -i $keys/key -o IdentitiesOnly=yes -o BatchMode=yes -o ConnectTimeout=20 -o StrictHostKeyChecking=yes -o UserKnownHostsFile=$keys/known_hosts -o GlobalKnownHostsFile=/dev/null"
remote="ssh://$AMBIT_HOST/$PROJECT.git"
if [ "$GITHUB_REF_TYPE" = tag ]; then
  # Ambit takes a tag that is on its branch; the branch goes along where Ambit's is behind.
  if git fetch --quiet "$remote" "+refs/heads/$BRANCH:refs/remotes/ambit/$BRANCH" &&
    git merge-base --is-ancestor "$GITHUB_SHA" "refs/remotes/ambit/$BRANCH"; then
    git push "$remote" "$GITHUB_REF"
  else
    git push "$remote" "$GITHUB_SHA:refs/heads/$BRANCH" "$GITHUB_REF"
  fi
else
  git push "$remote" "$GITHUB_SHA:$GITHUB_REF"
fi
