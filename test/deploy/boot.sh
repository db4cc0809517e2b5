#!/usr/bin/env bash
# Boots a systemd as process 1 of name spaces of its own, over files that are gone with it, without a network. Becomes that
# systemd.
#
#     unshare --mount --pid --uts --ipc --net --cgroup --fork boot.sh SYSTEM WORK SHARED
#
# SYSTEM: whose files these are, which stay as they are: / for this machine, or what debootstrap has made. WORK: an empty
# directory, where all this is put together. SHARED: appears as /mnt.
set -euo pipefail
system=$1 work=$2 shared=$3 root=$2/root

mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$work"
mkdir "$work/upper" "$work/overlay" "$root"
mount -t overlay -o "lowerdir=$system,upperdir=$work/upper,workdir=$work/overlay" overlay "$root"

mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mount --bind "$shared" "$root/mnt"

mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for name in null zero full random urandom tty; do
  touch "$root/dev/$name"
  mount --bind "/dev/$name" "$root/dev/$name"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"

# Nothing of this machine's own services is to begin there: no broker, no metrics, no time.
rm -rf "$root"/etc/systemd/system/*.wants "$root/etc/machine-id"
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
mkdir "$root/.old"
cd "$root"
pivot_root . .old
cd /
umount -l /.old
rmdir /.old
# As process 1 of a machine would: credentials are mounted by a process beside it.
mount --make-rshared /
exec env -i container=test PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  /lib/systemd/systemd --system --unit=multi-user.target --log-target=journal --show-status=0
