# SPDX-License-Identifier: GPL-2.0-only
"""Draws the round-trip times over the migration."""

import os
import shutil
import subprocess

PLOT = """# SPDX-License-Identifier: GPL-2.0-only
# Draw again with: gnuplot rtt.gp
set terminal svg size 1000,460 font "sans-serif,13" background "#ffffff"
set output "rtt.svg"
set title "Pings while the guest migrates" font ",15"
set xlabel "seconds since the start of the migration"
set ylabel "round-trip time (ms)"
set logscale y
set xrange [{left}:{right}]
set yrange [{low}:{high}]
set grid xtics ytics lc rgb "#dddddd"
set border 3 lc rgb "#444444"
set tics nomirror
set key top right outside horizontal
{shade}
set arrow from first 0, graph 0 to first 0, graph 1 nohead lc rgb "#555555" dt 2
set label "migration starts" at first 0, graph 0.97 right offset -0.7,0 tc rgb "#555555"
{completed}
plot "pings.dat" using 1:(strcol(2) eq "lost" ? NaN : $2) \\
        with points pt 7 ps 0.45 lc rgb "#1f6fb4" title "answered", \\
     "" using 1:(strcol(2) eq "lost" ? {lost} : NaN) \\
        with points pt 2 ps 0.8 lw 2 lc rgb "#c8321e" title "lost"
"""


def write_pings(path, pings, origin):
    with open(path, "w") as file:
        file.write("# seconds since the start of the migration, "
                   "round-trip time in ms or \"lost\"\n")
        for ping in pings:
            rtt = "lost" if ping.rtt is None else f"{ping.rtt * 1000:.3f}"
            file.write(f"{ping.sent - origin:.3f} {rtt}\n")


def blackout(record, origin):
    """The shade over the time in which the guest stood still."""
    if record.stopped is None or record.resumed is None:
        return ""
    begin, end = record.stopped - origin, record.resumed - origin
    return (f"set object 1 rectangle from first {begin:.3f}, graph 0 "
            f"to first {end:.3f}, graph 1 behind fillstyle solid noborder "
            f"fillcolor rgb \"#fbe3d6\"\n"
            f"set label \"guest stands still: {end - begin:.2f} s\" "
            f"at first {end:.3f}, graph 0.9 left offset 0.7,0 "
            f"tc rgb \"#a0432a\"")


def completion(record, origin):
    if record.completed is None:
        return ""
    at = record.completed - origin
    return (f"set arrow from first {at:.3f}, graph 0 to first {at:.3f}, "
            f"graph 1 nohead lc rgb \"#555555\" dt 2\n"
            f"set label \"completed\" at first {at:.3f}, graph 0.97 left "
            f"offset 0.7,0 tc rgb \"#555555\"")


def draw(record, directory):
    """Leaves pings.dat, rtt.gp and rtt.svg; what went wrong, or None."""
    pings = record.pings()
    if not pings:
        return "there are no pings to draw"
    origin = record.began or pings[0].sent
    write_pings(os.path.join(directory, "pings.dat"), pings, origin)
    rtts = [ping.rtt * 1000 for ping in pings if ping.rtt is not None]
    if not rtts:
        return "no ping was answered"
    low, high = min(rtts) / 2, max(max(rtts) * 4, 100)
    script = PLOT.format(left=f"{pings[0].sent - origin:.1f}",
                         right=f"{pings[-1].sent - origin:.1f}",
                         low=low, high=high, lost=low * 1.3,
                         shade=blackout(record, origin),
                         completed=completion(record, origin))
    with open(os.path.join(directory, "rtt.gp"), "w") as file:
        file.write(script)
    if not shutil.which("gnuplot"):
        return "there is no gnuplot; rtt.gp draws the plot where there is one"
    try:
        result = subprocess.run(["gnuplot", "rtt.gp"], cwd=directory,
                                timeout=60, capture_output=True, text=True)
    except subprocess.TimeoutExpired:
        return "gnuplot did not come to an end"
    if result.returncode:
        return f"gnuplot: {result.stderr.strip()}"
    return None
