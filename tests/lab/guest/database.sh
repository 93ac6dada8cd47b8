# A MariaDB whose data are on a volume, and a writer in it that never stops.
socket=/run/mariadb.sock

# begin DATA
begin() {
    # Newer servers reserve more addresses than a guest has, unless they are told what is enough.
    setsid mariadbd --no-defaults --user=root --skip-networking --skip-log-bin --innodb-buffer-pool-size=32M \
        --loose-innodb-buffer-pool-size-max=32M --innodb-use-native-aio=0 --innodb-log-file-size=8M \
        --innodb-flush-log-at-trx-commit=1 --datadir="$1" --socket=$socket --pid-file=/run/mariadb.pid >/lab/mariadb.log 2>&1 </dev/null &
    until ask 'SELECT 1' >/dev/null 2>&1; do kill -0 $!; done
}

ask() {
    mariadb --no-defaults --socket=$socket --user=root --skip-column-names --batch --execute "$1"
}

# create USER PASSWORD: who may hold it still, and the writer's table.
create() {
    ask "CREATE USER '$1'@'localhost' IDENTIFIED BY '$2'; GRANT RELOAD ON *.* TO '$1'@'localhost';
        CREATE DATABASE lab; CREATE TABLE lab.words (id BIGINT PRIMARY KEY) ENGINE=InnoDB"
}

# Each row is a commit of its own.
write() {
    setsid sh -c 'id=0; while :; do id=$((id + 1)); echo "INSERT INTO lab.words VALUES ($id);"; done |
        mariadb --no-defaults --socket='$socket' --user=root' >/lab/writer.log 2>&1 </dev/null &
}

end() {
    ask SHUTDOWN
    while [ -e /run/mariadb.pid ]; do :; done
}
