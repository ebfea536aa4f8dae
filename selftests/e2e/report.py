# SPDX-License-Identifier: GPL-2.0-only
"""Turns what was observed into claims, a report, and a plot."""

import re

from claim import Claim, Outcome
from flows import ANSWERED
from initrd import guest_facts
from nic import OPENED
from traffic import longest_gap, parse_peer

PINGS_AFTER = 5.0	# seconds at the end in which pings must flow
MARGIN = 1.0		# seconds that the last ping before has for its answer
MIB = 1024 * 1024

# What a kernel says when something is wrong, whichever kernel it is.
TROUBLE = (r"NETDEV WATCHDOG|timed out|\b[Hh]ung\b|\bhang\b|\bstall|lockup|BUG:|"
           r"WARNING:|Oops|Call Trace|general protection|segfault|[Bb]ad page")
# In a guest that runs undisturbed, the card's driver is silent.
GUEST_TROUBLE = re.compile(TROUBLE + "|igbvf")
HOST_TROUBLE = re.compile(TROUBLE + "|DMAR:|fault addr|AER:|vfio.* failed")


class Record:
    """All that one run of the scenario observed."""

    def __init__(self, real, is_compared):
        self.real = real		# a real device, not an emulated one
        self.is_compared = is_compared	# its memory, on both sides
        self.nic = None
        self.trouble = None		# why it ended early, if it did
        self.migration = {}		# QEMU's last query-migrate
        self.began = None		# wall clock, as all times here
        self.completed = None
        self.stopped = None		# when the guest or its card stopped
        self.resumed = None		# when both went on
        self.device_states = {}		# {end: states that QEMU went through}
        self.precopy = None		# what went ahead of the switchover
        self.dirty_log = None		# the card's log of what it has written
        self.compared = None		# the memory
        self.destination_status = None
        self.source_exit = None
        self.pinger = None
        self.flows = None
        self.peer_at_resume = {}
        self.peer_output = ""
        self.source_console = ""
        self.destination_console = ""
        self.host_log = []
        self.log_name = "the host's kernel log shows"
        self.complaints = None

    def pings(self):
        return self.pinger.pings if self.pinger else []

    def last_console(self):
        """The console on which the guest gave its report at the end."""
        if "guest: after" in self.destination_console:
            return self.destination_console
        return self.source_console


def guest_troubles(log):
    """Lines of the guest's kernel log, since traffic began, that worry us."""
    return [line for line in log
            if GUEST_TROUBLE.search(line) or re.match(r"<[0-3]>", line)]


def host_troubles(log):
    return [line for line in log if HOST_TROUBLE.search(line)]


def check_end(record):
    why = record.trouble.splitlines()[0] if record.trouble else ""
    return Claim("the scenario ran to its end", not record.trouble, why)


def check_migration(record):
    status = record.migration.get("status")
    if status is None:
        return Claim("the migration completes", None)
    detail = record.migration.get("error-desc", f"QEMU's status: {status}")
    return Claim("the migration completes", status == "completed", detail)


def check_handover(record):
    name = "the destination runs, the source has ended"
    if record.destination_status is None:
        return Claim(name, None)
    return Claim(name, record.destination_status == "running" and
                 record.source_exit == 0,
                 f"destination {record.destination_status}, source's exit "
                 f"status {record.source_exit}")


def check_device_state(record):
    name = "the device's state went with it"
    if not record.migration:
        return Claim(name, None)
    size = record.migration.get("vfio", {}).get("transferred", 0)
    return Claim(name, size > 0, f"{size} bytes")


def check_precopy(record):
    name = "the card's initial data went ahead, and were taken"
    if not record.nic or not record.precopy or not record.precopy.stopped:
        return Claim(name, None)
    if not record.nic.precopy:
        return Claim(name, True, "the device does not offer PRE_COPY")
    seen = record.precopy
    ack = ("acknowledged before the card stopped" if seen.acked_in_time else
           "not acknowledged before the card stopped")
    return Claim(name, seen.acked_in_time and 0 < seen.sent <= seen.loaded,
                 f"{seen.sent} bytes sent, {seen.loaded} loaded, {ack}; "
                 f"{seen.rest} bytes when it had stopped")


