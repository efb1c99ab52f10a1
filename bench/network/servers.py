"""The servers: how each is started, with all its settings on its command line or in a file that is shown."""

import dataclasses
import os
import shutil
import socket
import subprocess
import time

from .processes import Process

PACKAGES = {"redis-server": "redis-server", "memcached": "memcached", "nginx": "nginx-light",
            "redis-benchmark": "redis-tools", "wrk": "wrk"}


@dataclasses.dataclass
class Server:
    """A kind of server. `command` holds {port} and {dir}; `files` are written to {dir} before it starts."""
    name: str
    protocol: str  # of minivault bench
    command: list
    durable: str = "no"  # "no", "interval" or "always": what an answered SET has survived
    writable: bool = True
    files: dict = dataclasses.field(default_factory=dict)
    version: list = None  # the command that tells it
    rival: bool = True  # not minivault, not the floor


def find(program):
    """Its path, sbin too; None where there is none."""
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def install_missing(programs):
    """With apt-get, where there is one and we may; else says what is missing and goes on without."""
    packages = sorted({PACKAGES[program] for program in programs if not find(program)})
    if not packages:
        return
    command = ["apt-get", "install", "--quiet", "--quiet", "--yes", "--no-install-recommends", *packages]
    if os.geteuid() != 0:
        command = ["sudo", "--non-interactive", *command]
    if not find("apt-get") or not find(command[0]):
        print(f"compare: left out, for they are not installed: {' '.join(packages)}")
        return
    print(f"compare: installing {' '.join(packages)}", flush=True)
    subprocess.run(command, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, check=False,
                   stdout=subprocess.DEVNULL)


def minivault(path, name, *flags, durable="always"):
    command = [path, "-config", "{dir}/empty.conf", "-data", "{dir}/data", "-bind", "127.0.0.1", "-port", "{port}",
               *flags]
    return Server(name, "binary", command, durable, files={"empty.conf": ""}, version=[path, "-version"],
                  rival=False)


def redis_like(path, name, durable):
    """Redis or Valkey. Their default is one thread for all commands."""
    append = {"no": ["--appendonly", "no"],
              "interval": ["--appendonly", "yes", "--appendfsync", "everysec"],
              "always": ["--appendonly", "yes", "--appendfsync", "always"]}[durable]
    command = [path, "--bind", "127.0.0.1", "--port", "{port}", "--dir", "{dir}", "--save", "", *append]
    return Server(name, "resp", command, durable, version=[path, "--version"])


def memcached(path, threads):
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    command = [path, "-l", "127.0.0.1", "-p", "{port}", "-U", "0", "-m", "1024", "-t", str(threads), *user]
    return Server(f"memcached -t{threads}", "memcache", command, version=[path, "--version"])


NGINX_CONF = """daemon off;
worker_processes 1;
user root;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
events {{ worker_connections 20000; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  sendfile on;
  tcp_nopush on;
  open_file_cache max=20000;
  client_body_temp_path {dir}/body;
  proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi;
  scgi_temp_path {dir}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location / {{ {location} }}
  }}
}}
"""


def nginx(path, name, location, files=None):
    """`location`: what it does with every path. It stores nothing."""
    conf = NGINX_CONF.replace("{location}", location.replace("{", "{{").replace("}", "}}").replace(
        "{{dir}}", "{dir}"))
    return Server(name, "http", [path, "-p", "{dir}", "-c", "{dir}/nginx.conf"], writable=False,
                  files={"nginx.conf": conf, **(files or {})}, version=[path, "-v"])


def floor(path, value_bytes):
    return Server("floor", "binary", [path, "{port}", str(value_bytes)], rival=False)


def given(text):
    """NAME[@DURABLE]=PROTOCOL:COMMAND from the command line."""
    name, equals, rest = text.partition("=")
    protocol, colon, command = rest.partition(":")
    name, _, durable = name.partition("@")
    if not equals or not colon or protocol not in ("binary", "http", "resp", "memcache"):
        raise ValueError(f"--server {text}: want NAME[@always|@interval]=PROTOCOL:COMMAND with {{port}} in it")
    return Server(name, protocol, command.split(), durable or "no")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Running:
    """A started server; end() ends it and removes what it stored. stop() and start() are for one that goes away for a
    while."""

    def __init__(self, server, parent_directory, port=None):
        self.server = server
        self.port = port or free_port()
        self.memory_at_start = 0  # set once it is ready: connections that ended leave memory that the next ones use
        self.directory = os.path.join(parent_directory, server.name.replace(" ", "_"))
        os.makedirs(self.directory)
        for name, content in server.files.items():
            with open(os.path.join(self.directory, name), "w") as file:
                file.write(self._filled(content) if name.endswith(".conf") else content)
        self.command = [self._filled(word) for word in server.command]
        self.log_path = os.path.join(parent_directory, f"{os.path.basename(self.directory)}.log")
        self.start()

    def start(self):
        self.process = Process(self.command, self.log_path)

    def stop(self):
        self.process.end()

    def _filled(self, text):
        return text.format(port=self.port, dir=self.directory) if "{" in text else text

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def wait_until_ready(self, seconds=60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.running():
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"{self.server.name} does not listen: {' '.join(self.command)}\n{self.process.log_tail()}")

    def end(self):
        self.process.end()
        shutil.rmtree(self.directory, ignore_errors=True)
