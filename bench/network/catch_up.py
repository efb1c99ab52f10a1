"""A node that was away: how fast it gets what it missed."""

import subprocess
import time

from .clusters import Minivault, await_true

KEY_BYTES = 16  # of minivault bench


def _write_distinct(minivault, cluster, keys, value_bytes):
    """Each key once, acknowledged by the two nodes that are there."""
    done = subprocess.run([minivault, "bench", cluster.nodes[0].address, "-preload", "-keys", str(keys), "-value-size",
                           str(value_bytes), "-requests", "1", "-get", "100", "-json"],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"the missed writes failed: {done.stderr}")


def _settle(cluster):
    """What birth and writes left to do, zeros before the log's tail and a checkpoint, is done before anything is measured."""
    def is_at_rest():
        before = cluster.cpu_seconds()
        time.sleep(1)
        logs = [cluster.health(i)["log"] for i in range(2)]
        return (cluster.cpu_seconds() - before < 0.1
                and all(log["tail"] - log["checkpoint"] < 1 << 20 for log in logs))
    await_true("the nodes are at rest", is_at_rest, 120)


def _peer(cluster, i, address):
    return next(peer for peer in cluster.health(i)["peers"] if peer["address"] == address)


def by_stream(minivault, directory, megabytes, value_bytes, *flags):
    """The log still has it all: it comes as the stream of the node that took it."""
    cluster = Minivault(minivault, directory, "-log", "4096", *flags, name=f"stream{value_bytes}")
    try:
        keys = megabytes * 1_000_000 // (KEY_BYTES + value_bytes)
        away = cluster.nodes[2]
        _settle(cluster)
        missed_from = cluster.health(0)["log"]["tail"]
        away.stop()
        _write_distinct(minivault, cluster, keys, value_bytes)
        _settle(cluster)
        missed_to = cluster.health(0)["log"]["tail"]
        sent_before = _peer(cluster, 0, away.address)["bytes_sent"]
        cpu_before = cluster.cpu_seconds()
        away.start()
        started = time.monotonic()
        began = None
        while True:
            peer = _peer(cluster, 0, away.address)
            now = time.monotonic()
            if peer["state"] == "streaming" and peer["acked"] >= missed_to:
                break
            if peer["state"] == "streaming" and peer["acked"] > missed_from:
                began = began or (now, peer["acked"])
            if now > started + 300:
                raise RuntimeError(f"not caught up within 300 s: {peer}")
            time.sleep(0.02)
        if (peer["bytes_sent"] - sent_before) < keys * value_bytes / 2:
            raise RuntimeError(f"the stream did not bring what was missed: {peer}")
        began_at, began_with = began or (started, missed_from)
        seconds = now - began_at
        share = (missed_to - began_with) / (missed_to - missed_from)
        return {"value_bytes": value_bytes, "records": keys, "seconds": seconds,
                "seconds_with_start": now - started,
                "mb_per_second": share * keys * (KEY_BYTES + value_bytes) / 1e6 / seconds,
                "log_mb_per_second": (missed_to - began_with) / 1e6 / seconds,
                "records_per_second": share * keys / seconds,
                "cpu_us_per_record": (cluster.cpu_seconds() - cpu_before) * 1e6 / keys,
                "wire_mb": (peer["bytes_sent"] - sent_before) / 1e6}
    finally:
        cluster.end()


def _last_repair(running):
    with open(running.log_path) as log:
        lines = [line for line in log if "repaired" in line]
    return lines


def by_repair(minivault, directory, megabytes, value_bytes, *flags):
    """The log (512 MB, the default) has lost it: the nodes compare what they hold. Until nothing is owed any more."""
    cluster = Minivault(minivault, directory, *flags, name=f"repair{value_bytes}")
    try:
        keys = megabytes * 1_000_000 // (KEY_BYTES + value_bytes)
        away = cluster.nodes[2]
        away.stop()
        _write_distinct(minivault, cluster, keys, value_bytes)
        _settle(cluster)
        held = cluster.health(0)["keys"]
        cpu_before = cluster.cpu_seconds()
        away.start()
        started = time.monotonic()
        away.wait_until_ready()
        ready = time.monotonic()
        await_true("the node has repaired", lambda: _last_repair(away), 280)
        seconds = time.monotonic() - ready
        cpu = cluster.cpu_seconds() - cpu_before
        await_true("it holds all keys", lambda: cluster.health(2)["keys"] == held, 60)
        return {"value_bytes": value_bytes, "records": keys, "seconds": seconds,
                "seconds_with_start": time.monotonic() - started,
                "mb_per_second": keys * (KEY_BYTES + value_bytes) / 1e6 / seconds,
                "records_per_second": keys / seconds, "cpu_us_per_record": cpu * 1e6 / keys,
                "log_mb_per_second": 0, "repairs": _last_repair(away)}
    finally:
        cluster.end()
