"""What the clients of a soak saw, judged: every acknowledged command is in the log exactly once and
in the order of time, the state has nothing else, each key is a linearizable register. And the
figures. Used by soak_world.py."""

import collections
import math

from commands import id_of
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from linear import OK, REFUSED, UNKNOWN, Op, violation

GAP_S = 1.0  # without a commit: worth a line
DEFINITE = ("committed", "conflict")


def author_of(admin):
    public = admin.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return id_of(public).hex()


# --- one command, one change ---------------------------------------------------------------------


def check_outcomes(records):
    """Only what can be explained; a command that was sent again must not be refused for it."""
    for r in records:
        if r.outcome not in ("read", "committed", "conflict", "open", "failed"):
            yield f"{r.client} {r.kind} {r.key}: refused as {r.outcome}: {r.tries}"


def check_revisions(records):
    """A revision of a key names one value, and a value, as all are different, one revision."""
    values, revs = {}, {}
    for r in records:
        if r.outcome not in ("read", "committed") or r.value is None:
            continue
        if values.setdefault(r.rev, (r.key, r.value)) != (r.key, r.value):
            yield f"epoch {r.rev} is {values[r.rev]} and {(r.key, r.value)}"
        if revs.setdefault(r.value, r.rev) != r.rev:
            yield f"{r.value} has the epochs {revs[r.value]} and {r.rev}"


def check_sources(records):
    """What was read was written, and not by a command that certainly never happened."""
    written = {r.value: r for r in records if r.kind != "read"}
    for r in records:
        if r.outcome != "read" or r.value is None:
            continue
        source = written.get(r.value)
        if not source or source.key != r.key:
            yield f"{r.key} had {r.value!r}, which nobody wrote there"
        elif source.outcome not in ("committed", "open"):
            yield f"{r.key} had {r.value!r}, which was told as {source.outcome}: {source.tries}"


def check_order(records):
    """Who was acknowledged before another was called has the lesser epoch and index."""
    done = sorted((r for r in records if r.outcome == "committed"), key=lambda r: r.returned)
    highest, at, last = 0, 0, None
    for r in sorted(done, key=lambda r: r.invoked):
        while done[at].returned < r.invoked:
            if done[at].rev > highest:
                highest, last = done[at].rev, done[at]
            at += 1
        if r.rev <= highest:
            yield f"epoch {r.rev} ({r.value}) was called after {highest} ({last.value}) returned"


def check_watched(records, watcher, authors):
    """Every acknowledged command is a change just once; every change of ours is somebody's."""
    named = collections.defaultdict(list)
    for epoch, rows in watcher.changes.items():
        for index, author, event, kind, name in rows:
            if kind == "setting" and name.startswith("x.k"):
                named[epoch].append((index, author, event, name))
    doubtful = collections.Counter((authors[r.client], r.key) for r in records
                                   if r.outcome == "open")
    acknowledged = {}
    for r in records:
        if r.outcome != "committed":
            continue
        if r.rev in acknowledged:
            yield f"epoch {r.rev} was acknowledged for {acknowledged[r.rev].value} and {r.value}"
        acknowledged[r.rev] = r
        expected = [(r.index, authors[r.client], "put", r.key)]
        if named.get(r.rev) != expected:
            yield f"{watcher.name}: epoch {r.rev} is {named.get(r.rev)}, acknowledged {expected}"
    for epoch in named.keys() - acknowledged.keys():
        for _, author, _, name in named[epoch]:
            doubtful[author, name] -= 1
            if doubtful[author, name] < 0:
                yield f"{watcher.name}: epoch {epoch}: {name} by {author}: nobody sent that"


def check_final(watcher, final):
    """The state has of each key what was written last."""
    last = {name: epoch for epoch, rows in sorted(watcher.changes.items())
            for _, _, _, kind, name in rows if kind == "setting"}
    for r in final:
        if r.rev != last.get(r.key, 0):
            yield f"{r.key} ends with epoch {r.rev}, the last change of it is {last.get(r.key)}"


def check_watchers(watchers, epoch):
    for w in watchers:
        yield from (f"{w.name}: {problem}" for problem in w.problems)
        if sorted(w.changes) != list(range(1, epoch + 1)):
            missing = set(range(1, epoch + 1)) - w.changes.keys()
            yield f"{w.name}: {len(missing)} epochs missing of {epoch}: {sorted(missing)[:9]}"
        if w.changes != watchers[0].changes:
            yield f"{w.name} and {watchers[0].name} saw different changes"


# --- registers -----------------------------------------------------------------------------------


