#!/usr/bin/env python3
"""The vendor's own drivers, as they come with OpenStack's Cinder, against the emulator of the tests.

    judge.py EMULATOR [field|status|code]

EMULATOR is the program that `cargo build -p sanfleet-driver-nexentastor --example emulator` makes. With a second word the emulator is
broken on purpose, and the judge has to notice: then it ends with 1, as for any other fault.

What is judged is whether these drivers can live with the emulator: its paths, fields, codes, pages, jobs and late lists. They know
nothing of releases, sizes or space beyond what they send.
"""

import contextlib
import pathlib
import subprocess
import sys
import tempfile
import traceback

from oslo_config import cfg

from cinder import context
from cinder import coordination
from cinder.volume import configuration
from cinder.volume.drivers.nexenta import iscsi as nms_iscsi
from cinder.volume.drivers.nexenta.ns5 import iscsi as rest_iscsi

CONF = cfg.CONF
GIB = 1 << 30
INITIATOR = "iqn.2026-01.example:judge"


@contextlib.contextmanager
def emulator(program, release, wrong):
    """The address, user and password of a running emulator."""
    words = [program, release] + ([f"wrong-{wrong}"] if wrong else [])
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield [process.stdout.readline().rstrip("\n") for _ in range(3)]
        process.stdin.close()


def configured(kind, group, door, **more):
    """A driver of that kind, set up for the appliance behind the door."""
    (address, user, password) = door
    host, port = address.rsplit(":", 1)
    settings = configuration.Configuration(kind.get_driver_options(), config_group=group)
    values = {
        "nexenta_host": "192.0.2.10",
        "nexenta_rest_port": int(port),
        "nexenta_user": user,
        "nexenta_password": password,
        "nexenta_volume": "tank",
        **more,
    }
    if kind is rest_iscsi.NexentaISCSIDriver:
        values.update(nexenta_rest_address=host, nexenta_use_https=False, nexenta_rest_backoff_factor=0)
    else:
        values.update(nexenta_host=host, nexenta_rest_protocol="http")
    for name, value in values.items():
        CONF.set_override(name, value, group=group)
    driver = kind(configuration=settings, execute=None, host="judge")
    driver.do_setup(context.get_admin_context())
    driver.check_for_setup_error()
    return driver


def volume(name, size=1):
    return {"id": name, "name": name, "size": size, "volume_name": name, "provider_location": None,
            "volume_attachment": []}


def snapshot(name, of):
    return {"id": name, "name": name, "volume_name": of["name"], "volume_size": of["size"], "volume": of,
            "volume_id": of["id"]}


def must(holds, what):
    if not holds:
        raise AssertionError(what)


