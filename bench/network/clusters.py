"""Three nodes of one kind on this machine: how they are started, and when they are ready to be asked."""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request

from . import servers
from .processes import cpu_seconds, die_with_parent

NODES = 3


def await_true(what, condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


class Cluster:
    """`servers_of(ports)` says what to start on these ports."""

    def __init__(self, name, directory, servers_of):
        self.name = name
        self.directory = os.path.join(directory, name)
        os.makedirs(self.directory)
        self.nodes = []
        ports = [servers.free_port() for _ in range(NODES)]
        try:
            for port, server in zip(ports, servers_of(ports)):
                self.nodes.append(servers.Running(server, self.directory, port))
            for node in self.nodes:
                node.wait_until_ready()
        except BaseException:  # Ctrl-C too
            self.end()
            raise

    @property
    def pids(self):
        return [node.process.pid for node in self.nodes]

    def cpu_seconds(self):
        """Of all processes of the nodes that run."""
        return sum(cpu_seconds(node.process.pid) for node in self.nodes if node.process.running())

    def end(self):
        for node in self.nodes:
            node.process.terminate()
        for node in self.nodes:
            node.end()
        shutil.rmtree(self.directory, ignore_errors=True)


class Minivault(Cluster):
    """Behind `delay`, a DelayProxy, where there is one."""

    def __init__(self, program, directory, *flags, name="minivault", delay=None):
        self.delay = None

        def servers_of(ports):
            addresses = [f"127.0.0.1:{port}" for port in ports]
            if delay is not None:
                self.delay = DelayProxy(delay, ports)
                addresses = [f"127.0.0.1:{port}" for port in self.delay.ports]
            return [servers.minivault(program, f"node{i}", "-procs", "1", "-public-url", address,
                                      "-cluster-nodes", ",".join(addresses), *flags)
                    for i, address in enumerate(addresses)]

        super().__init__(name, directory, servers_of)
        try:
            await_true("all nodes reach all nodes", lambda: all(
                self.health(i)["quorum"]["reachable"] == NODES and self.health(i)["complete"] for i in range(NODES)))
        except BaseException:  # Ctrl-C too
            self.end()
            raise

    def health(self, i):
        try:
            with urllib.request.urlopen(f"http://{self.nodes[i].address}/health", timeout=5) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)

    def end(self):
        super().end()
        if self.delay:
            self.delay.end()


class DelayProxy:
    """bench_delay: a port in front of each target, through which all comes later."""

    def __init__(self, program, targets):
        self._process = subprocess.Popen([program, *map(str, targets)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         text=True, preexec_fn=die_with_parent)
        self.ports = [int(port) for port in self._process.stdout.readline().split()]
        self.pid = self._process.pid

    def _tell(self, line):
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().split()

    def set_delay(self, milliseconds):
        self._tell(f"delay {milliseconds}")

    def bytes(self):
        """Through each of them since the beginning, (there, back)."""
        counts = [int(count) for count in self._tell("bytes")]
        return list(zip(counts[::2], counts[1::2]))

    def end(self):
        self._process.stdin.close()
        self._process.wait()


class Redis(Cluster):
    """A primary, first of the nodes, and two replicas; each syncs its file before it goes on."""

    def __init__(self, program, directory):
        def servers_of(ports):
            primary = servers.redis_like(program, "primary", "always")
            primary.command += ["--repl-diskless-sync-delay", "0"]
            replicas = [servers.redis_like(program, f"replica{i}", "always") for i in (1, 2)]
            for replica in replicas:
                replica.command += ["--replicaof", "127.0.0.1", str(ports[0])]
            return [primary, *replicas]

        super().__init__("redis", directory, servers_of)
        try:
            await_true("both replicas follow", lambda: self._info().count("state=online") == NODES - 1)
        except BaseException:  # Ctrl-C too
            self.end()
            raise

    def _info(self):
        with socket.create_connection(("127.0.0.1", self.nodes[0].port), 5) as connection:
            connection.sendall(b"INFO replication\r\n")
            return connection.recv(1 << 16).decode()


class Etcd(Cluster):
    """etcd keeps its own defaults, but for where it listens: each put is on disk at a majority before its answer."""

    def __init__(self, program, directory):
        def servers_of(ports):
            peers = [f"http://127.0.0.1:{servers.free_port()}" for _ in ports]
            everyone = ",".join(f"node{i}={peer}" for i, peer in enumerate(peers))
            return [servers.Server(f"node{i}", "grpc", [
                program, "--name", f"node{i}", "--data-dir", "{dir}/data", "--log-level", "error",
                "--listen-client-urls", f"http://127.0.0.1:{port}",
                "--advertise-client-urls", f"http://127.0.0.1:{port}",
                "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                "--initial-cluster", everyone, "--initial-cluster-state", "new"], "always",
                version=[program, "--version"]) for i, (port, peer) in enumerate(zip(ports, peers))]

        super().__init__("etcd", directory, servers_of)
        try:
            await_true("a leader is elected", lambda: self.leader() is not None)
        except BaseException:  # Ctrl-C too
            self.end()
            raise

    def _ask(self, node, what, question):
        request = urllib.request.Request(f"http://{node.address}/v3/{what}", json.dumps(question).encode())
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)

    def leader(self):
        """The node that leads; asking another would cost one more way."""
        for node in self.nodes:
            try:
                status = self._ask(node, "maintenance/status", {})
            except OSError:
                continue
            if status.get("leader", "0") == status["header"]["member_id"]:
                return node
        return None

    def revision(self):
        """It grows by one with each put."""
        return int(self._ask(self.leader(), "kv/range", {"key": "AA=="})["header"]["revision"])
