#!/bin/bash
# The first process of a guest. Its root is this machine's, read-only, below what was unpacked for the lab and a file system in
# memory for all that is written. Then it carries out one script after the other, as the console names them.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
mount -t proc proc /proc && mount -t sysfs sys /sys
# The kernel would start a program for every event.
echo >/proc/sys/kernel/hotplug
of() { tr ' ' '\n' </proc/cmdline | sed -n "s/^lab\.$1=//p"; }
name=$(of name) folder=$(of folder) layer=$(of layer) address=$(of address) kernel=$(uname -r)
modules=/usr/lib/uml/modules/$kernel

mount -t tmpfs tmpfs /mnt && mkdir /mnt/{machine,layer,written,work,root}
(exec -a insmod "$layer/usr/bin/kmod" "$layer$modules/kernel/fs/overlayfs/overlay.ko")
mount -t hostfs -o / none /mnt/machine -r
mount -t hostfs -o "$layer" none /mnt/layer -r
mount -t overlay -o lowerdir=/mnt/layer:/mnt/machine,upperdir=/mnt/written,workdir=/mnt/work overlay /mnt/root

cd /mnt/root
mkdir -p proc sys dev run tmp lab
mount -n --move /proc proc && mount -n --move /sys sys && mount -n -t devtmpfs dev dev
mount -n -t tmpfs run run && mount -n -t tmpfs tmp tmp && mount -n -t hostfs -o "$folder" none lab
mkdir -p run/lock/iscsi etc/iscsi usr/lib/modules
ln -sfn "$modules" "usr/lib/modules/$kernel"
echo "InitiatorName=iqn.2026-01.example.lab:$name" >etc/iscsi/initiatorname.iscsi
hostname "$name"
echo "$name" | md5sum | cut -d" " -f1 >etc/machine-id
ip link set lo up && ip link set vec0 up && ip address add "$address" dev vec0

stty -echo
echo "LAB 0 0"
exec chroot /mnt/root /bin/sh -c '
    while read -r number; do
        sh "/lab/$number.sh" >"/lab/$number.out" 2>&1 </dev/null
        status=$?
        sync "/lab/$number.out"
        echo "LAB $number $status"
    done
    # Nobody is there any more.
    echo o >/proc/sysrq-trigger
'
