#!/usr/bin/env bash
# Makes the tarball that install.sh installs, of what `npm run build` has built and of the packages that are installed here:
# for amd64, arm64 and 32-bit arm at once, with nothing in it that has to be compiled or fetched later. The same sources make
# the same bytes: names are sorted, times are the commit's (or SOURCE_DATE_EPOCH), owners are root.
#
#     npm run package [-- DIRECTORY]        writes DIRECTORY/sovereign-edge-VERSION.tar.gz (default: build/package)
set -euo pipefail
cd "$(dirname "$0")/../.."

fail() {
  printf 'package: %s\n' "$1" >&2
  exit 1
}

if ! [ -f dist/sovereign.mjs ] || ! [ -d dist/web ]; then fail 'dist/ is not whole: npm run build'; fi
version=$(node -p 'require("./package.json").version')
name=sovereign-edge-$version
target=${1:-build/package}
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
root=$stage/$name
mkdir -p "$root/host" "$target"

cp -R dist boards firmware manifests package.json README.md LICENSE "$root"
cp -R host/deploy "$root/host/deploy"
find host -name README.md -exec cp --parents {} "$root" \;
cp host/deploy/install.sh "$root"
rm -rf "$root/host/deploy/package.sh" "$root/host/deploy/install.sh"

# What a gateway needs at run time, as package-lock.json has it; --parseable lists each package's own folder. Without `onoff`:
# it has to be compiled on each machine, and GPIO works without it, over the kernel's files.
packages=$(npm ls --omit=dev --omit=optional --all --parseable --silent) || fail 'packages are missing: npm ci'
base=$PWD
while read -r path; do
  inside=${path#"$base"/}
  [ "$inside" != "$path" ] || continue # the project itself
  mkdir -p "$root/$inside"
  # Packages below it have lines of their own.
  (cd "$path" && tar -c --exclude=./node_modules .) | tar -x -C "$root/$inside"
done <<<"$packages"

# Nothing of this is ever loaded: declarations, source maps, serial ports of other systems.
rm -rf "$root/node_modules/@types" "$root/node_modules/@serialport/bindings-cpp/build"
find "$root/node_modules" "$root/dist" -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete
find "$root/node_modules/@serialport/bindings-cpp/prebuilds" -mindepth 1 -maxdepth 1 ! -name 'linux-*' -exec rm -rf {} +
for arch in x64 arm64 arm; do
  compgen -G "$root/node_modules/@serialport/bindings-cpp/prebuilds/linux-$arch/*.node" >/dev/null ||
    fail "@serialport/bindings-cpp has no binaries for linux-$arch"
done

find "$root" -type d -empty -delete
find "$root" -type d -exec chmod 755 {} +
find "$root" -type f -exec chmod 644 {} +
chmod 755 "$root/install.sh" "$root/dist/sovereign.mjs" "$root/host/deploy/sovereign" "$root/host/deploy/systemd/start"
(cd "$root" && find . -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum) >"$stage/sums"
mv "$stage/sums" "$root/SHA256SUMS"

tar --create --directory "$stage" --sort=name --format=gnu --owner=0 --group=0 --numeric-owner \
  --mtime="@$epoch" "$name" | gzip -6n >"$stage/tarball"
mv "$stage/tarball" "$target/$name.tar.gz"
chmod 644 "$target/$name.tar.gz"
sha256sum "$target/$name.tar.gz"
