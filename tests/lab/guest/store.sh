# A machine with a thin pool and an ssh server. There is no udevd that LVM could wait for, and no dmeventd.
set -e
modprobe -a dm-mod dm-thin-pool configfs target_core_mod target_core_iblock iscsi_target_mod
mkdir -p /etc/lvm
cat >/etc/lvm/lvm.conf <<'END'
devices { types = ["ubd", 16] }
activation {
    monitoring = 0
    udev_sync = 0
    udev_rules = 0
    verify_udev_operations = 1
}
END

make_pool() {
    lvm vgcreate --yes vg /dev/ubda
    lvm lvcreate --yes --type thin-pool --extents 90%FREE --name pool vg
}

# After a restart.
find_pool() {
    lvm vgchange --activate y vg
}

let_in() {
    mkdir -p /run/sshd /root/.ssh
    # Of the machine that the guests run on; it may do anything.
    rm -f /root/.bashrc
    cp /lab/host /run/sshd/key && chmod 600 /run/sshd/key
    cp /lab/client.pub /root/.ssh/authorized_keys
    chmod 700 /root /root/.ssh && chmod 600 /root/.ssh/authorized_keys
    grep -q '^sshd:' /etc/passwd || echo 'sshd:x:22:65534::/run/sshd:/usr/sbin/nologin' >>/etc/passwd
    /usr/sbin/sshd -f /dev/null -h /run/sshd/key -o UsePAM=no -o PermitRootLogin=yes -o StrictModes=no -o UseDNS=no
}
