# SPDX-License-Identifier: MIT
"""What tests/bench/peers measured, as JSON lines, a table and a drawing.

Reads DIR/results (peer deed readers round JSON), DIR/versions and DIR/gaps.
Every ratio is peer / zoetrope of latency or time, > 1 = zoetrope is faster; for rates the other
way round, so that > 1 says the same. Medians are over the rounds.
"""
import argparse
import json
import math
import os
import statistics
import sys

MEASURES = [
    # key, title, unit, value of a peer's rounds, higher is better
    ("in-place 1 p50", "in place, 1 reader, p50", "us", False),
    ("in-place 1 p99", "in place, 1 reader, p99", "us", False),
    ("in-place 8 p50", "in place, 8 readers, p50", "us", False),
    ("in-place 8 p99", "in place, 8 readers, p99", "us", False),
    ("copy 1 p50", "copied in and read, p50", "us", False),
    ("copy 1 p99", "copied in and read, p99", "us", False),
    ("flow 1 gb_s", "lossless copy + read", "GB/s", True),
    ("in-place 1 producer_cpu_us", "in place, CPU of producer", "us/frame", False),
    ("in-place 1 reader_cpu_us", "in place, CPU of reader", "us/frame", False),
    ("copy 1 producer_cpu_us", "copied, CPU of producer", "us/frame", False),
    ("copy 1 reader_cpu_us", "copied, CPU of reader", "us/frame", False),
    ("stopped 4 healthy_fps", "1 of 4 stopped: others get", "fps", True),
]
SPREAD = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)]
# Of the issue: zoetrope / peer at most this.
TARGETS = [
    ("in-place 1 p50", "iceoryx", 0.65), ("in-place 1 p99", "iceoryx", 0.65),
    ("in-place 8 p50", "iceoryx", 0.65), ("in-place 1 p50", "bare", 1.10),
    ("in-place 1 p99", "bare", 1.10), ("flow 1 gb_s", "bare", 1 / 0.95),
]


def read_rows(path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            peer, deed, readers, _, text = line.split(" ", 4)
            yield peer, f"{deed} {readers}", json.loads(text)


def rank(ordered, part):
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]


def summarise(rounds):
    """Medians over the rounds; p99.9 and max of all rounds together, being rare."""
    good = [r for r in rounds if "failed" not in r]
    out = {"rounds": len(good), "failed": len(rounds) - len(good)}
    for key in good[0] if good else []:
        if key in ("lost", "torn"):
            out[key] = sum(r[key] for r in good)
        elif key != "us":
            out[key] = statistics.median(r[key] for r in good)
    if good and "us" in good[0]:
        everything = sorted(x for r in good for x in r["us"])
        out["n"] = len(everything)
        for name, part in SPREAD[:3]:
            out[name] = statistics.median(rank(sorted(r["us"]), part) for r in good)
        out["p99.9"], out["max"] = rank(everything, 0.999), everything[-1]
    return out


def ratio_of(value, zoetrope, is_higher_better):
    if value is None or not zoetrope:
        return None
    if is_higher_better:
        return zoetrope / value if value else math.inf
    return value / zoetrope


def text_of(ratio):
    if ratio is None:
        return "-"
    return "none got" if math.isinf(ratio) else f"{ratio:.2f}" if ratio < 100 else f"{ratio:.0f}"


class Report:
    def __init__(self, directory):
        rounds = {}
        for peer, work, row in read_rows(os.path.join(directory, "results")):
            rounds.setdefault((peer, work), []).append(row)
        self.sums = {key: summarise(rows) for key, rows in rounds.items()}
        self.versions = self.pairs(directory, "versions")
        self.gaps = self.pairs(directory, "gaps")
        self.peers = list(self.versions)

    @staticmethod
    def pairs(directory, name):
        path = os.path.join(directory, name)
        if not os.path.exists(path):
            return {}
        with open(path, encoding="utf-8") as file:
            return dict(line.rstrip("\n").split("\t", 1) for line in file)

    def value(self, key, peer):
        deed, readers, what = key.split(" ")
        return self.sums.get((peer, f"{deed} {readers}"), {}).get(what)

    def ratio(self, key, peer):
        higher = next(m[3] for m in MEASURES if m[0] == key)
        return ratio_of(self.value(key, peer), self.value(key, "zoetrope"), higher)

    def print_json(self):
        for (peer, work), summary in self.sums.items():
            mine = self.sums.get(("zoetrope", work), {})
            row = {"measure": work, "peer": peer, "version": self.versions.get(peer)}
            row.update({k: round(v, 3) for k, v in summary.items()})
            ratios = {}
            for key, value in summary.items():
                if key in mine and key.startswith("p") and mine[key]:
                    ratios[key] = round(value / mine[key], 3)
                elif key in ("gb_s", "healthy_fps") and mine.get(key) and value:
                    ratios[key] = round(mine[key] / value, 3)
            row["ratio"] = ratios
            print(json.dumps(row))
        for peer, why in self.gaps.items():
            print(json.dumps({"gap": peer, "why": why}))

    def print_table(self, load):
        width = max(len(m[1]) for m in MEASURES) + 10
        print("\nMedians over rounds; below each the ratio peer / zoetrope (of rates: zoetrope /")
        print("peer): > 1 = zoetrope is faster. '-': the peer cannot do that, or failed.\n")
        print(" " * width + "".join(f"{p:>11}" for p in self.peers))
        print(" " * width + "".join(f"{self.versions[p].split()[-1][:10]:>11}" for p in self.peers))
        for key, title, unit, _ in MEASURES:
            values = [self.value(key, p) for p in self.peers]
            if not any(v is not None for v in values):
                continue
            print(f"{title + ', ' + unit:<{width}}" + "".join(
                f"{'-' if v is None else format(v, '.1f'):>11}" for v in values))
            print(" " * width + "".join(
                f"{text_of(self.ratio(key, p)):>11}" for p in self.peers))
        print(f"\nload average before and after: {load}; "
              + " ".join(f"{x:.2f}" for x in os.getloadavg()))
        self.print_notes()

    def print_notes(self):
        for peer, why in self.gaps.items():
            print(f"gap: {peer}: {why}")
        for (peer, work), summary in self.sums.items():
            for what in ("failed", "lost", "torn"):
                if summary.get(what):
                    print(f"{peer}, {work}: {what} {summary[what]}")
        for key, peer, most in TARGETS:
            ratio = self.ratio(key, peer)
            if ratio:
                verdict = "met" if 1 / ratio <= most else "MISSED"
                print(f"target: {key}: zoetrope / {peer} {1 / ratio:.2f}, "
                      f"at most {most:.2f}: {verdict}")

    def has_zoetrope(self):
        return any(p == "zoetrope" and s["rounds"] for (p, _), s in self.sums.items())


