# SPDX-License-Identifier: GPL-2.0-only
# Draws what report and downtime.py have left in report.dat and downtime.dat.
set terminal svg size 800,460 font "sans-serif,13" background "#ffffff"
set grid xtics ytics lc rgb "#dddddd"
set border 3 lc rgb "#444444"
set tics nomirror
set key top left
set logscale x 2
set yrange [0:*]

set output "report.svg"
set title "A report with 1,000 dirty pages" font ",15"
set xlabel "range (GiB)"
set ylabel "time (us)"
plot "report.dat" using 1:($2 == 1000 ? $3 : NaN) with linespoints pt 7 lc rgb "#1f6fb4" title "DMA log", \
     "" using 1:($2 == 1000 ? $4 : NaN) with linespoints pt 5 lc rgb "#c8321e" title "type1"

set output "downtime.svg"
set title "How long a guest that receives all it can stands still" font ",15"
set xlabel "memory of the guest (MiB)"
set ylabel "time (ms)"
plot "downtime.dat" using 1:2 with linespoints pt 7 lc rgb "#1f6fb4" title "VF, with the DMA log", \
     "" using 1:3 with linespoints pt 5 lc rgb "#c8321e" title "VF, without", \
     "" using 1:4 with linespoints pt 9 lc rgb "#2f8f4e" title "virtio-net"
