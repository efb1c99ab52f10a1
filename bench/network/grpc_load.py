"""Asks etcd as its own clients do: puts over gRPC, some under way on each of 64 connections. The generator is h2load, an HTTP/2
load generator; what it cannot do is to vary the body, so all puts go to one key. That every put was taken is seen from etcd's
revision."""

import os
import re
import subprocess

from .servers import find

KEY = b"key:000000000000"
VALUE_BYTES = 100


def tool():
    return find("h2load")


def _field(number, content):
    """Of a protobuf message, bytes shorter than 128."""
    return bytes([number << 3 | 2, len(content)]) + content


def _put_request(key, value):
    message = _field(1, key) + _field(2, value)
    return b"\x00" + len(message).to_bytes(4, "big") + message  # not compressed


def puts(cluster, streams, seconds):
    body = os.path.join(cluster.directory, "put")
    log = os.path.join(cluster.directory, "h2load.log")
    with open(body, "wb") as file:
        file.write(_put_request(KEY, b"x" * VALUE_BYTES))
    command = [tool(), "-D", str(seconds), "-c", "64", "-m", str(streams), "-t", "1", "-d", body, "--log-file", log,
               "-H", "content-type: application/grpc", "-H", "te: trailers",
               f"http://{cluster.leader().address}/etcdserverpb.KV/Put"]
    before, cpu_before, own_before = cluster.revision(), cluster.cpu_seconds(), os.times()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    own_after, cpu = os.times(), cluster.cpu_seconds() - cpu_before
    answered = re.search(r"requests: .*? (\d+) succeeded, (\d+) failed", done.stdout)
    if done.returncode != 0 or not answered:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()} {done.stdout.strip()}")
    answers, written = int(answered.group(1)), cluster.revision() - before
    if written < answers:
        raise RuntimeError(f"etcd answered {answers} puts and took {written}")
    own = own_after.children_user + own_after.children_system - own_before.children_user - own_before.children_system
    times = sorted(int(line.split()[2]) for line in open(log))
    os.remove(log)
    return {"command": command, "answers": answers, "written": written, "requests_per_second": answers / seconds,
            "server_cpu_us": {"total": cpu * 1e6 / written}, "own_cpu_us": own * 1e6 / answers,
            "latency_us": {name: times[min(len(times) - 1, int(len(times) * fraction))]
                           for name, fraction in (("p50", 0.5), ("p99", 0.99))}}