COLOURS = {"zoetrope": "#1b6ca8", "bare": "#8a8a8a", "iceoryx": "#d9822b", "gstreamer": "#4a9d5b",
           "pipewire": "#8e5ea2", "socket": "#b5473c", "pipe": "#c7a52d"}
LEFT, ROW, BAR_WIDTH, TOP = 250, 15, 560, 84


def bars_of(report, key):
    out = []
    for peer in report.peers:
        ratio = report.ratio(key, peer)
        if ratio is not None:
            out.append((peer, ratio, report.value(key, peer)))
    return out


def axis(low, high, height):
    for power in range(math.floor(low), math.ceil(high) + 1):
        x = LEFT + BAR_WIDTH * (power - low) / (high - low)
        strong = "#444" if power == 0 else "#ddd"
        yield f'<line x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{height - 20}" stroke="{strong}"/>'
        yield f'<text x="{x:.1f}" y="{TOP - 14}" text-anchor="middle">{10 ** power:g}x</text>'


def bar(y, peer, ratio, label, low, high):
    zero = LEFT + BAR_WIDTH * (0 - low) / (high - low)
    log = high if math.isinf(ratio) else math.log10(ratio)
    end = LEFT + BAR_WIDTH * (log - low) / (high - low)
    x, width = min(zero, end), max(abs(end - zero), 1.5)
    yield (f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW - 3}" '
           f'fill="{COLOURS.get(peer, "#666")}"/>')
    yield f'<text x="{max(zero, end) + 5:.1f}" y="{y + 10}">{label}</text>'


def draw(report, path):
    groups = [(m, bars_of(report, m[0])) for m in MEASURES]
    groups = [(m, bars) for m, bars in groups if bars]
    logs = [math.log10(r) for _, bars in groups for _, r, _ in bars if 0 < r < math.inf]
    low, high = min([-0.3] + logs) - 0.05, max([1.0] + logs) + 0.05
    height = TOP + sum(ROW * len(bars) + 14 for _, bars in groups) + 24
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + BAR_WIDTH + 190}" '
           f'height="{height}" font-family="sans-serif" font-size="11" fill="#222">',
           '<rect width="100%" height="100%" fill="#fff"/>',
           '<text x="12" y="24" font-size="16" font-weight="bold">Zoetrope and its peers</text>',
           '<text x="12" y="42">1920x1080 BGRA; ratio to zoetrope on a log scale, longer to the '
           'right = zoetrope is better; medians over rounds of one run</text>']
    out += axis(low, high, height)
    y = TOP
    for (_, title, unit, _), bars in groups:
        out.append(f'<text x="12" y="{y + 11}" font-weight="bold">{title}</text>')
        for peer, ratio, value in bars:
            out.append(f'<text x="{LEFT - 8}" y="{y + 10}" text-anchor="end">{peer}</text>')
            label = f"{value:.4g} {unit} ({text_of(ratio)}{'x' if ratio < math.inf else ''})"
            out += bar(y, peer, ratio, label, low, high)
            y += ROW
        y += 14
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(out + ["</svg>", ""]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--svg")
    parser.add_argument("--load", default="?")
    parser.add_argument("directory")
    args = parser.parse_args()
    report = Report(args.directory)
    report.print_json()
    if not report.has_zoetrope():
        print("peers: nothing of zoetrope was measured", file=sys.stderr)
        return 1
    if not args.json:
        report.print_table(args.load)
    if args.svg:
        draw(report, args.svg)
    return 0


if __name__ == "__main__":
    sys.exit(main())