def check_log(record):
    name = "QEMU has the card's log tell which pages the card has written"
    log = record.dirty_log
    if not record.nic or not log or not log.stopped:
        return Claim(name, None)
    if not record.nic.has_log(0):
        return Claim(name, not log.started,
                     "not offered, or not to a QEMU that opens it so")
    return Claim(name, log.started and log.tells_apart() and
                 log.running.dirty > 0,
                 f"{log.running} while it ran, {log.standing} when it had "
                 f"stopped; all would be {log.running.asked} and "
                 f"{log.standing.asked}")


def check_memory(record):
    name = "the guest's memory arrived as it was sent"
    seen = record.compared
    if not seen:
        return Claim(name, None)
    # Nothing but empty pages would prove nothing.
    return Claim(name, not seen.different and seen.empty < seen.pages, str(seen))


def reported(facts):
    """Whether the guest came to report at all."""
    return "boot_id" in facts and "uptime" in facts


def check_boot(record):
    """The guest that answers now is the guest that was started."""
    name = "the guest booted once, and its uptime went on"
    before, _ = guest_facts(record.source_console, "before")
    after, _ = guest_facts(record.last_console(), "after")
    if not reported(before) or not reported(after):
        return Claim(name, None)
    _, counts = parse_peer(record.peer_output)
    if not counts:
        return Claim(name, None)
    same = before["boot_id"] == after["boot_id"] == counts.get("far_boot_id")
    rose = (float(after["uptime"]) > float(before["uptime"]) and
            not counts["far_uptime_fell"])
    return Claim(name, same and rose and counts["far_boots"] == 1,
                 f"boot id {before['boot_id']} -> {after['boot_id']}, uptime "
                 f"{before['uptime']} -> {after['uptime']} s")


def both_ends(record):
    """The final counts of both ends of the connection, and their words."""
    here = parse_peer(record.peer_output)
    there = parse_peer(record.last_console())
    return here, there


def orderly_end(record):
    """Both ends have had the other's last record."""
    return all(word in ("done", "broken") for word, _ in both_ends(record))


def check_connection(record):
    name = "one TCP connection lasts from before to after"
    words = re.findall(r"peer: (failed: .*)",
                       record.peer_output + record.last_console())
    if words:
        return Claim(name, False, "; ".join(words).replace("\r", ""))
    if not orderly_end(record):
        return Claim(name, None)
    return Claim(name, record.peer_output.count("peer: connected") == 1,
                 "both ends closed it in order")


def check_count(record, name, key):
    """A count that must be 0 at both ends."""
    (_, ours), (_, theirs) = both_ends(record)
    bad = [ours.get(key, 0), theirs.get(key, 0)]
    if bad == [0, 0] and not orderly_end(record):
        return Claim(name, None)
    return Claim(name, bad == [0, 0],
                 f"{bad[0]} from the guest, {bad[1]} to the guest")


def check_repeated(record):
    return check_count(record, "no TCP record came twice or out of order",
                       "stale")


def check_corrupt(record):
    return check_count(record, "no TCP record was corrupted", "corrupt")


def check_all_arrived(record):
    name = "every TCP record that was sent has arrived"
    if not orderly_end(record):
        return Claim(name, None)
    (_, ours), (_, theirs) = both_ends(record)
    return Claim(name, ours["sent"] == theirs["received"] and
                 theirs["sent"] == ours["received"] and
                 ours["lost"] + theirs["lost"] == 0,
                 f"{ours['received']} of {theirs['sent']} from the guest, "
                 f"{theirs['received']} of {ours['sent']} to it")


