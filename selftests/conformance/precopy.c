// SPDX-License-Identifier: GPL-2.0-only
/* The precopy phase: its sizes, its pauses and its part of the stream */
#include <poll.h>
#include <sys/ioctl.h>

#include "conformance.h"

#define PAUSE_TRIES	20

static int get_info(int fd, struct vfio_precopy_info *info)
{
	memset(info, 0, sizeof(*info));
	info->argsz = sizeof(*info);
	return ioctl(fd, VFIO_MIG_GET_PRECOPY_INFO, info) < 0 ? -errno : 0;
}

static void check_first_info(struct conf *c, __u32 state)
{
	struct vfio_precopy_info info;
	int fd, ret;

	fd = enter(c, &c->dev, state, NULL);
	ret = get_info(fd, &info);
	must(c, R_INFO, !ret, "in %s: %s", vfio_mig_state_name(state),
	     strerror(-ret));
	holds(c, R_INITIAL, info.initial_bytes, "in %s",
	      vfio_mig_state_name(state));
	holds(c, R_DIRTY, !info.dirty_bytes, "it is %llu in %s",
	      (unsigned long long)info.dirty_bytes, vfio_mig_state_name(state));
	close(fd);
}

/* Down to the end of the initial data, a few bytes at a time */
static void check_fall(struct conf *c)
{
	struct vfio_precopy_info info;
	__u64 last = ~0ULL, first;
	unsigned int i;
	char buf[61];
	int fd;

	fd = enter(c, &c->dev, VFIO_DEVICE_STATE_PRE_COPY, NULL);
	must(c, R_INFO, !get_info(fd, &info), "in PRE_COPY");
	first = info.initial_bytes;
	for (i = 0; i < 1000; i++) {
		holds(c, R_INITIAL_FALLS, info.initial_bytes <= last,
		      "from %llu to %llu", (unsigned long long)last,
		      (unsigned long long)info.initial_bytes);
		last = info.initial_bytes;
		if (!last || read(fd, buf, sizeof(buf)) <= 0)
			break;
		must(c, R_INFO, !get_info(fd, &info), "while it is read");
	}
	holds(c, R_INITIAL_FALLS, last < first,
	      "it still is %llu after %u times %zu bytes",
	      (unsigned long long)last, i, sizeof(buf));
	if (i < 1000)
		holds(c, R_INITIAL_FALLS, !last,
		      "it is %llu, and there is nothing to read",
		      (unsigned long long)last);
}

CONF_TEST(precopy_info, NEEDS_PRE_COPY, R_INFO, R_INITIAL, R_INITIAL_FALLS,
	  R_DIRTY)
{
	check_first_info(c, VFIO_DEVICE_STATE_PRE_COPY);
	if (c->flags & VFIO_MIGRATION_P2P)
		check_first_info(c, VFIO_DEVICE_STATE_PRE_COPY_P2P);
	check_fall(c);
}

/* Where the ioctl has nothing to say, or not enough room to say it */
CONF_TEST(precopy_info_elsewhere, NEEDS_PRE_COPY, R_INFO_STATE, R_INFO_ARGSZ)
{
	struct vfio_precopy_info info;
	__u32 argsz;
	int fd, ret;

	fd = enter(c, &c->dev, VFIO_DEVICE_STATE_PRE_COPY, NULL);
	for (argsz = 0; argsz < sizeof(info); argsz += 4) {
		info = (struct vfio_precopy_info){ .argsz = argsz };
		ret = ioctl(fd, VFIO_MIG_GET_PRECOPY_INFO, &info);
		holds(c, R_INFO_ARGSZ, ret < 0, "an argsz of %u", argsz);
	}

	go(c, &c->dev, VFIO_DEVICE_STATE_STOP_COPY, NULL);
	ret = get_info(fd, &info);
	holds(c, R_INFO_STATE, ret == -EINVAL, "in STOP_COPY: %s",
	      ret ? strerror(-ret) : "success");
	go(c, &c->dev, VFIO_DEVICE_STATE_STOP, NULL);
	ret = get_info(fd, &info);
	holds(c, R_INFO_STATE, ret, "in STOP it succeeds");

	fd = enter(c, &c->dev, VFIO_DEVICE_STATE_STOP_COPY, NULL);
	ret = get_info(fd, &info);
	holds(c, R_INFO_STATE, ret == -EINVAL, "in STOP_COPY without PRE_COPY: %s",
	      ret ? strerror(-ret) : "success");
	fd = enter(c, &c->dev, VFIO_DEVICE_STATE_RESUMING, NULL);
	ret = get_info(fd, &info);
	holds(c, R_INFO_STATE, ret, "in RESUMING it succeeds");
}

/*
 * Everything is read, until a read() says that there is nothing now. A device
 * may have news at any time, so one look is not enough.
 */
