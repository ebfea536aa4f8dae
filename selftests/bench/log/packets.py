#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Packets per second in a guest, by what its virtual functions are bound to.

The guest has several: on plain vfio-pci, on igb_vfio_pci without a log of their DMA,
so that the registers of the receive queues are mapped, and with one. They take
turns of a part of a second, and each is compared with the first. That is on
vfio-pci, as is another one: what these two differ by is noise, and no goal is
met or missed by less than that.

The log is started and read in QEMU's place, on a duplicate of its file: QEMU itself
would log what the guest's processor writes as well.

The guest has a processor for itself, with the interrupts of its cards. What it sends
is for nobody, or this host would receive it, and take part in it.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "e2e"))

from borrow import borrowed  # noqa: E402 (it is next door)
from device import Abilities, driver_of, hand_over, put  # noqa: E402
from dma_log import DmaLog, offers_log  # noqa: E402
from guest import Guest  # noqa: E402
from initrd import build_initrd  # noqa: E402
from iommu import GROUP, device_file  # noqa: E402
from nic import HostAddress, ip, load_modules, own_functions  # noqa: E402
from program import workplace  # noqa: E402
from progress import Progress, Trouble  # noqa: E402

FLOOD = os.path.join(HERE, "flood")
PARAMETER = "/sys/module/igb_vfio_pci/parameters/dma_log"
MEMORY = 256			# of the guest, in MiB
BOOT_SECONDS = 120
ANSWER_SECONDS = 60
FIRST_SLOT = 4
TURNS = 3			# of each, in a round
OUR_CPU, GUESTS_CPU = 0, 1
FEW = 64			# pages: a ring of igbvf's has more
SETTLE = 0.3			# seconds until the guest has counted what has come

# In the order of the guest's cards. The log is on for the first that offers one.
PLAIN, AGAIN, MAPPED, ON, OFFERED = HOWS = (
    "vfio-pci", "vfio-pci, another VF", "receive queues mapped", "log on",
    "log offered")
RX, TX = "rx", "tx"
GOALS = {(RX, OFFERED): 0.95, (RX, ON): 0.90, (TX, OFFERED): 0.98,
         (TX, ON): 0.98}
ENOUGH = 0.02			# lost, of what is sent: the sender was not the limit

MAC = "02:76:66:00:01:0{}"
GUEST = rf"""
lift()
{{
	ip link set eth$1 up
	wait_until "no link" grep -q 1 /sys/class/net/eth$1/carrier
	wait_until "no answer" ping -c 1 -w 1 10.76.$1.1 > /dev/null
}}

# All are on one wire, but an address belongs to one of them.
echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore
cards=
counters=
for card in {" ".join(str(card) for card in range(len(HOWS)))}; do
	wait_until "no network interface" [ -e /sys/class/net/eth$card ]
	ip link set eth$card address 02:76:66:00:01:0$card
	ip addr add 10.76.$card.2/24 dev eth$card
	lift $card
	cards="$cards eth$card"
	counters="$counters /sys/class/net/eth$card/statistics/rx_packets"
done
echo "guest: up"
while read -r word number; do
	answer=
	case $word in
	count)	answer=$(cat $counters) ;;
	flood)	answer=$(flood $number $cards) ;;
	lower)	ip link set eth$number down ;;
	lift)	lift $number ;;
	esac
	echo "guest: answer" $answer "end"
done
"""


