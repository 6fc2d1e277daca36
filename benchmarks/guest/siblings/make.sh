#!/bin/sh
# Makes memory images of virtual machines with the same system that do different work: siblings.
# Each boots once in QEMU, works for a while, and its memory is saved.
#
#   make.sh FOLDER [NAME...]    all of siblings.tsv that are not in FOLDER, or those named
#
# FOLDER then has NAME.ram for each and images.json, which says what they are. Takes a minute and
# 256 MiB for each of them. No rights of the superuser are needed.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 1 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
mkdir -p "$1"
folder=$(cd "$1" && pwd)
shift

# What is not there, as the names of Debian packages.
packages=
need() { [ -e "$1" ] || packages="$packages $2"; }
need_program() { command -v "$1" > /dev/null || packages="$packages $2"; }
need_program qemu-system-x86_64 qemu-system-x86
need_program cpio cpio
need /bin/busybox busybox-static
need /usr/bin/python3 python3
need /usr/bin/perl perl-base
kernel=$(ls -v /boot/vmlinuz-*-cloud-amd64 2> /dev/null | tail -n 1)
[ -n "$kernel" ] || packages="$packages linux-image-cloud-amd64"
if [ -z "$packages" ]; then
  ldd /bin/busybox > /dev/null 2>&1 && packages=busybox-static
fi
if [ -n "$packages" ]; then
  echo "missing: apt-get install$packages" >&2
  exit 2
fi

python=$(readlink -f /usr/bin/python3)
modules=/lib/modules/${kernel#/boot/vmlinuz-}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

# One program with the libraries that it is linked with.
add_program() {
  mkdir -p "$root/usr/bin"
  cp "$1" "$root/usr/bin/$2"
  ldd "$1" | grep -o '/[^ ]*' | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
  done
}

for name in bin dev etc/crontabs modules proc root sys tmp var/log; do mkdir -p "$root/$name"; done
cp /bin/busybox "$root/bin/busybox"
/bin/busybox --list | grep -vx busybox | while read -r name; do ln -s busybox "$root/bin/$name"; done
add_program "$python" python3
add_program /usr/bin/perl perl
perl_base=$(ls -d /usr/lib/*/perl-base)
mkdir -p "$root$(dirname "$perl_base")"
cp -r "$perl_base" "$root$perl_base"
library=/usr/lib/$(basename "$python")
cp -r "$library" "$root/usr/lib/"
rm -rf "$root$library"/config-* "$root$library"/test "$root$library"/dist-packages
find "$root$library" \( -name __pycache__ -o -xtype l \) -prune -exec rm -rf {} +
cp /etc/passwd /etc/group /etc/services /etc/protocols "$root/etc/"
# Both with what they depend on: a line has the last one to load first.
for module in virtio_pci virtio_net; do
  grep "/$module\.ko[^ ]*:" "$modules/modules.dep" | tr -d : | tr ' ' '\n' | tac
done | awk '!seen[$0]++' | while read -r module; do
  cp "$modules/$module" "$root/modules/"
  basename "$module" >> "$root/modules/order"
done
cp "$here/service.py" "$root/service.py"
cp "$here/init.sh" "$root/init"
chmod +x "$root/init"

initramfs=$folder/siblings.cpio.gz
(cd "$root" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 | gzip -1n) > "$initramfs"
nice python3 "$here/boot.py" "$here/siblings.tsv" "$kernel" "$initramfs" "$folder" "$@"
