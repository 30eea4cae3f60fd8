"""What a run was like, for people: some lines of text, or one self-contained page with the traffic,
the faults and what moved where. Called by the program `chaos`."""

import collections
import html
import math

WIDTH, LEFT, TOP, LANE, TRAFFIC = 1040, 150, 24, 20, 150
COLOURS = ("#4477aa", "#66ccee", "#228833", "#ccbb44", "#ee6677", "#aa3377", "#997755", "#44aa99")
BAD = "#cc0000"


def summary(run):
    figures = run.figures()
    lines = [
        f"{figures['requests']} requests, {figures['ok']} answered, {figures['failed_unbegun']} "
        f"failed unbegun, excused: {figures['excused'] or 'none'}",
        f"outcomes {figures['outcomes']}",
        f"p50 {figures['p50_s']} s, p99 {figures['p99_s']} s, slowest {figures['slowest_s']} s; "
        f"answered by {figures['answered_by']}",
        f"faults {figures['faults']}; whole again after {figures['whole_s']} s; "
        f"{figures['committed']} commands committed, {figures['receipts']} receipts looked at",
        f"memory of nodes, at most, MiB: {figures['rss_mib']}"]
    for what, found in run.verdict.items():
        lines += [f"VIOLATION {what}: {problem}" for problem in found[:5]]
        if len(found) > 5:
            lines.append(f"VIOLATION {what}: and {len(found) - 5} more")
    return "\n".join(lines)


class Chart:
    """Seconds to the right; SVG as text."""

    def __init__(self, run):
        self.run, self.seen = run, run.seen
        self.length_s = max(self.seen.ended - self.seen.began, 1)
        self.parts, self.bottom = [], TOP

    def x(self, at):
        return LEFT + (WIDTH - LEFT - 20) * min(max(at - self.seen.began, 0), self.length_s) \
            / self.length_s

    def box(self, since, until, y, height, colour, title):
        x = self.x(since)
        width = max(self.x(until) - x, 1)
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
                          f'height="{height:.1f}" fill="{colour}"><title>{html.escape(title)}'
                          "</title></rect>")

    def label(self, text, y):
        self.parts.append(f'<text x="0" y="{y:.1f}">{html.escape(text)}</text>')

    def axis(self):
        step = next(s for s in (1, 2, 5, 10, 30, 60, 120, 600) if self.length_s / s <= 15)
        for second in range(0, int(self.length_s) + 1, step):
            x = self.x(self.seen.began + second)
            self.parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 6}" '
                              f'y2="{self.bottom}" stroke="#ddd"/>'
                              f'<text x="{x:.1f}" y="{TOP - 10}">{second} s</text>')

    def traffic(self):
        """Answers by the node that gave them, second by second, failures on top."""
        seconds = collections.defaultdict(collections.Counter)
        for row in self.seen.requests:
            name = row["node"] or "nobody" if row["outcome"] == "ok" else "failed"
            seconds[int(row["at"] - self.seen.began)][name] += 1
        names = sorted({name for counts in seconds.values() for name in counts} - {"failed"})
        self.colours = dict(zip(names, COLOURS * 8)) | {"failed": BAD}
        most = max((sum(counts.values()) for counts in seconds.values()), default=1)
        base = self.bottom + TRAFFIC
        for second, counts in seconds.items():
            y = base
            for name in [*names, "failed"]:
                height = counts[name] / most * TRAFFIC
                y -= height
                since = self.seen.began + second
                self.box(since, since + 0.95, y, height, self.colours[name],
                         f"second {second}, {name}: {counts[name]}")
        self.label(f"answers a second, up to {most}", self.bottom + 14)
        self.bottom = base + 12

    def latency(self):
        """The slowest of each second, logarithmic from 10 ms to 30 s."""
        slowest = collections.Counter()
        for row in self.seen.requests:
            second = int(row["at"] - self.seen.began)
            slowest[second] = max(slowest[second], row["done"] - row["at"])
        for second, took_s in slowest.items():
            part = min(max(math.log10(max(took_s, 0.001) / 0.01) / 3.5, 0.02), 1)
            since = self.seen.began + second
            self.box(since, since + 0.95, self.bottom + 60 - part * 60, part * 60, "#999",
                     f"second {second}: {took_s:.2f} s")
        self.label("slowest, 10 ms to 30 s", self.bottom + 14)
        self.bottom += 72

    def faults(self):
        for fault in self.seen.faults:
            self.label(fault.title[:22], self.bottom + 14)
            self.box(fault.began, fault.ended or self.seen.ended, self.bottom + 3, LANE - 6,
                     "#bb5566", fault.title)
            self.bottom += LANE

    def draw(self):
        self.traffic()
        self.latency()
        self.faults()
        drawn, self.parts = self.parts, []
        self.axis()
        legend = "".join(f'<span style="background:{colour}"></span>{html.escape(name)} '
                         for name, colour in self.colours.items())
        return (f'<p class="legend">{legend}</p><svg viewBox="0 0 {WIDTH} {self.bottom + 8}" '
                f'width="100%">{"".join(self.parts + drawn)}</svg>')


STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:1080px;margin:2em auto;padding:0 1em}
svg text{font-size:11px;fill:#444} .legend span{display:inline-block;width:1em;height:1em;
margin:0 .3em 0 1em;vertical-align:-2px} table{border-collapse:collapse}
td{padding:.1em 1em .1em 0;vertical-align:top} .PASSED{color:#228833} .FAILED{color:#cc0000}
pre{background:#f6f6f6;padding:1em;overflow-x:auto}"""


def rows_of(pairs):
    return "".join(f"<tr><td>{html.escape(str(key))}</td><td>{html.escape(str(value))}</td></tr>"
                   for key, value in pairs)


def page(run):
    figures = run.figures()
    judged = [(what, f"{len(found)} wrong: " + "; ".join(found[:5]) if found else "kept")
              for what, found in run.verdict.items()]
    told = "\n".join(f"{at:7.1f}  {text}" for at, text in run.timeline)
    name, verdict = html.escape(run.scenario.name), figures["verdict"]
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}: {verdict}</title>
<style>{STYLE}</style><h1>{name}: <span class="{verdict}">{verdict}</span></h1>
<p>{html.escape(run.scenario.about)} (seed {run.scenario.seed})</p>{Chart(run).draw()}
<h2>Judged</h2><table>{rows_of(judged)}</table>
<h2>Figures</h2><table>{rows_of(figures.items())}</table>
<h2>What happened</h2><pre>{html.escape(told)}</pre></html>
"""
