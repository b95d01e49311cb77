"""report.html: one self-contained page on a campaign. No script, no network: styles and drawings are inside."""
import datetime
import html
import math
import os
import platform
import subprocess

from fuzzing.table import short

WIDTH, HEIGHT = 420, 170  # of a chart, in its own units
LEFT, RIGHT, TOP, BOTTOM = 44, 14, 12, 24  # its margins
START = 0.05  # seconds; below, the logarithmic axis of time is nearly linear

STYLE = """
:root { color-scheme: light dark; --paper: #f6f7f9; --card: #fff; --ink: #1b2330; --soft: #667085; --line: #e3e7ee;
  --curve: #2f6fde; --good: #15803d; --bad: #c2261c; --good-paper: #e3f5e9; --bad-paper: #fdeaea; }
@media (prefers-color-scheme: dark) { :root { --paper: #12161d; --card: #1a2029; --ink: #e8ecf3; --soft: #98a2b3;
  --line: #2c3442; --curve: #6ea2ff; --good: #5fd08a; --bad: #ff8a80; --good-paper: #14301f; --bad-paper: #3a1a1a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 32px 20px 56px; }
h1 { font-size: 25px; margin: 0; letter-spacing: -.01em; }
h2 { font-size: 17px; margin: 36px 0 12px; }
.head { display: flex; gap: 14px; align-items: center; flex-wrap: wrap; }
.verdict { padding: 3px 12px; border-radius: 99px; font-weight: 600; font-size: 14px; }
.good { color: var(--good); background: var(--good-paper); } .bad { color: var(--bad); background: var(--bad-paper); }
.soft, figcaption span, th { color: var(--soft); } .sub { margin: 4px 0 22px; }
.tiles, .charts { display: grid; gap: 12px; }
.tiles { grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); }
.charts { grid-template-columns: repeat(auto-fit, minmax(330px, 1fr)); }
.tile, figure, .card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.tile { padding: 12px 16px; } .tile b { display: block; font-size: 24px; font-weight: 650; line-height: 1.25; }
figure { margin: 0; padding: 12px 14px 8px; } svg { display: block; width: 100%; height: auto; }
figcaption { display: flex; justify-content: space-between; gap: 12px; font-weight: 600; margin-bottom: 4px; }
figcaption span { font-weight: 400; font-size: 13.5px; }
svg text { fill: var(--soft); font: 12.5px system-ui, sans-serif; } .grid { stroke: var(--line); }
.area { fill: var(--curve); opacity: .13; } .curve { fill: none; stroke: var(--curve); stroke-width: 2; stroke-linejoin: round; }
.mark { fill: var(--bad); }
.card { overflow-x: auto; padding: 4px 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { font-weight: 500; font-size: 13px; } th, td { text-align: right; padding: 7px 14px; white-space: nowrap; }
td { border-top: 1px solid var(--line); } th:first-child, td:first-child { text-align: left; font-weight: 600; }
.bar { display: inline-block; height: 9px; border-radius: 3px; background: var(--curve); margin-left: 10px; }
.track { display: inline-block; width: 90px; text-align: left; }
.find { padding: 14px 18px; margin-bottom: 12px; border-left: 4px solid var(--bad); }
.find h3 { margin: 0 0 8px; font-size: 15px; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 3px 16px; margin: 0; } dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; } code, pre { font: 13px/1.5 ui-monospace, monospace; }
pre { overflow-x: auto; background: var(--paper); padding: 10px 12px; border-radius: 6px; } summary { cursor: pointer; margin-top: 8px; }
.versions { padding: 14px 18px; }
"""


def first_line(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "unknown"


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        names = [line.split(":", 1)[1].strip() for line in info if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} processors"


def versions(campaign):
    changed = subprocess.run(["git", "status", "--porcelain", "-uno"], capture_output=True, text=True).stdout.strip()
    with open("/etc/os-release", encoding="utf-8") as release:
        system = next((line.split("=")[1].strip('"\n') for line in release if line.startswith("PRETTY_NAME")), "Linux")
    return {
        "vcpr": first_line("git", "log", "-1", "--format=%h %s") + (" (with local changes)" if changed else ""),
        "Compiler": first_line("clang++-19", "--version"),
        "Engine": campaign.engine.DESCRIPTION,
        "System": f"{system}, Linux {platform.release()}",
        "Processor": processor(),
        "Time": f"{campaign.seconds} s over {len(campaign.targets)} targets, {campaign.jobs} at a time",
    }


def ticks(top):
    """Up to five round numbers from 0 to `top`."""
    step = next(unit * scale for scale in (10 ** power for power in range(12)) for unit in (1, 2, 5)
                if top / (unit * scale) <= 4)
    return range(0, int(top) + 1, step)


def chart(target):
    """Edges over the target's fuzzing seconds, and a mark for each find. The axis of time is logarithmic: most edges
    come in the first seconds, and the late ones are worth seeing too."""
    last, most = max(target.seconds(), 1), max(target.edges(), 1)
    def x(seconds): return LEFT + math.log1p(seconds / START) / math.log1p(last / START) * (WIDTH - LEFT - RIGHT)
    def y(edges): return HEIGHT - BOTTOM - edges / (most * 1.08) * (HEIGHT - TOP - BOTTOM)
    parts, steps, level = [], [], 0
    for seconds, edges in [*target.points, (last, target.edges())]:
        steps += [f"{x(seconds):.1f},{y(level):.1f}", f"{x(seconds):.1f},{y(edges):.1f}"]
        level = edges
    for tick in ticks(most):
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>'
                     f'<text x="{LEFT - 7}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick}</text>')
    for power in range(-1, int(math.log10(last)) + 1):
        parts.append(f'<text x="{x(10 ** power):.1f}" y="{HEIGHT - 7}" text-anchor="middle">{10 ** power:g} s</text>')
    line = " ".join(steps)
    parts.append(f'<polygon class="area" points="{x(0):.1f},{y(0):.1f} {line} {x(last):.1f},{y(0):.1f}"/>'
                 f'<polyline class="curve" points="{line}"/>')
    parts += [f'<circle class="mark" cx="{x(min(find.seconds, last)):.1f}" cy="{y(target.edges()):.1f}" r="4"/>'
              for find in target.finds]
    return (f'<figure><figcaption>{html.escape(target.name)}<span>{target.edges():,} of {target.counters():,} edges'
            f'</span></figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="edges over time of '
            f'{html.escape(target.name)}">{"".join(parts)}</svg></figure>')


