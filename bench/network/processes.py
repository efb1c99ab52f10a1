"""Processes: started so that they end with us, ended by their pid, and how much processor time they used."""

import ctypes
import os
import signal
import subprocess

PR_SET_PDEATHSIG = 1
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Process:
    """A server. In a session of its own, so that Ctrl-C reaches it through end() and not before."""

    def __init__(self, command, log_path):
        self._log = open(log_path, "wb")
        self._log_path = log_path
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
                                         start_new_session=True, preexec_fn=die_with_parent)
        self.pid = self._process.pid

    def running(self):
        return self._process.poll() is None

    def log_tail(self):
        with open(self._log_path, errors="replace") as log:
            return "".join(log.readlines()[-10:])

    def terminate(self):
        """Asks it to end; end() waits."""
        if self.running():
            self._process.terminate()

    def end(self):
        if self.running():
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()
        self._log.close()


def _stat(pid):
    """Parent and ticks of user, system, and of children that were waited for."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[1]), sum(map(int, fields[11:15]))


def _family(root):
    """A process and all that descend from it, with what _stat() says of each."""
    stats = {int(name): _stat(name) for name in os.listdir("/proc") if name.isdigit()}
    family = [root]
    for pid in family:
        family += [child for child, stat in stats.items() if stat and stat[0] == pid]
    return {pid: stats[pid] for pid in family if stats.get(pid)}


def cpu_seconds(root):
    """Of a process and all that descend from it."""
    return sum(ticks for _, ticks in _family(root).values()) / TICKS_PER_SECOND


def memory_bytes(root):
    """Anonymous memory of a process and all that descend from it; the kernel's for their sockets is not in it."""
    total = 0
    for pid in _family(root):
        try:
            with open(f"/proc/{pid}/smaps_rollup") as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith("Anonymous:"))
        except OSError:
            continue  # it has ended meanwhile
    return total * 1024
