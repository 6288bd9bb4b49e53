#!/bin/sh
# Packs each release of Birch's storefront into the estate's module `application`: the same files make the same bytes.
set -eu
cd "$(dirname "$0")"
to=${1:-../../modules/application/files/releases/birch}
for version in */; do
    version=${version%/}
    tar --create --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --format=ustar \
        --transform="s,^$version,storefront-$version," "$version" | gzip --no-name --best >"$to/storefront-$version.tar.gz"
done