def table(targets):
    fastest = max([1] + [target.rate() for target in targets])
    body = "".join(
        f'<tr><td>{html.escape(target.name)}</td><td>{target.executions():,}</td><td>{target.rate():,.0f}<span class="track">'
        f'<i class="bar" style="width:{max(2, 78 * target.rate() / fastest):.0f}px"></i></span></td>'
        f'<td>{target.edges():,}</td><td>{100 * target.edges() / max(target.counters(), 1):.0f} %</td>'
        f'<td>{target.replayed}</td><td>{target.inputs():,}</td><td>{target.peak_mb()} MB</td>'
        f'<td>{target.seconds():.0f} s</td><td>{len(target.finds)}</td></tr>' for target in targets)
    heads = ("Target", "Executions", "Executions/s", "Edges", "of all", "Seeds", "Corpus", "Memory", "Time", "Finds")
    return (f'<div class="card"><table><tr>{"".join(f"<th>{head}</th>" for head in heads)}</tr>{body}</table></div>')


def find_card(find, commands):
    lines = "".join(f"<dt>{what}</dt><dd><code>{html.escape(command)}</code></dd>" for what, command in commands(find))
    when = f"after {find.seconds:.1f} s" if find.seconds else "while replaying seeds and regressions"
    return (f'<div class="card find"><h3>{html.escape(find.target)}: {html.escape(find.signature)}</h3><dl>'
            f'<dt>seen</dt><dd>{when}</dd>{lines}</dl><details><summary>Log</summary><pre>{html.escape(find.excerpt)}'
            f'</pre></details></div>')


def tile(value, what):
    return f'<div class="tile"><b>{value}</b><span class="soft">{what}</span></div>'


def body(campaign, commands):
    targets, finds = campaign.targets, campaign.finds()
    executions = sum(target.executions() for target in targets)
    verdict = ("bad", f"{len(finds)} find{'s' * (len(finds) != 1)}") if finds else ("good", "nothing found")
    now = datetime.datetime.now(datetime.timezone.utc)
    early = ", interrupted" if campaign.interrupted else ""
    yield (f'<div class="head"><h1>vcpr under fuzzing</h1><span class="verdict {verdict[0]}">{verdict[1]}</span></div>'
           f'<p class="soft sub">{now:%Y-%m-%d %H:%M} UTC, {campaign.elapsed():.0f} seconds{early}</p><div class="tiles">')
    yield tile(short(executions), "executions")
    yield tile(short(executions / max(campaign.elapsed(), 1)), "executions a second")
    yield tile(f"{sum(target.edges() for target in targets):,}", "edges, summed over targets")
    yield tile(f"{sum(target.replayed for target in targets):,}", "seeds and regressions replayed")
    yield tile(f"{sum(target.inputs() for target in targets):,}", "inputs in the corpora")
    yield "</div>"
    if finds:
        yield "<h2>Finds</h2>" + "".join(find_card(find, commands) for find in finds)
    yield '<h2>Edges over time</h2><div class="charts">' + "".join(map(chart, targets)) + "</div>"
    yield "<h2>Targets</h2>" + table(targets)
    facts = "".join(f"<dt>{what}</dt><dd>{html.escape(value)}</dd>" for what, value in versions(campaign).items())
    yield f'<h2>Versions</h2><div class="card versions"><dl>{facts}</dl></div>'


def write(campaign, commands, path):
    page = "".join(body(campaign, commands))
    with open(path, "w", encoding="utf-8") as out:
        out.write('<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
                  'content="width=device-width, initial-scale=1"><title>vcpr under fuzzing</title>'
                  f'<style>{STYLE}</style></head><body><main>{page}</main></body></html>\n')
