#!/usr/bin/env bash
# Installs the gateway on Debian or Raspberry Pi OS from the unpacked tarball that this file lies in, upgrades it, rolls it
# back and removes it. Needs no network and no compiler.
#
# Whatever can be looked at is looked at before anything is changed, and the first problem ends it: a gateway that runs goes
# on running. What is installed stands in a folder of its own beside the version before; `current` is switched in one step;
# and when the gateway is not healthy within 15 s, everything is put back as it was. Run again, it changes nothing. While that
# is open, `pending` names the version to go back to: whatever ends this script, a power cut too, the next start of the machine
# (sovereign-settle.service) or the next run brings it to its end.
#
#   /opt/sovereign/releases/VERSION-SUM   what the tarball holds, read-only; `current` and `previous` lead there
#   /opt/sovereign/pending                the version before, while a change is not known to be good; empty: there was none
#   /opt/sovereign/node                   leads to the node that runs it
#   /opt/sovereign/root                   what the gateway sees as /, filled in when it starts
#   /etc/sovereign                        config.yaml, keyring.yaml, credentials/: the gateway's user's alone
#   /var/lib/sovereign                    journal, cursors, quarantine
#   /var/backups/sovereign                what the backup timer writes
#   /etc/systemd/system, /etc/udev/rules.d, /usr/local/bin/sovereign
set -euo pipefail

readonly PREFIX=/opt/sovereign CONFIG=/etc/sovereign STATE=/var/lib/sovereign BACKUPS=/var/backups/sovereign
readonly UNITS=/etc/systemd/system RULES=/etc/udev/rules.d COMMAND=/usr/local/bin/sovereign
readonly ACCOUNT=sovereign UNIT=sovereign.service TIMER=sovereign-backup.timer SETTLE=sovereign-settle.service
readonly LEAST_NODE=20.15 LEAST_SYSTEMD=250 LEAST_FREE_KIB=131072
readonly HEALTHY_SECONDS=15 STEADY_SECONDS=2 BOOT_SECONDS=30

usage() {
  cat <<END
Usage: install.sh [--site NAME]   install, or upgrade to the version of this folder
       install.sh --rollback      go back to the version before
       install.sh --uninstall     remove the program; configuration, keys, journal and backups stay
       install.sh --settle        bring a change to its end that was broken off, as the next start of the machine does

  --site NAME   for a new configuration: the place, as it stands in MQTT topics (default: home)
END
}

say() { printf '%s\n' "$*"; }
# refuse PROBLEM REMEDY
refuse() {
  printf 'install.sh: %s\n' "$1" >&2
  [ $# -lt 2 ] || printf '  %s\n' "$2" >&2
  exit 1
}
# at_least VERSION LEAST
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }
have() { command -v "$1" >/dev/null 2>&1; }

# ---- looking ------------------------------------------------------------------------------------------------------------

check_machine() {
  [ "$(id -u)" = 0 ] || refuse 'this needs root' "sudo $0"
  [ -d /run/systemd/system ] || refuse 'systemd does not run here' 'without it, run: node dist/sovereign.mjs gateway'
  local version
  version=$(systemctl --version | sed -n '1s/[^0-9]*\([0-9]*\).*/\1/p')
  [ "${version:-0}" -ge $LEAST_SYSTEMD ] ||
    refuse "systemd is version ${version:-unknown}, expected $LEAST_SYSTEMD or later" 'use Debian 12 or later'
}

one_at_a_time() {
  exec 9>/run/sovereign-install.lock
  flock --nonblock 9 || refuse 'another install.sh is running' 'wait until it has ended'
}

check_tools() {
  local tool
  for tool in flock runuser sha256sum useradd perl; do
    have "$tool" || refuse "$tool is not installed" 'apt-get install util-linux coreutils passwd perl-base'
  done
  case $(uname -m) in
  x86_64 | aarch64 | armv7l | armv6l) ;;
  *) refuse "there are no binaries for $(uname -m)" 'use an amd64, arm64 or armhf system' ;;
  esac
}

