"""Runs become lines: medians, and how far the runs lie apart."""

import statistics


def median(runs, value):
    return statistics.median(value(run) for run in runs)


def spread(runs, value):
    """Half the way from the smallest to the largest, in percent of the median."""
    values = [value(run) for run in runs]
    middle = statistics.median(values)
    return 100 * (max(values) - min(values)) / 2 / middle if middle else 0


def rate(run):
    return run["requests_per_second"]


def cpu(run):
    return run["server_cpu_us"]["total"]


def with_spread(text, runs, value):
    return f"{text} ±{spread(runs, value):.0f}%"


def _line(name, runs, value_bytes):
    latency = [f"{median(runs, lambda run, q=q: run['latency_us'][q]):,.0f}" for q in ("p50", "p99", "p99.9")]
    failed = sum(sum(run["errors"].values()) for run in runs)
    cells = [name, with_spread(f"{median(runs, rate):,.0f}", runs, rate),
             with_spread(f"{median(runs, cpu):.2f}", runs, cpu), *latency,
             f"{median(runs, lambda run: run['own_cpu_us']):.2f}"]
    if value_bytes >= 10_000:
        used = median(runs, cpu)
        cells.append(f"{value_bytes / used:,.0f}" if used else "-")
    if failed:
        cells.append(f"{failed} errors!")
    return cells


def _tool_line(name, figures):
    return [f"  {figures['tool']}: {name}", f"{figures['requests_per_second']:,.0f}",
            f"{figures['server_cpu_us']:.2f}", f"{figures['p50']:,.0f}", f"{figures['p99']:,.0f}"]


def aligned(rows):
    columns = max(len(row) for row in rows)
    widths = [max(len(row[i]) for row in rows if i < len(row)) for i in range(columns)]
    return "\n".join("  " + "  ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                                      for i, (cell, width) in enumerate(zip(row, widths))) for row in rows)


def _shares(name, runs):
    """How several workers shared the processor time that all of them used; None where there is one."""
    used = [[process["us"] for process in run["server_cpu_us"]["processes"] if process["name"].startswith("worker")]
            for run in runs]
    if any(len(workers) < 2 or sum(workers) == 0 for workers in used):
        return None
    worst = max(max(abs(one * len(workers) / sum(workers) - 1) for one in workers) for workers in used)
    return f"  {name}: its workers used equal parts of its time, ±{100 * worst:.0f}% in the least equal run"


def _memory(name, runs):
    """What an idle connection costs; None where there are none."""
    costs = [run["memory_grown_bytes"] / run["idle_connections"] for run in runs if run.get("memory_grown_bytes")]
    if not costs:
        return None
    return f"  {name}: {statistics.median(costs) / 1024:.2f} KB of its own memory for an idle connection"


def of_work(title, runs_by_name, tools_by_name, value_bytes):
    """One work as text. `runs_by_name` is in the order to show."""
    header = ["", "req/s", "CPU us/req", "p50 us", "p99 us", "p99.9 us", "generator us"]
    if value_bytes >= 10_000:
        header.append("MB/CPU s")
    rows = [header]
    for name, runs in runs_by_name.items():
        rows.append(_line(name, runs, value_bytes))
    for name, figures in tools_by_name.items():
        rows.append(_tool_line(name, figures))
    notes = [note for name, runs in runs_by_name.items() for note in (_shares(name, runs), _memory(name, runs)) if note]
    return "\n".join(["", title, aligned(rows), *notes])
