#!/bin/sh
# Installs, on a Debian and as root, what the tests need beside cargo: the tools of the lab of booted hosts,
# a browser, and what unpacks archives. Does nothing when all of it is there.
set -eu

packages='apt-utils bzip2 chromium chromium-driver curl dpkg-dev git gnupg iproute2 mmdebstrap procps python3 strace systemd systemd-container unzip util-linux xz-utils zstd'

missing=
for package in $packages; do
    case $(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null) in
        installed) ;;
        *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
    echo "tests/install.sh: needs root to install:$missing" >&2
    exit 1
fi
echo "installing, from the machine's package sources:$missing" >&2
# A line now and then while the package manager works in silence: ended with this script, however it ends.
( while sleep 8; do echo '  still installing …' >&2; done ) &
teller=$!
trap 'kill "$teller" 2>/dev/null || :' EXIT
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # the list is words
install() { apt-get install --quiet=2 --yes --no-install-recommends -o DPkg::Lock::Timeout=300 $missing >/dev/null; }
# The machine's package lists may be missing, or older than its mirror.
install 2>/dev/null || { apt-get --quiet=2 update && install; }
