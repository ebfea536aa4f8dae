# SPDX-License-Identifier: GPL-2.0-only
"""What the QEMUs did for their card, from their own trace events."""

import re

EVENTS = ("vfio_migration_set_state", "vfio_save_block",
          "vfio_load_state_device_data", "loadvm_approve_switchover",
          "source_return_path_thread_switchover_acked",
          "vfio_device_dirty_tracking_start", "vfio_get_dirty_bitmap")
PAGE = 4096
LINE = re.compile(r"\b(" + "|".join(EVENTS) + r")\b(.*)")


def qemu_args(path):
    args = ["-D", path]
    for event in EVENTS:
        args += ["-trace", event]
    return args


def read(path):
    """The events, in order: (name, text)."""
    try:
        with open(path, errors="replace") as file:
            found = [LINE.search(line) for line in file]
    except FileNotFoundError:
        return []
    return [match.groups() for match in found if match]


def position(events, name, text=""):
    for index, event in enumerate(events):
        if event[0] == name and text in event[1]:
            return index
    return None


def total(events, name):
    """The sum of the sizes that the events of that name tell."""
    return sum(int(re.search(r"size (\d+)", text).group(1))
               for event, text in events if event == name)


class Reports:
    """Some reports of a log: how many pages were asked about, and are dirty."""

    def __init__(self, events):
        texts = [text for event, text in events
                 if event == "vfio_get_dirty_bitmap"]
        self.count = len(texts)
        self.asked = sum(int(re.search(r" size= ?(0x[0-9a-f]+)",
                                       text).group(1), 16) // PAGE
                         for text in texts)
        self.dirty = sum(int(re.search(r" dirty_pages=(\d+)",
                                       text).group(1)) for text in texts)

    def __str__(self):
        return f"{self.dirty} pages in {self.count} reports"


class DirtyLog:
    """What QEMU did with the log of the pages that its card writes."""

    def __init__(self, source):
        stop = position(source, "vfio_migration_set_state",
                        "new state STOP_COPY")
        start = position(source, "vfio_device_dirty_tracking_start")
        self.started = start is not None
        self.stopped = stop is not None
        self.running = Reports(source[start or 0:stop])
        self.standing = Reports(source[stop:] if self.stopped else [])

    def tells_apart(self):
        """Reports that say "everything" would be as good as none."""
        return all(reports.count and reports.dirty < reports.asked / 2
                   for reports in (self.running, self.standing))


class Precopy:
    """What went over the wire before the card was stopped."""

    def __init__(self, source, destination):
        stop = position(source, "vfio_migration_set_state",
                        "new state STOP_COPY")
        acked = position(source, "source_return_path_thread_switchover_acked")
        approved = position(destination, "loadvm_approve_switchover")
        self.stopped = stop is not None
        self.acked_in_time = (acked is not None and self.stopped and
                              acked < stop)
        self.sent = total(source[:stop], "vfio_save_block")
        self.rest = total(source[stop:], "vfio_save_block")
        self.loaded = total(destination[:approved or 0],
                            "vfio_load_state_device_data")