class Packets:
    """The guest, and what it is asked for."""

    def __init__(self, progress, directory, stack):
        self.progress = progress
        self.directory = directory
        self.asked = 0
        self.reports = []
        self.vfs = own_functions(len(HOWS))
        self._bind(stack)
        for card in range(len(HOWS)):
            self._address(card, stack)
        self.guest = self._start(stack)
        self.log = DmaLog(stack.enter_context(borrowed(
            self.guest.process.pid, device_file(GROUP, None), offers_log)),
            MEMORY << 20)
        self._start_log()
        self._divide_processors(stack)

    def _bind(self, stack):
        load_modules("vfio-pci")
        with open(PARAMETER) as file:
            stack.callback(put, PARAMETER, file.read())
        for vf, how in zip(self.vfs, HOWS):
            stack.callback(hand_over, vf, driver_of(vf))
            logged = how in (ON, OFFERED)
            put(PARAMETER, "Y" if logged else "N")
            hand_over(vf, "vfio-pci" if how in (PLAIN, AGAIN) else
                      "igb_vfio_pci")
            offers = Abilities(vf)
            self.progress.say(f"{how}: {vf}, {driver_of(vf)}, "
                              f"{offers.describe()}")
            if offers.dma_log != logged:
                raise Trouble(f"{vf} is not what it should be")

    def _address(self, card, stack):
        netdev = os.environ["VFMIG_PF_NETDEV"]
        address = HostAddress(netdev, f"10.76.{card}.1")
        stack.callback(address.remove)
        neighbour = [f"10.76.{card}.2", "dev", netdev]
        ip("neighbour", "replace", *neighbour, "lladdr", MAC.format(card),
           "nud", "permanent")
        stack.callback(ip, "neighbour", "del", *neighbour, check=False)

    def _start(self, stack):
        initrd = os.path.join(self.directory, "guest.initrd")
        build_initrd(initrd, ["igbvf"], [FLOOD], GUEST)
        cards = []
        for slot, vf in enumerate(self.vfs, FIRST_SLOT):
            cards += ["-device",
                      f"vfio-pci,host={vf},rombar=0,addr={slot:#x}"]
        guest = Guest("guest", self.directory, MEMORY, initrd, cards)
        stack.callback(guest.kill)
        guest.must_say(self.progress, "guest: up", "the guest to boot",
                       BOOT_SECONDS)
        return guest

    def _start_log(self):
        """While the card is down. It would have to read the rings of one that is
        up, and only the process whose memory they are in could have it do so.
        """
        self.ask("lower", HOWS.index(ON))
        self.log.start()
        self.ask("lift", HOWS.index(ON))

    def _divide_processors(self, stack):
        for task in os.listdir(f"/proc/{self.guest.process.pid}/task"):
            os.sched_setaffinity(int(task), {GUESTS_CPU})
        stack.callback(os.sched_setaffinity, 0, os.sched_getaffinity(0))
        os.sched_setaffinity(0, {OUR_CPU})
        netdev = os.environ["VFMIG_PF_NETDEV"]
        pf = os.path.realpath(f"/sys/class/net/{netdev}/device")
        route_interrupts(pf, OUR_CPU)
        for vf in self.vfs:
            route_interrupts(f"/sys/bus/pci/devices/{vf}", GUESTS_CPU)

    def _answers(self):
        """The last, once it has come; there may be nothing in it."""
        self.guest.must_be_well()
        answers = re.findall(r"^guest: answer (.*)end", self.guest.console(),
                             re.MULTILINE)
        return answers[-1:] if len(answers) == self.asked else []

    def ask(self, word, number=0, meanwhile=lambda: None, every=0.1):
        """What the guest says to it."""
        def answers():
            meanwhile()
            return self._answers()

        self.asked += 1
        self.guest.type_line(f"{word} {number}")
        return self.progress.wait(f"the guest's answer to \"{word}\"", answers,
                                  ANSWER_SECONDS, [self.guest.serial],
                                  every)[0]

    def read_log(self):
        """As often as a VMM would while it migrates the guest."""
        self.reports.append(self.log.report())

    def receive(self):
        """For each card, packets per second that were sent to it, and came."""
        before = self.ask("count").split()
        with subprocess.Popen(
                [FLOOD, str(TURNS), *(f"10.76.{card}.2" for card in
                                      range(len(HOWS)))],
                stdout=subprocess.PIPE, text=True) as flood:
            while flood.poll() is None:
                time.sleep(0.5)
                self.read_log()
            sent = numbers(flood.stdout.read())
        time.sleep(SETTLE)
        after = self.ask("count").split()
        return [(packets / seconds, (int(late) - int(early)) / seconds)
                for (packets, seconds), early, late
                in zip(sent, before, after)]

    def send(self):
        """For each card, packets per second that the guest has sent."""
        return [packets / seconds for packets, seconds in numbers(
            self.ask("flood", TURNS, self.read_log, 0.5))]

    def check_log(self):
        """One that says "everything", or nothing, would be as good as none."""
        pages, self.reports = self.reports, []
        if not FEW < max(pages) < self.log.pages // 2:
            raise Trouble("the log does not tell pages apart: of "
                          f"{self.log.pages} it has reported {pages}")
        return f"{sum(pages)} pages in {len(pages)} reports"


