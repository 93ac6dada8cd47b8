# The array: Linux' own target, by its directories in configfs. Volumes are files in memory.
set -e
target=iqn.2026-01.example.lab:array
core=/sys/kernel/config/target/core/fileio_0
group=/sys/kernel/config/target/iscsi/$target/tpgt_1

# begin PORTAL
begin() {
    modprobe -a configfs target_core_mod target_core_file iscsi_target_mod
    mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
    mkdir -p "$core" "/sys/kernel/config/target/iscsi/$target"
    mkdir "$group"
    mkdir "$group/np/$1"
    echo 1 >"$group/attrib/authentication"
    echo 0 >"$group/attrib/generate_node_acls"
    echo 1 >"$group/enable"
}

# make VOLUME BYTES SERIAL: of the serial, the first 25 hex digits are in the volume's id.
make() {
    truncate -s "$2" "/run/$1"
    mkdir "$core/$1"
    echo "fd_dev_name=/run/$1,fd_dev_size=$2" >"$core/$1/control"
    echo "$3" >"$core/$1/wwn/vpd_unit_serial"
    echo 1 >"$core/$1/enable"
}

# admit INITIATOR USER PASSWORD
admit() {
    mkdir "$group/acls/$1"
    printf %s "$2" >"$group/acls/$1/auth/userid"
    printf %s "$3" >"$group/acls/$1/auth/password"
}

# map INITIATOR UNIT VOLUME: the target counts units as the initiator does.
map() {
    mkdir "$group/lun/lun_$2"
    ln -s "$core/$3" "$group/lun/lun_$2/of"
    mkdir "$group/acls/$1/lun_$2"
    ln -s "$group/lun/lun_$2" "$group/acls/$1/lun_$2/of"
}

# unmap INITIATOR UNIT
unmap() {
    rm "$group/acls/$1/lun_$2/of"
    rmdir "$group/acls/$1/lun_$2"
    rm "$group/lun/lun_$2/of"
    rmdir "$group/lun/lun_$2"
}
