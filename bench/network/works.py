"""The kinds of work that are compared, and who takes part in each."""

import dataclasses

from . import servers

JSON_40 = '{"success":true,"data":"0123456789abcd"}'  # 40 bytes, what minivault answers for a value of 14
STATIC = {"10K": 1000, "100K": 200, "1M": 50}  # size of a value: how many of them


@dataclasses.dataclass
class Work:
    name: str
    title: str
    flags: list  # of minivault bench
    contestants: list
    value_bytes: int = 100
    share_of_slowest: float = 0  # open loop at this share of the slowest one's closed-loop rate


@dataclasses.dataclass
class Programs:
    """Paths; None for what is not there."""
    minivault: str
    floor: str = None
    redis: str = None
    valkey: str = None
    memcached: str = None
    nginx: str = None
    others: list = dataclasses.field(default_factory=list)  # servers from the command line


def _minivaults(programs, sync, durable):
    path = programs.minivault
    return [servers.minivault(path, "minivault", "-procs", "1", "-sync", sync, durable=durable),
            servers.minivault(path, "minivault x2", "-procs", "2", "-sync", sync, durable=durable)]


def _checkpointing(programs):
    """A checkpoint is due when an eighth of the log is: of so small a log after some ten thousand writes."""
    return servers.minivault(programs.minivault, "minivault -log 16MB", "-procs", "1", "-sync", "always", "-log", "16MB",
                             durable="always")


def _rivals(programs, durable, *, memcached=False):
    found = []
    for name, path in (("redis", programs.redis), ("valkey", programs.valkey)):
        if path:
            found.append(servers.redis_like(path, name, durable))
    if memcached and programs.memcached:
        found += [servers.memcached(programs.memcached, 1), servers.memcached(programs.memcached, 4)]
    found += [other for other in programs.others if other.protocol != "http" and other.durable == durable]
    return found


def _over_http(server):
    return dataclasses.replace(server, name=server.name + " http", protocol="http")


def _http_rivals(programs, nginx_name, location, files=None):
    found = [other for other in programs.others if other.protocol == "http"]
    if programs.nginx:
        found.append(servers.nginx(programs.nginx, nginx_name, location, files))
    return found


def _static_work(programs, size, count, filler):
    bytes_ = int(size[:-1]) << (10 if size.endswith("K") else 20)
    files = {f"key:{number:012d}": filler * bytes_ for number in range(count)}
    mine = _minivaults(programs, "always", "always")[0]
    contestants = [mine, _over_http(mine), *_http_rivals(programs, "nginx file", "root {dir};", files)]
    return Work(f"get-{size.lower()}", f"GET of {size} values", ["-value-size", size, "-keys", str(count)],
                contestants, bytes_)


def all_works(programs):
    floor = [servers.floor(programs.floor, 100)] if programs.floor else []
    always = _minivaults(programs, "always", "always")
    interval = _minivaults(programs, "interval:1000", "interval")
    memory = _rivals(programs, "no", memcached=True)
    deep = ["-pipeline", "64"]
    sets = ["-get", "0"]
    http = [_over_http(always[0]), *_http_rivals(programs, "nginx return", f"return 200 '{JSON_40}';")]
    return [
        Work("get-p64", "GET, pipeline 64", deep, [*always, *memory, *floor]),
        Work("set-p64-always", "SET, pipeline 64, on disk before the answer", deep + sets,
             [*always, *_rivals(programs, "always"), *floor]),
        Work("set-p64-interval", "SET, pipeline 64, on disk a second later", deep + sets,
             [*interval, *_rivals(programs, "interval"), *floor]),
        Work("get-p1", "GET, pipeline 1", [], [*always, *memory, *floor]),
        Work("set-p1-always", "SET, pipeline 1, on disk before the answer", sets,
             [*always, *_rivals(programs, "always"), *floor]),
        Work("http-get", "HTTP GET of a 40 byte body", ["-value-size", "14"], http, 14),
        Work("http-get-p16", "HTTP GET of a 40 byte body, pipeline 16", ["-value-size", "14", "-pipeline", "16"], http,
             14),
        Work("http-put", "HTTP PUT, on disk before the answer", sets, [_over_http(always[0])]),
        *[_static_work(programs, size, count, "x") for size, count in STATIC.items()],
        Work("busy-100", "GET, 100 connections", ["-connections", "100"], always),
        Work("busy-100-of-10000", "GET, 100 connections, 9900 idle ones beside them",
             ["-connections", "100", "-idle", "9900"], always),
        Work("latency-get", "GET, open loop at half of the slowest one's rate", [],
             [always[0], *_rivals(programs, "no")], share_of_slowest=0.5),
        Work("latency-set", "SET, on disk before the answer, open loop at half of the slowest one's rate", sets,
             [always[0], *_rivals(programs, "always")], share_of_slowest=0.5),
        Work("latency-set-checkpoint", "SET as in latency-set, beside a node with checkpoints all the time (-log 16MB)", sets,
             [always[0], _checkpointing(programs)], share_of_slowest=0.5),
    ]
