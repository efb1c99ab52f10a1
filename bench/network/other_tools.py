"""What the rivals' own load generators say of the same servers: a check that ours is fair."""

import csv
import math
import re
import subprocess
import time

from .processes import cpu_seconds
from .servers import find


def _timed(running, command):
    """Its output, and the processor time that the server used meanwhile."""
    before = cpu_seconds(running.process.pid)
    start = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    seconds = time.monotonic() - start
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout, cpu_seconds(running.process.pid) - before, seconds


def redis_benchmark(running, flags, rate, seconds):
    """As many requests as take about `seconds` at `rate`."""
    requests = max(1000, int(rate * seconds))
    test = "set" if flags.get("-get") == "0" else "get"
    command = [find("redis-benchmark"), "-h", "127.0.0.1", "-p", str(running.port), "-t", test, "-n", str(requests),
               "-r", flags.get("-keys", "100000"), "-P", flags.get("-pipeline", "1"),
               "-c", flags.get("-connections", "50"), "-d", flags.get("-value-size", "100"), "--csv"]
    output, cpu, _ = _timed(running, command)
    row = list(csv.DictReader(output.splitlines()))[0]
    return {"tool": "redis-benchmark", "command": command, "requests_per_second": float(row["rps"]),
            "server_cpu_us": cpu * 1e6 / requests, "p50": float(row["p50_latency_ms"]) * 1000,
            "p99": float(row["p99_latency_ms"]) * 1000}


def _microseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]


def wrk(running, flags, _rate, seconds):
    url = f"http://{running.address}/key:000000000000"
    command = [find("wrk"), "-t1", "-c" + flags.get("-connections", "50"), f"-d{math.ceil(seconds)}s", "--latency", url]
    output, cpu, _ = _timed(running, command)
    requests = int(re.search(r"(\d+) requests in", output).group(1))
    latency = dict(re.findall(r"(50|99)%\s+([\d.]+(?:us|ms|s))", output))
    return {"tool": "wrk", "command": command,
            "requests_per_second": float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1)),
            "server_cpu_us": cpu * 1e6 / requests, "p50": _microseconds(latency["50"]),
            "p99": _microseconds(latency["99"])}


def tool_for(server, flags):
    """The tool that can do this work to this server, or None."""
    if server.protocol == "resp" and find("redis-benchmark"):
        return redis_benchmark
    only_gets = flags.get("-get", "100") == "100" and flags.get("-pipeline", "1") == "1"
    if server.protocol == "http" and only_gets and find("wrk"):
        return wrk
    return None