def ops_of(records):
    """{key: what linear.py takes}. An open command is decided by the next one of its author that
    the log has: a lower number is refused from then on."""
    ops, waiting = collections.defaultdict(list), collections.defaultdict(list)
    for r in sorted(records, key=lambda r: r.invoked):
        if r.outcome == "failed":
            continue
        if r.outcome in DEFINITE:
            for op in waiting.pop(r.client, []):
                op.returned = r.returned
        result = {"conflict": REFUSED, "open": UNKNOWN}.get(r.outcome, OK)
        op = Op(r.kind, r.value, r.expected, result, r.invoked, r.returned or math.inf, r.client)
        if result == UNKNOWN:
            waiting[r.client].append(op)
        ops[r.key].append(op)
    return ops


def check_linear(records):
    for key, ops in sorted(ops_of(records).items()):
        if problem := violation(ops):
            yield f"{key} is no register:\n{problem}"


def problems_of(records, final, watchers, authors, epoch):
    """{what was looked at: what is wrong}"""
    return {
        "outcomes": list(check_outcomes(records)),
        "revisions": list(check_revisions(records)),
        "sources": list(check_sources(records)),
        "order": list(check_order(records)),
        "lost": [p for w in watchers for p in check_watched(records, w, authors)],
        "final": [p for w in watchers for p in check_final(w, final)],
        "watch": list(check_watchers(watchers, epoch)),
        "linearizable": list(check_linear(records)),
    }


# --- figures -------------------------------------------------------------------------------------


def commits(records):
    return sorted((r for r in records if r.outcome == "committed"), key=lambda r: r.returned)


def gaps(records, began, ended):
    """(from, how long): times in which nobody was told of a commit."""
    times = [began, *(r.returned for r in commits(records) if began <= r.returned <= ended), ended]
    return [(a, b - a) for a, b in zip(times, times[1:]) if b - a >= GAP_S]


def until_commit(records, when):
    """How long after `when` a command that was called after it was acknowledged; None: never."""
    later = [r.returned - when for r in commits(records) if r.invoked > when]
    return min(later, default=None)


def is_alone(fault, faults, for_s):
    """Was there no other fault shortly before it, nor until so long after it began?"""
    return not any(f is not fault and f.began < fault.began + for_s
                   and (f.ended or f.began) > fault.began - 3 for f in faults)


def after_leader_kills(records, faults):
    """(of all, of those that no other fault overlapped)"""
    kills = [(f, s) for f in faults if f.kind == "kill leader"
             and (s := until_commit(records, f.began)) is not None]
    return [s for _, s in kills], [s for f, s in kills if is_alone(f, faults, s)]


def after_healing(records, faults, ended):
    """From the end of all faults until a commit, or until the next fault where that came first."""
    for f in faults:
        if f.ended is None or any(o.began < f.ended < (o.ended or ended) for o in faults):
            continue
        following = min((o.began for o in faults if o.began >= f.ended), default=ended)
        commit = until_commit(records, f.ended)
        yield min(following - f.ended, math.inf if commit is None else commit)


def spread(values):
    values = list(values)
    return {"count": len(values), "p50": share(values, 0.5), "longest": share(values, 1.0)}


def share(values, part):
    values = sorted(values)
    return round(values[min(len(values) - 1, int(len(values) * part))], 4) if values else None


def figures(records, faults, began, ended):
    outcomes = collections.Counter(f"{r.kind} {r.outcome}" for r in records)
    quick = [r.returned - r.invoked for r in commits(records)]
    reads = [r.returned - r.invoked for r in records if r.outcome == "read"]
    found = gaps(records, began, ended)
    kills, lone_kills = after_leader_kills(records, faults)
    return {
        "seconds": round(ended - began, 1),
        "operations": dict(sorted(outcomes.items())),
        "commits_per_s": round(len(quick) / (ended - began), 1),
        "repeats": sum(r.repeat for r in records),
        "found_out_later": sum(len(r.tries) > 1 for r in records if r.outcome in DEFINITE),
        "write_s": {"p50": share(quick, 0.5), "p99": share(quick, 0.99)},
        "read_s": {"p50": share(reads, 0.5), "p99": share(reads, 0.99)},
        "faults": dict(sorted(collections.Counter(f.kind for f in faults).items())),
        "gaps": {"count": len(found), "sum_s": round(sum(s for _, s in found), 1),
                 "longest_s": round(max((s for _, s in found), default=0), 2)},
        "commit_after_leader_kill_s": spread(kills),
        "commit_after_lone_leader_kill_s": spread(lone_kills),
        "commit_after_healing_s": spread(after_healing(records, faults, ended)),
    }