def route_interrupts(device, cpu):
    for irq in os.listdir(f"{device}/msi_irqs"):
        put(f"/proc/irq/{irq}/smp_affinity_list", str(cpu))


def numbers(text):
    """What flood says: (packets, seconds) for each address."""
    words = [float(word) for word in text.split()]
    if len(words) != 2 * len(HOWS):
        raise Trouble(f"flood has failed: {text}")
    return list(zip(words[::2], words[1::2]))


class Round:
    """Packets per second."""

    def __init__(self, packets):
        received = packets.receive()
        self.sent = dict(zip(HOWS, (sent for sent, _ in received)))
        self.rates = {RX: dict(zip(HOWS, (came for _, came in received))),
                      TX: dict(zip(HOWS, packets.send()))}
        self.log = packets.check_log()

    def ratio(self, word, how):
        return self.rates[word][how] / self.rates[word][PLAIN]

    def lost(self, how):
        return 1 - self.rates[RX][how] / self.sent[how]

    def __str__(self):
        return "\n".join(
            [f"  {how + ':':22} {self.rates[RX][how]:6.0f} received of "
             f"{self.sent[how]:6.0f}, {self.rates[TX][how]:6.0f} sent"
             for how in HOWS] + [f"  the log: {self.log}"])


def doubt(word, rounds):
    """How far off a ratio may be: as that of two VFs on vfio-pci is, or two
    standard errors of its median.
    """
    ratios = [one.ratio(word, AGAIN) for one in rounds]
    middle = statistics.median(ratios)
    deviation = 1.48 * statistics.median(abs(ratio - middle)
                                         for ratio in ratios)
    return max(abs(middle - 1), 2 * 1.25 * deviation / len(rounds) ** 0.5)


def verdict(ratio, goal, off):
    if abs(ratio - goal) < off:
        return f"cannot be told, as it may be off by {off:.2f}"
    return "met" if ratio > goal else "MISSED"


def tell_of(word, how, rounds):
    def median(value):
        return statistics.median(value(one) for one in rounds)

    ratio = median(lambda one: one.ratio(word, how))
    line = f"{word} {how:22} " + " ".join((
        f"{median(lambda one: one.rates[word][how]):8.0f}", f"{ratio:7.3f}",
        f"{min(one.ratio(word, how) for one in rounds):7.3f}",
        f"{max(one.ratio(word, how) for one in rounds):7.3f}"))
    if word == RX:
        lost = median(lambda one: one.lost(how))
        line += f" {100 * lost:5.0f}%"
        if lost < ENOUGH:
            line += "  the sender was the limit"
    goal = GOALS.get((word, how))
    if goal:
        line += (f"  goal: at least {goal:.2f}: "
                 + verdict(ratio, goal, doubt(word, rounds)))
    print(line)


def tell(rounds):
    print(f"\npackets in the guest, medians of {len(rounds)} rounds")
    print(" " * 26 + "a second   ratio   least    most   lost")
    for word in (RX, TX):
        for how in HOWS:
            tell_of(word, how, rounds)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    progress = Progress("# ")
    rounds = []
    with workplace() as (directory, stack):
        packets = Packets(progress, directory, stack)
        for number in range(options.rounds):
            rounds.append(Round(packets))
            progress.say(f"round {number + 1} of {options.rounds}, packets "
                         f"per second:\n{rounds[-1]}")
    tell(rounds)


if __name__ == "__main__":
    try:
        main()
    except (Trouble, OSError) as err:
        sys.exit(f"packets: {err}")