# Sets NODE.
find_node() {
  NODE=$(command -v node) || refuse 'node is not installed' 'apt-get install nodejs (Debian 13, Raspberry Pi OS of 2025 or later)'
  NODE=$(readlink -f "$NODE")
  local version
  version=$("$NODE" -p process.versions.node 2>/dev/null) || refuse "$NODE does not run" 'apt-get install --reinstall nodejs'
  at_least "$version" $LEAST_NODE ||
    refuse "$NODE is version $version, expected $LEAST_NODE or later" 'use Debian 13, or a package of a later node'
  case $NODE in
  /usr/*) ;;
  *) refuse "$NODE is out of the gateway's sight, which sees /usr" 'install node for the whole system: apt-get install nodejs' ;;
  esac
}

# Sets SOURCE, VERSION, RELEASE: whole and unaltered.
check_source() {
  SOURCE=$(cd "$(dirname "$0")" && pwd -P)
  [ -f "$SOURCE/SHA256SUMS" ] ||
    refuse "$SOURCE is no unpacked tarball" 'unpack sovereign-edge-VERSION.tar.gz and run the install.sh in it'
  local problem
  problem=$(cd "$SOURCE" && sha256sum --check --quiet --strict SHA256SUMS 2>&1) ||
    refuse "the files here are not those of the tarball: $(head -n 1 <<<"$problem")" 'unpack it again; if that does not help, fetch it again'
  VERSION=$("$NODE" -p 'require(process.argv[1]).version' "$SOURCE/package.json")
  RELEASE=$VERSION-$(sha256sum "$SOURCE/SHA256SUMS" | cut -c 1-8)
}

check_room() {
  local free
  free=$(df --output=avail -k "$(dirname $PREFIX)" | tail -n 1)
  [ "$free" -ge $LEAST_FREE_KIB ] ||
    refuse "$((free / 1024)) MiB are free below $(dirname $PREFIX), expected $((LEAST_FREE_KIB / 1024))" 'make room'
}

# check_config RELEASE_FOLDER: would that version take the configuration and the keyring?
check_config() {
  [ -e $CONFIG/config.yaml ] || return 0
  local problem
  problem=$(as_account "$NODE" "$1/dist/sovereign.mjs" device list --config $CONFIG/config.yaml 2>&1 >/dev/null) ||
    refuse "version $VERSION does not take the configuration: $problem" 'mend it and run this again; nothing was changed for the gateway'
}

as_account() { (cd / && runuser -u $ACCOUNT -- "$@"); }

# ---- making -------------------------------------------------------------------------------------------------------------

make_account() {
  getent group $ACCOUNT >/dev/null || groupadd --system $ACCOUNT
  getent passwd $ACCOUNT >/dev/null ||
    useradd --system --gid $ACCOUNT --home-dir $STATE --no-create-home --shell /usr/sbin/nologin \
      --comment 'Sovereign Edge gateway' $ACCOUNT
  local group
  for group in dialout gpio; do # serial ports; the pins of a Raspberry Pi, where there is such a group
    if getent group $group >/dev/null; then usermod --append --groups $group $ACCOUNT; fi
  done
}

make_folders() {
  install -d -m 0755 $PREFIX $PREFIX/releases $RULES
  install -d -m 0700 -o $ACCOUNT -g $ACCOUNT $CONFIG $CONFIG/credentials $STATE $BACKUPS
  # Keys that were copied here by root.
  find $CONFIG -xdev -type f \( ! -user $ACCOUNT -o -perm /0077 \) -exec chown $ACCOUNT:$ACCOUNT {} + -exec chmod 0600 {} +
}

# What the gateway sees as /: empty, for systemd to hang the few folders into that it needs.
make_root() {
  local folder
  for folder in dev etc opt/sovereign proc run sys tmp usr var/lib/sovereign var/tmp; do
    install -d -m 0755 "$PREFIX/root/$folder"
  done
  for folder in bin lib lib64 sbin; do # leads into usr
    if [ -L /$folder ]; then ln -sfn "$(readlink /$folder)" "$PREFIX/root/$folder"; fi
  done
}

# Copies what is here beside the other versions; one that is there is whole, for it got its name last.
place_release() {
  local target=$PREFIX/releases/$RELEASE new=$PREFIX/releases/.new
  [ ! -d "$target" ] || return 0
  rm -rf $new
  cp -R "$SOURCE" $new
  chown -R root:root $new
  chmod -R u=rX,go=rX $new
  chmod 755 $new/install.sh $new/dist/sovereign.mjs $new/host/deploy/sovereign $new/host/deploy/systemd/start
  sync -f $new
  mv -T $new "$target"
  sync -f $PREFIX/releases
}

# link NAME TARGET: in one step
link() {
  ln -sfn "$2" "$PREFIX/.$1"
  mv -T "$PREFIX/.$1" "$PREFIX/$1"
}

make_config() {
  [ ! -e $CONFIG/config.yaml ] || return 0
  as_account "$NODE" "$PREFIX/releases/$RELEASE/dist/sovereign.mjs" init --dir $CONFIG --data $STATE --site "$SITE" >/dev/null
  say "made $CONFIG/config.yaml and an empty keyring"
}

# put FILE PLACE MODE: only what differs; CHANGED tells, and FRESH which units were not there
put() {
  cmp -s "$1" "$2" && [ "$(stat -c %a "$2")" = "${3#0}" ] && return 0
  [ -e "$2" ] || FRESH+=("$(basename "$2")")
  install -m "$3" "$1" "$2.new"
  mv -T "$2.new" "$2"
  CHANGED=yes
}

# switch_to RELEASE: units, rules, command and program of that version; the program last, for with the others it settles itself
switch_to() {
  local folder=$PREFIX/releases/$1 unit
  for unit in "$folder"/host/deploy/systemd/*.{service,timer}; do
    if [ -e "$unit" ]; then put "$unit" "$UNITS/$(basename "$unit")" 0644; fi
  done
  put "$folder/host/deploy/udev/70-sovereign.rules" $RULES/70-sovereign.rules 0644
  put "$folder/host/deploy/sovereign" $COMMAND 0755
  systemctl daemon-reload
  if [ -e $UNITS/$SETTLE ]; then systemctl --quiet enable $SETTLE; fi
  sync -f $UNITS
  [ "$(readlink $PREFIX/current || true)" = "releases/$1" ] || { link current "releases/$1" && CHANGED=yes; }
}

take_up_rules() {
  # A container has no udev, and boards only where it is told of them.
  if have udevadm && udevadm control --reload 2>/dev/null; then udevadm trigger --subsystem-match=tty --action=change || true; fi
}

# ---- what can be asked for ----------------------------------------------------------------------------------------------

install_or_upgrade() {
  check_tools
  find_node
  check_source
  check_room
  local old
  old=$(good_release)
  make_account
  make_folders
  make_root
  place_release
  check_config $PREFIX/releases/"$RELEASE"
  make_config
  [ "$(readlink $PREFIX/node || true)" = "$NODE" ] || link node "$NODE"
  change_to "$RELEASE" "$old"
  forget_old_releases
  [ -n "$old" ] || next_steps
}

next_steps() {
  cat <<END

Next:
  sudo sovereign doctor                                    what is missing, and the remedy
  sudo sovereign device provision --port /dev/ttyACM0      a board on a cable gets its keys
  sudo nano $CONFIG/config.yaml                  site, links, broker; then: sudo systemctl restart sovereign
  sudo sovereign status                                    what the gateway says
END
}

roll_back() {
  check_tools
  local old to
  old=$(good_release)
  to=$(basename "$(readlink $PREFIX/previous 2>/dev/null || true)")
  [ -d "$PREFIX/releases/${to:-none}" ] || refuse 'there is no version before this one' 'install an older tarball instead'
  NODE=$(readlink -f $PREFIX/node)
  VERSION=$to
  check_config "$PREFIX/releases/$to"
  change_to "$to" "$old"
}

remove_program() {
  local file
  for file in $UNITS/$UNIT $UNITS/sovereign-backup.service $UNITS/$TIMER $UNITS/$SETTLE $RULES/70-sovereign.rules $COMMAND; do rm -f "$file"; done
  rm -rf $PREFIX
  systemctl daemon-reload
}

uninstall() {
  systemctl --quiet disable --now $UNIT $TIMER $SETTLE 2>/dev/null || true
  remove_program
  take_up_rules
  say "removed; configuration, keys, journal and backups are still in $CONFIG, $STATE and $BACKUPS,"
  say "and belong to the user $ACCOUNT. To give them up as well: rm -r $CONFIG $STATE $BACKUPS && userdel $ACCOUNT"
}

PARTS=$(dirname "$0")/host/deploy
DO=install_or_upgrade SITE=home NODE='' CHANGED=no CHANGING=no BACK_TO='' FRESH=()
while [ $# -gt 0 ]; do
  case $1 in
  --site)
    [[ ${2:-} =~ ^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$ ]] || refuse "--site: expected 1 to 64 letters, digits, \"-\", \"_\" or \".\", got \"${2:-}\""
    SITE=$2
    shift
    ;;
  --rollback) DO=roll_back ;;
  --settle) DO=settle ;;
  --uninstall) DO=uninstall ;;
  --help | -h) usage && exit ;;
  *) usage >&2 && exit 2 ;;
  esac
  shift
done

# shellcheck source=host/deploy/change.sh
. "$PARTS/change.sh" || refuse "$PARTS/change.sh is missing" 'unpack the tarball again'
trap leave EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
check_machine
one_at_a_time
$DO
