"""Results as a table with ranges, goals beside them."""
import statistics

# What is shown: title, measure, word, digits; the goal as a figure or as a share of serf's.
ROWS = (("all alive after starting at once, s", "start", "all_alive_s", 1, 15, None),
        ("  healthy ones called down meanwhile", "start", "false_down", 0, 0, None),
        ("last node knows a kill, s", "kill", "last_s", 2, 5, None),
        ("  healthy ones called down meanwhile", "kill", "false_down", 0, 0, None),
        ("last node knows a SIGSTOP, s", "pause", "last_s", 2, 5, None),
        ("  back after SIGCONT, s", "pause", "back_s", 2, None, None),
        ("  healthy ones called down meanwhile", "pause", "false_down", 0, 0, None),
        ("event at the median node, ms", "event", "half_ms", 0, None, None),
        ("event at the last node, ms", "event", "last_ms", 0, 100, None),
        ("  events that did not arrive everywhere", "event", "lost", 0, 0, None),
        ("idle, IP bytes/s sent", "idle", "bytes_per_s", 0, None, 1.0),
        ("idle, packets/s sent", "idle", "packets_per_s", 2, None, None),
        ("idle, CPU % above a node alone", "idle", "cpu_above", 3, None, 0.3),
        ("idle, RSS MiB", "idle", "rss_mib", 1, None, None),
        ("idle, Pss MiB", "idle", "pss_mib", 1, None, None),
        ("idle, RSS MiB above a node alone", "idle", "rss_above", 2, None, 0.25),
        ("  other programs, % of the CPUs", "idle", "foreign_percent", 0, None, None),
        ("load, changes/s seen", "load", "seen_per_s", 1, None, None),
        ("  of those that were made, missed", "load", "missed_per_s", 1, 0.6, None),
        ("load, age p50, s", "load", "age_p50_s", 2, 0.6, None),
        ("load, age p99, s", "load", "age_p99_s", 2, 1.5, None),
        ("load, KiB/s sent", "load", "kib_per_s", 1, 8, None),
        ("load, CPU %", "load", "cpu_percent", 2, None, None),
        ("  other programs, % of the CPUs", "load", "foreign_percent", 0, None, None))

WORST = ("start", "pause", "kill")  # the worst case has to meet the goal; elsewhere the median


def complete(result):
    """Figures that are made of others. serf's are shown whole: it has no other job."""
    for name, rounds in result.items():
        for r in rounds:
            if "idle" in r:
                zero = {"cpu_percent": 0, "rss_mib": 0}
                alone = r["alone"] if name == "grapevine" else zero
                r["idle"]["cpu_above"] = max(0, r["idle"]["cpu_percent"] - alone["cpu_percent"])
                r["idle"]["rss_above"] = max(0, r["idle"]["rss_mib"] - alone["rss_mib"])
            if "load" in r:
                r["load"]["missed_per_s"] = max(
                    0, r["load"]["wanted_per_s"] - r["load"]["seen_per_s"])
                r["load"]["kib_per_s"] = r["load"]["bytes_per_s"] / 1024


def values_of(rounds, measure, word):
    """Of all rounds; None for what did not happen in time."""
    found = []
    for r in rounds:
        value = r.get(measure, {}).get(word, [])
        found += value if isinstance(value, list) else [value]
    return found


def cell(values, digits):
    known = [v for v in values if v is not None]
    if not known:
        return "never" if values else ""
    never = len(values) - len(known)
    low, middle, high = (f"{f(known):.{digits}f}" for f in (min, statistics.median, max))
    text = middle if low == high else f"{middle} [{low}..{high}]"
    return text + (f", {never} never" if never else "")


def table(result):
    print("| measure | " + " | ".join(result) + " | goal | met |")
    print("|---" * (len(result) + 3) + "|")
    for title, measure, word, digits, goal, share in ROWS:
        columns = {name: values_of(rounds, measure, word) for name, rounds in result.items()}
        if not any(columns.values()):
            continue
        met, limit = "", goal
        theirs = [v for v in columns.get("serf", []) if v is not None]
        if share is not None and theirs:
            limit = share * statistics.median(theirs)
        if limit is not None and columns.get("grapevine"):
            values = columns["grapevine"]
            known = None not in values
            figure = known and (max if measure in WORST else statistics.median)(values)
            met = "yes" if known and figure <= limit else "no"
        shown = f"≤ {goal}" if goal is not None else f"≤ {share} × serf" if share else ""
        print(f"| {title} | " + " | ".join(cell(v, digits) for v in columns.values())
              + f" | {shown} | {met} |")
