#!/usr/bin/env bash
# install.sh PACKAGE FOLDER: installs the package into a clean Debian (debootstrap, below FOLDER), uses what
# it brings there, removes it, and looks for what is left. Needs root.
set -euo pipefail

package=$(realpath "$1")
folder=$(realpath "$2")
version=$(. /etc/os-release && echo "$VERSION_CODENAME")
mirror=${MIRROR:-http://deb.debian.org/debian}
base=$folder/debian-$version.tar
root=

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

cleanup() {
    [[ -n $root ]] || return 0
    umount "$root/proc" 2>/dev/null || true
    rm -rf --one-file-system "$root"
}
trap cleanup EXIT

inside() {
    chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive "$@"
}

# All that is there but for what dpkg, apt and ld keep for themselves: names, modes, owners.
listing() {
    inside find / -xdev \( -path /proc -o -path /run -o -path /tmp -o -path /var/lib/dpkg -o -path /var/cache -o -path /var/log \) -prune \
        -o -printf '%p %M %u %g\n' | sort
}

root=$(mktemp -d "$folder/root.XXXXXX")
if [[ ! -f $base ]]; then
    debootstrap --variant=minbase --include=systemd,ca-certificates "$version" "$root" "$mirror" \
        >"$folder/debootstrap.log" 2>&1 || { tail -n 20 "$folder/debootstrap.log"; fail "debootstrap failed"; }
    inside apt-get clean
    tar -C "$root" -cf "$base.new" --exclude=./proc/* --exclude=./sys/* .
    mv "$base.new" "$base"
else
    tar -C "$root" -xf "$base"
fi
mount -t proc proc "$root/proc"
cp "$package" "$root/tmp/segue.deb"
listing >"$folder/before"
passwd=$(sha256sum "$root"/etc/{passwd,group,shadow,gshadow} | awk '{print $1}')

# Installed, with dependencies that are there already: nothing is fetched.
inside dpkg --install /tmp/segue.deb >"$folder/dpkg.log" 2>&1 || { cat "$folder/dpkg.log"; fail "it cannot be installed"; }
[[ $(inside dpkg-query -W -f '${Status}' segue) == "install ok installed" ]] || fail "it is not installed"
inside segue --version
inside id segue >/dev/null || fail "there is no user"
[[ $(inside stat -c '%a %U %G' /etc/segue/segue.yaml) == "640 root segue" ]] || fail "the config can be read by others"
[[ $(inside stat -c '%a %U %G' /etc/segue/credentials) == "700 root root" ]] || fail "credentials can be read by others"
[[ ! -e $root/etc/systemd/system/multi-user.target.wants/segue.service ]] || fail "it would start unasked"

# What it brings works there.
words=$(inside sh -c 'systemd-analyze verify --man=no /usr/lib/systemd/system/segue.*' 2>&1) ||
    fail "systemd takes no unit of it: $words"
[[ -z $words ]] || fail "systemd has something to say: $words"
inside sh -c 'for page in /usr/share/man/man1/segue*.1.gz; do zcat "$page" | grep -q "^.SH NAME" || exit 1; done' ||
    fail "a man page is none"
inside bash -n /usr/share/bash-completion/completions/segue
inside timeout 120 segue demo --tour >"$folder/tour.log" || { cat "$folder/tour.log"; fail "the tour did not go as promised"; }
tail -n 1 "$folder/tour.log"
printf '%s\n' 'listen: [{ address: "127.0.0.1:0" }]' 'providers:' \
    '  a: { dialect: openai, base_url: "https://a.example/v1", credential: env:A }' \
    '  b: { dialect: anthropic, base_url: "https://b.example", credential: env:B }' \
    'routes: { support: { tiers: [[a/gpt-5.5], [b/claude-sonnet-4-6]], timeouts: { first_token: 1s, stall: 1s } } }' \
    >"$root/tmp/drill.yaml"
inside timeout 120 segue drill --strict -c /tmp/drill.yaml --html /tmp/drill.html >"$folder/drill.log" 2>&1 ||
    { cat "$folder/drill.log"; fail "the drill has warnings"; }
tail -n 1 "$folder/drill.log"

# Installed over itself, it asks nothing and keeps the config as somebody left it.
echo '# mine' >>"$root/etc/segue/segue.yaml"
inside dpkg --install /tmp/segue.deb >"$folder/dpkg.log" 2>&1 </dev/null || { cat "$folder/dpkg.log"; fail "it cannot be upgraded"; }
tail -n 1 "$root/etc/segue/segue.yaml" | grep -qx '# mine' || fail "an upgrade lost the config"

# Removed, it leaves the config; purged, nothing.
inside mkdir -p /var/lib/private/segue
inside dpkg --remove segue >"$folder/dpkg.log" 2>&1 || { cat "$folder/dpkg.log"; fail "it cannot be removed"; }
[[ -f $root/etc/segue/segue.yaml && ! -e $root/usr/bin/segue ]] || fail "remove has to leave the config, and it alone"
inside dpkg --purge segue >"$folder/dpkg.log" 2>&1 || { cat "$folder/dpkg.log"; fail "it cannot be purged"; }
listing >"$folder/after"
diff "$folder/before" "$folder/after" >"$folder/leftovers" || { cat "$folder/leftovers"; fail "something is left"; }
# shadow's own backups aside, its files are as they were.
[[ $passwd == "$(sha256sum "$root"/etc/{passwd,group,shadow,gshadow} | awk '{print $1}')" ]] || fail "the user is left"
printf '%s: installed, used, upgraded, removed, nothing left\n' "$(basename "$package")"