static void check_pause(struct conf *c, __u32 state)
{
	const char *name = vfio_mig_state_name(state);
	struct vfio_precopy_info info;
	bool idle = false, quiet = false;
	struct blob blob = {};
	unsigned int i;
	int fd, ret;

	fd = enter(c, &c->dev, state, NULL);
	for (i = 0; i < PAUSE_TRIES && !(idle && quiet); i++) {
		ret = read_blob(fd, &blob, WHOLE);
		must(c, R_PAUSE, ret == -ENOMSG,
		     "in %s, after %zu bytes: read() gives %s", name, blob.len,
		     ret ? strerror(-ret) : "0");
		need(c, !get_info(fd, &info), "no VFIO_MIG_GET_PRECOPY_INFO");
		idle = !info.initial_bytes && !info.dirty_bytes;
		quiet = !poll_fd(fd, POLLIN, 50);
	}
	holds(c, R_PAUSE, idle, "in %s initial_bytes is %llu, dirty_bytes %llu",
	      name, (unsigned long long)info.initial_bytes,
	      (unsigned long long)info.dirty_bytes);
	holds(c, R_PAUSE_POLL, quiet, "in %s it says readable, and nothing is",
	      name);
	close(fd);
}

static void check_poll_without_enomsg(struct conf *c)
{
	struct blob blob = {};
	int fd, ret;

	fd = enter(c, &c->dev, VFIO_DEVICE_STATE_PRE_COPY, NULL);
	ret = read_blob(fd, &blob, WHOLE);
	holds(c, R_PAUSE_POLL, !poll_fd(fd, POLLIN, 50),
	      "it says readable after read() gave %s",
	      ret ? strerror(-ret) : "0");
}

CONF_TEST(precopy_end, NEEDS_PRE_COPY, R_PAUSE, R_PAUSE_POLL)
{
	check_poll_without_enomsg(c);
	check_pause(c, VFIO_DEVICE_STATE_PRE_COPY);
	if (c->flags & VFIO_MIGRATION_P2P)
		check_pause(c, VFIO_DEVICE_STATE_PRE_COPY_P2P);
}

/* Reads in PRE_COPY as much as there is, or nothing, and the rest in STOP_COPY */
static void save_precopy(struct conf *c, struct blob *blob, bool early)
{
	int fd, ret;

	fd = enter(c, &c->dev, VFIO_DEVICE_STATE_PRE_COPY, NULL);
	blob->len = 0;
	if (early)
		read_blob(fd, blob, 13);
	go(c, &c->dev, VFIO_DEVICE_STATE_STOP_COPY, NULL);
	ret = read_blob(fd, blob, WHOLE);
	need(c, !ret, "reading in STOP_COPY: %s", strerror(-ret));
	close(fd);
}

CONF_TEST(precopy_stream, NEEDS_PRE_COPY, R_LOAD, R_INCOMPLETE)
{
	struct blob blob = {};
	int early, fd, ret;

	for (early = 0; early < 2; early++) {
		save_precopy(c, &blob, early);
		ret = load(c->to, &blob, 17);
		holds(c, R_LOAD, !ret, "%zu bytes, read %s STOP_COPY: %s",
		      blob.len, early ? "before" : "in", strerror(-ret));
	}

	/* What PRE_COPY gives is no whole stream */
	fd = enter(c, &c->dev, VFIO_DEVICE_STATE_PRE_COPY, NULL);
	blob.len = 0;
	read_blob(fd, &blob, WHOLE);
	ret = load(c->to, &blob, WHOLE);
	holds(c, R_INCOMPLETE, ret, "the %zu bytes of PRE_COPY are taken for all",
	      blob.len);
}

CONF_TEST(precopy_info_v2, NEEDS_PRE_COPY | NEEDS_INFO_V2, R_INFO_FLAGS)
{
	struct vfio_precopy_info info;
	struct blob blob = {};
	int fd, ret;

	ret = vfio_feature(&c->dev, VFIO_DEVICE_FEATURE_SET,
			   PRECOPY_INFO_V2, NULL, 0);
	must(c, R_INFO_FLAGS, !ret, "SET: %s", strerror(-ret));
	fd = enter(c, &c->dev, VFIO_DEVICE_STATE_PRE_COPY, NULL);
	need(c, !get_info(fd, &info), "no VFIO_MIG_GET_PRECOPY_INFO");
	holds(c, R_INFO_FLAGS, !(info.flags & ~PRECOPY_INFO_REINIT),
	      "flags is %#x at first", info.flags);
	read_blob(fd, &blob, WHOLE);
	need(c, !get_info(fd, &info), "no VFIO_MIG_GET_PRECOPY_INFO");
	holds(c, R_INFO_FLAGS, !(info.flags & ~PRECOPY_INFO_REINIT),
	      "flags is %#x in the end", info.flags);
}