def rest(door):
    """Release 5: a volume's life, and that of its copies."""
    driver = configured(rest_iscsi.NexentaISCSIDriver, "judge_rest", door, nexenta_volume_group="judged")
    first, copy = volume("first"), volume("copy", 2)
    for name in ("a", "b", "c", "d"):
        driver.create_volume(volume(name))
    driver.create_volume(first)
    listed = driver.nef.volumes.list({"parent": "tank/judged", "fields": "name,guid,path,volumeSize"})
    must({row["name"] for row in listed} == {"a", "b", "c", "d", "first"}, f"all pages are read: {listed}")
    must(all(row["volumeSize"] == GIB for row in listed), f"sizes are bytes: {listed}")
    driver.extend_volume(first, 2)
    taken = snapshot("noon", first)
    driver.create_snapshot(taken)
    driver.create_volume_from_snapshot(copy, taken)
    detail = driver.nef.snapshots.get("tank/judged/first@noon", {"fields": "clones,creationTxg"})
    must(detail["clones"] == ["tank/judged/copy"], f"a snapshot tells its clones: {detail}")
    driver.revert_to_snapshot(None, first, taken)

    seen = driver.initialize_connection(copy, {"initiator": INITIATOR, "multipath": True})["data"]
    again = driver.initialize_connection(copy, {"initiator": INITIATOR, "multipath": True})["data"]
    must(seen["target_luns"] == again["target_luns"] != [], f"a mapping is found again: {seen}, {again}")
    must(seen["target_portals"] == ["192.0.2.10:3260"], f"its target has a portal: {seen}")
    other = driver.initialize_connection(volume("a"), {"initiator": INITIATOR})["data"]
    must(other["target_lun"] not in seen["target_luns"], f"two volumes have two numbers: {seen}, {other}")
    units = driver.nef.logicalunits.list({"fields": "guid", "volume": "tank/judged/copy"})
    must(len(units) == 1 and units[0]["guid"].startswith("600144F0"), f"a mapped volume has a unit: {units}")
    driver.terminate_connection(copy, {"initiator": INITIATOR})
    driver.terminate_connection(volume("a"), {"initiator": INITIATOR})

    # A source that has a clone: the driver promotes that first.
    driver.delete_volume(first)
    must(driver.nef.volumes.get("tank/judged/copy")["originalSnapshot"] in ("", None), "a promoted clone has no origin")
    for name in ("copy", "a", "b", "c", "d"):
        driver.delete_volume(volume(name))
    driver.delete_volume(first)
    must(driver.nef.volumes.list({"parent": "tank/judged"}) == [], "nothing is left")

    files = driver.nef.filesystems
    files.create({"path": "tank/files", "referencedQuotaSize": GIB})
    told = files.get("tank/files", {"fields": "mountPoint,isMounted,bytesAvailable,bytesUsed"})
    must(told["mountPoint"] == "/tank/files" and told["bytesAvailable"] + told["bytesUsed"] == GIB, f"{told}")
    rules = {"securityModes": ["sys"], "readWriteList": [{"etype": "fqdn", "entity": "*"}],
             "readOnlyList": [{"etype": "fqdn", "entity": "none"}]}
    driver.nef.nfs.create({"filesystem": "tank/files", "anon": "root", "securityContexts": [rules]})
    must(driver.nef.nfs.get("tank/files")["shareState"] == "online", "a share is online")
    driver.nef.nfs.delete("tank/files")
    files.delete("tank/files", {"force": True, "snapshots": True})
    driver.get_volume_stats(True)


def nms(door):
    """Releases 3 and 4: the same, as far as they have it."""
    driver = configured(nms_iscsi.NexentaISCSIDriver, "judge_nms", door)
    first, copy = volume("first"), volume("copy")
    driver.create_volume(first)
    driver.extend_volume(first, 2)
    taken = snapshot("noon", first)
    driver.create_snapshot(taken)
    driver.create_volume_from_snapshot(copy, taken)
    props = driver.nms.zvol.get_child_props("tank/copy", "origin")
    must(props["origin"] == "tank/first@noon", f"a clone tells its origin: {props}")
    exported = driver.create_export(None, first, {"initiator": INITIATOR})
    must(exported["provider_location"].endswith(" 0"), f"an export has a number: {exported}")
    driver.ensure_export(None, dict(first, provider_location=exported["provider_location"]))
    driver.remove_export(None, dict(first, provider_location=exported["provider_location"]))
    # A snapshot with a clone stays until the clone goes.
    driver.delete_snapshot(taken)
    must(driver.nms.snapshot.get_names("tank/first") == ["tank/first@noon"], "a snapshot with a clone stays")
    driver.delete_volume(copy)
    driver.delete_volume(first)
    driver.delete_volume(first)
    must(driver.nms.zvol.get_names("") == [], f"nothing is left: {driver.nms.zvol.get_names('')}")
    stats = driver.get_volume_stats(True)
    must(stats["total_capacity_gb"] == 64, f"a pool tells its size: {stats}")


def main():
    program, wrong = sys.argv[1], (sys.argv[2:] or [None])[0]
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        CONF([], project="cinder", default_config_files=[])
        CONF.set_override("state_path", folder)
        CONF.set_override("backend_url", pathlib.Path(folder).as_uri(), group="coordination")
        coordination.COORDINATOR.start()
        for release, judge in (("rest", rest), ("nms", nms)):
            try:
                with emulator(program, release, wrong) as door:
                    judge(door)
                print(f"passed   {release}")
            except Exception:  # whatever the vendor's code makes of it is a judgement
                failed += 1
                print(f"FAILED   {release}\n{traceback.format_exc(limit=-3)}")
        coordination.COORDINATOR.stop()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