def check_tcp_after(record):
    name = "TCP flows both ways after the migration"
    _, counts = parse_peer(record.peer_output)
    if not record.peer_at_resume or not counts:
        return Claim(name, None)
    more = [counts[key] - record.peer_at_resume[key]
            for key in ("received", "far_received")]
    return Claim(name, min(more) > 0,
                 f"{more[0]} records from the guest, {more[1]} to it")


def check_pings_after(record):
    name = "pings flow again after the migration"
    if record.resumed is None or not record.pings():
        return Claim(name, None)
    end = record.pings()[-1].sent
    late = [ping for ping in record.pings()
            if ping.sent > max(end - PINGS_AFTER, record.resumed)]
    answered = sum(ping.rtt is not None for ping in late)
    return Claim(name, bool(late) and
                 answered >= ANSWERED * len(late),
                 f"{answered} of the last {len(late)} answered")


def check_flows_before(record):
    name = "VLAN, group and large frames reach the guest before the migration"
    if record.stopped is None or not record.flows:
        return Claim(name, None)
    return Claim(name, *record.flows.through(0, record.stopped - MARGIN))


def check_flows_after(record):
    name = "they reach it after the migration"
    if record.resumed is None or not record.pings():
        return Claim(name, None)
    end = record.pings()[-1].sent
    return Claim(name, *record.flows.through(
        max(end - PINGS_AFTER, record.resumed), end))


def check_kept_out(record):
    """The counts are of what the card let in, both before and after."""
    name = "what the guest has not asked for never gets past its card"
    after, _ = guest_facts(record.last_console(), "after")
    if not record.flows or not reported(after):
        return Claim(name, None)

    def let_in(flow):
        return int(after.get(f"tap/{flow.address}", -1))

    # A tap that sees nothing would prove nothing.
    seen = all(let_in(flow) > 0 for flow in record.flows.wanted)
    unwanted = record.flows.unwanted
    return Claim(name, seen and all(let_in(flow) == 0 and flow.pinger.pings
                                    for flow in unwanted),
                 ", ".join(f"{flow.name}: {let_in(flow)} of "
                           f"{len(flow.pinger.pings)}" for flow in unwanted))


def counter_is_fine(key, before, after):
    """Whether a counter of the guest's card may have moved so."""
    if re.search(r"tx_timeout|carrier_changes|_errors$", key):
        return after == before
    # A driver that reads hardware's 32 bits takes a fall for a wrap.
    return 0 <= after - before < 1 << 31


def check_card(record):
    """The guest's driver neither reset its card nor saw its link fall."""
    name = "the guest's card was never reset, and never hung"
    before, _ = guest_facts(record.source_console, "before")
    after, _ = guest_facts(record.last_console(), "after")
    if not reported(before) or not reported(after):
        return Claim(name, None)
    odd = []
    for key in sorted(after):
        if not key.startswith("counter/"):
            continue
        values = int(before.get(key, 0)), int(after[key])
        if not counter_is_fine(key, *values):
            odd.append(f"{key.split('/', 1)[1]} {values[0]} -> {values[1]}")
    return Claim(name, not odd, ", ".join(odd) or
                 "no timeout, no error, no change of the link, no jump of a "
                 "counter")


def check_guest_log(record):
    name = "the guest's kernel log shows no trouble"
    facts, log = guest_facts(record.last_console(), "after")
    if not reported(facts):
        return Claim(name, None)
    bad = guest_troubles(log)
    return Claim(name, not bad, bad[0] if bad else
                 f"{len(log)} lines since the traffic began")


def check_host_log(record):
    bad = host_troubles(record.host_log)
    return Claim(f"{record.log_name} no trouble", not bad,
                 bad[0] if bad else f"{len(record.host_log)} lines")


def check_opened(record):
    return record.nic.opened() if record.nic else Claim(OPENED, None)


def check_devices(record):
    name = "the devices are unharmed"
    if record.complaints is None:
        return Claim(name, None)
    return Claim(name, not record.complaints, "; ".join(record.complaints))


