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
ssh="ssh -F /dev/null -i $keys/key -o IdentitiesOnly=yes -o BatchMode=yes -o ConnectTimeout=20 -o StrictHostKeyChecking=yes -o UserKnownHostsFile=$keys/known_hosts -o GlobalKnownHostsFile=/dev/null"
export GIT_SSH_COMMAND=$ssh
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
# The push is in, whatever becomes of the deployment: that is asked for now, and waited for.
code=0
told=$($ssh "ssh://$AMBIT_HOST" deployment "$PROJECT/$ENVIRONMENT" "$GITHUB_SHA") || code=$?
state=$(jq -r '.state // empty' <<< "$told")
case $code/$state in
  */watching | */succeeded) ;;
  */waiting | */approved) echo "::notice::Ambit has it and waits: for a yes of an approver, or for the end of a freeze" ;;
  */superseded) echo "::notice::a later commit took its place" ;;
  6/) echo "::notice::Ambit has it and deploys nothing: see what it said above" ;;
  *)
    echo "::error::Ambit did not deploy it (${state:-exit code $code}): see above, or ask it for its deployments"
    exit 1
    ;;
esac
echo "state=${state:-none}" >> "$GITHUB_OUTPUT"
