"""On what a run was measured: a part of its figures."""

import os
import platform
import subprocess
import sys
import time


def described(directory):
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "?")
    filesystem = subprocess.run(["stat", "--file-system", "--format=%T", directory], capture_output=True, text=True,
                                check=False).stdout.strip()
    return {"processor": model, "cores": len(os.sched_getaffinity(0)), "kernel": platform.release(),
            "filesystem": filesystem, "load_average": os.getloadavg()[0],
            "time": time.strftime("%Y-%m-%dT%H:%M:%S%z")}


def show(what, program):
    print(f"{what['processor']}, {what['cores']} cores, kernel {what['kernel']}, {what['filesystem']}, "
          f"load average {what['load_average']:.1f}")
    if what["filesystem"] in ("tmpfs", "ramfs"):
        print(f"{program}: --dir is in memory: syncing costs nothing there, durable rows mean little", file=sys.stderr)
    if what["load_average"] > 1:
        print(f"{program}: others use this machine too: trust CPU time before rates", file=sys.stderr)