CHECKS = [
    check_end,
    check_migration,
    check_handover,
    check_boot,
    check_connection,
    check_all_arrived,
    check_repeated,
    check_corrupt,
    check_tcp_after,
    check_pings_after,
    check_flows_before,
    check_flows_after,
    check_kept_out,
    check_card,
    check_guest_log,
    check_host_log,
]
CHECKS_OF_A_REAL_DEVICE = [
    check_opened,
    check_device_state,
    check_precopy,
    check_log,
    check_devices,
]


def checks(real, is_compared):
    return (CHECKS + (CHECKS_OF_A_REAL_DEVICE if real else [])
            + ([check_memory] if is_compared else []))


def claims(record):
    return [check(record) for check
            in checks(record.real, record.is_compared)]


def figures(record):
    """The numbers of the report: (name, value)."""
    rows = []
    migration = record.migration
    if record.nic and record.nic.offers:
        rows += [("the device offers", record.nic.offers),
                 ("opened by", record.nic.described_ways())]
    if "downtime" in migration:
        rows += [("downtime, as QEMU has it", f"{migration['downtime']} ms"),
                 ("whole migration", f"{migration['total-time']} ms")]
    if record.resumed and record.stopped:
        stood = (record.resumed - record.stopped) * 1000
        rows.append(("guest stood still", f"{stood:.0f} ms"))
    if "vfio" in migration:
        rows.append(("device state",
                     f"{migration['vfio']['transferred']} bytes"))
    if "ram" in migration:
        ram = migration["ram"]
        rows.append(("memory sent",
                     f"{ram['transferred'] / MIB:.1f} MiB of "
                     f"{ram['total'] / MIB:.0f} MiB, in "
                     f"{ram['dirty-sync-count']} rounds"))
        rows += [(f"memory sent while it {what}",
                  f"{ram[key] / MIB:.1f} MiB") for what, key in
                 (("ran", "precopy-bytes"), ("stood still", "downtime-bytes"))
                 if key in ram]
    log = record.dirty_log
    if log and log.started:
        rows += [("written by the card while it ran", log.running),
                 ("when it had stopped", log.standing)]
    pings = record.pings()
    if pings:
        lost = sum(ping.rtt is None for ping in pings)
        rows.append(("pings", f"{len(pings)} sent, {lost} lost"))
        begin, end = longest_gap(pings, pings[0].sent, pings[-1].sent)
        rows.append(("longest gap between replies",
                     f"{(end - begin) * 1000:.0f} ms"))
    (_, ours), (_, theirs) = both_ends(record)
    for title, sender, receiver in (("TCP from the guest", theirs, ours),
                                    ("TCP to the guest", ours, theirs)):
        if sender and receiver:
            rows.append((title, f"{sender['sent']} records, "
                         f"{sender['sent'] * sender['record']} bytes; lost "
                         f"{receiver['lost']}, repeated or out of order "
                         f"{receiver['stale']}, corrupt "
                         f"{receiver['corrupt']}"))
    if ours and theirs:
        rows.append(("TCP segments sent again",
                     f"{theirs['retransmits']} from the guest, "
                     f"{ours['retransmits']} to it"))
    before, _ = guest_facts(record.source_console, "before")
    after, _ = guest_facts(record.last_console(), "after")
    if reported(before) and reported(after):
        rows += [("guest's uptime", f"{before['uptime']} s before, "
                                    f"{after['uptime']} s after"),
                 ("guest's boot id", f"{before['boot_id']} before, "
                                     f"{after['boot_id']} after")]
    for end, states in record.device_states.items():
        rows.append((f"device states, {end}", " > ".join(states)))
    return rows


def outcome(record, more_claims=()):
    return Outcome(
        claims(record) + list(more_claims), figures(record), record.trouble,
        f"the guest moved {record.nic and record.nic.journey} while it ran, "
        "and nothing that it sent or received was lost.")
