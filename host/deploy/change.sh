# shellcheck shell=bash
# Part of install.sh: from one version to another, with the way back. That is open from `begin_change` to `end_change`; in between,
# whatever ends the script leads back (`leave`), or leaves `pending` behind, which `settle` brings to its end.

# The version that was healthy last; '' where there is none.
good_release() {
  if [ -e $PREFIX/pending ]; then
    local before
    before=$(cat $PREFIX/pending)
    if [ -z "$before" ] || [ -d "$PREFIX/releases/$before" ]; then printf '%s' "$before" && return; fi
  fi
  current_release
}

# begin_change OLD_RELEASE: from here on there is a way back to it, over a power cut too
begin_change() {
  BACK_TO=$1
  # Of a first installation that was broken off, what had been placed is still new.
  if [ -z "$1" ]; then FRESH=("$UNIT" "$TIMER"); fi
  printf '%s' "$1" >$PREFIX/.pending
  sync $PREFIX/.pending
  # A disk that refuses until here has changed nothing, so there is nothing to go back from.
  CHANGING=yes
  mv -T $PREFIX/.pending $PREFIX/pending
  sync -f $PREFIX
}

# end_change: all that was changed lasts
end_change() {
  sync -f $PREFIX
  sync -f $UNITS
  rm -f $PREFIX/pending
  CHANGING=no
}

is_active() { [ "$(systemctl show --property=ActiveState --value $UNIT)" = active ]; }

# The process that systemd runs says that it is well.
is_healthy() {
  is_active || return 1
  local pid
  pid=$(systemctl show --property=MainPID --value $UNIT)
  as_account timeout 10 "$NODE" $PREFIX/current/dist/sovereign.mjs status --json --config $CONFIG/config.yaml 2>/dev/null |
    "$NODE" -e '
      const { pid, health } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
      process.exit(pid === Number(process.argv[1]) && health?.ok !== false ? 0 : 1)' "$pid" 2>/dev/null
}

# Since the start of the machine, whose clock may be set meanwhile.
uptime_seconds() { sed 's/[.].*//' /proc/uptime; }

# becomes_healthy [SECONDS]: and is still so, in the same process, a moment later
becomes_healthy() {
  local end pid
  end=$(($(uptime_seconds) + ${1:-HEALTHY_SECONDS}))
  while [ "$(uptime_seconds)" -lt $end ]; do
    if is_healthy; then
      pid=$(systemctl show --property=MainPID --value $UNIT)
      sleep $STEADY_SECONDS
      if is_healthy && [ "$(systemctl show --property=MainPID --value $UNIT)" = "$pid" ]; then return 0; fi
    fi
    sleep 0.5
  done
  return 1
}

start_anew() {
  local unit
  for unit in "${FRESH[@]}"; do
    case $unit in
    "$UNIT") systemctl --quiet enable "$unit" ;;
    "$TIMER") systemctl --quiet enable --now "$unit" ;;
    esac
  done
  FRESH=()
  systemctl reset-failed $UNIT 2>/dev/null || true
  systemctl restart --no-block $UNIT
}

last_words() { journalctl --unit=$UNIT --lines=15 --output=cat --no-pager 2>/dev/null | sed 's/^/    /' >&2; }

# put_back RELEASE: everything as it was; '' where there was none
put_back() {
  if [ -z "$1" ]; then
    systemctl --quiet disable --now $UNIT $TIMER 2>/dev/null
    systemctl --quiet disable $SETTLE 2>/dev/null # and is perhaps what runs this
    remove_program
    return
  fi
  switch_to "$1"
  start_anew
  if becomes_healthy; then printf 'install.sh: back to %s, which is healthy\n' "$1" >&2
  else printf 'install.sh: %s is not healthy either; see: journalctl -u sovereign\n' "$1" >&2; fi
  end_change
}

# However this ends: a change that is not finished is taken back. But a machine that is shut down while `settle` watches says nothing
# against the new version: `pending` stays, and the next start goes on.
leave() {
  local status=$?
  trap '' HUP INT TERM
  set +e
  if [ "$DO" = settle ] && [ $status -gt 128 ]; then CHANGING=no; fi
  [ $CHANGING = no ] || put_back "$BACK_TO"
  exit $status
}

# change_to RELEASE OLD_RELEASE: with the way back
change_to() {
  begin_change "$2"
  switch_to "$1"
  if [ $CHANGED = no ] && is_healthy; then
    end_change
    say "$1 is installed and healthy already; nothing was changed"
    return 0
  fi
  take_up_rules
  start_anew
  becomes_healthy || give_up "$1" $HEALTHY_SECONDS
  keep_release "$2"
  end_change
  say "$1 runs and is healthy"
}

# give_up RELEASE SECONDS: and back
give_up() {
  printf 'install.sh: %s was not healthy within %s s; its last words:\n' "$1" "$2" >&2
  last_words
  exit 1
}

# keep_release RELEASE: as the one before
keep_release() {
  if [ -n "$1" ] && [ "$1" != "$(current_release)" ]; then link previous "releases/$1"; fi
}

current_release() { basename "$(readlink $PREFIX/current 2>/dev/null || true)"; }

forget_old_releases() {
  local path keep
  keep=$(basename "$(readlink $PREFIX/previous 2>/dev/null || true)")
  for path in "$PREFIX"/releases/*; do
    case $(basename "$path") in
    "$(current_release)" | "$keep") ;;
    *) rm -rf "$path" ;;
    esac
  done
}

# What the last run had begun: the version that it had come to is watched, and put back if it is not healthy. It runs already, or
# tries to: this is the start of the machine.
settle() {
  [ -e $PREFIX/pending ] || { say 'no change was broken off' && return; }
  check_tools
  local new old
  new=$(current_release)
  old=$(good_release)
  NODE=$(readlink -f $PREFIX/node)
  [ -n "$new" ] || refuse 'the installation was broken off before there was a program' 'run install.sh again'
  begin_change "$old"
  switch_to "$new"
  if [ $CHANGED = yes ] || [ -z "$old" ]; then start_anew; fi
  becomes_healthy $BOOT_SECONDS || give_up "$new" $BOOT_SECONDS
  keep_release "$old"
  end_change
  forget_old_releases
  say "$new runs and is healthy: the change that was broken off is done"
}
