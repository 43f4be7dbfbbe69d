#!/bin/sh
# Checks the unit: every directive is one that systemd knows, and the exposure stays at 1.1.
set -eu
cd "$(dirname "$0")"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# `verify` wants the programs to be there, which on a build machine they are not.
sed 's|^ExecStart=/usr/bin/segue |ExecStart=/bin/true |; s|^ExecReload=/usr/bin/segue |ExecReload=/bin/true |' \
    segue.service > "$scratch/segue.service"
cp segue-reload.path segue.socket "$scratch"
sed 's|=/bin/systemctl |=/bin/true |' segue-reload.service > "$scratch/segue-reload.service"
# A key that it does not know is a warning and exit status 0: any word is a failure.
words=$(systemd-analyze verify --man=no --generators=no --recursive-errors=no \
    "$scratch/segue.service" "$scratch/segue.socket" "$scratch/segue-reload.path" "$scratch/segue-reload.service" 2>&1) || {
    echo "$words" >&2
    exit 1
}
if [ -n "$words" ]; then
    echo "$words" >&2
    exit 1
fi

# The threshold is in tenths.
systemd-analyze security --no-pager --offline=true --threshold=11 segue.service > "$scratch/security" || {
    cat "$scratch/security" >&2
    exit 1
}
tail -n 1 "$scratch/security"
