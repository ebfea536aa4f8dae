// SPDX-License-Identifier: GPL-2.0-only
/* What is saved, and what it takes to load it */
#include "conformance.h"

#define MAX_FLIPS	64

/* Two streams of a device need not be the same: this is for the reader */
static void compare(const struct blob *a, const struct blob *b, const char *what)
{
	size_t i;

	for (i = 0; i < a->len && i < b->len; i++)
		if (a->data[i] != b->data[i])
			break;
	if (i < a->len || i < b->len)
		remark("%s: %zu bytes, then %zu, which differ from byte %zu on",
		       what, a->len, b->len, i);
}

CONF_TEST(round_trip, 0, R_LOAD)
{
	struct blob first = {}, second = {};
	unsigned int i;
	int ret;

	for (i = 0; i < 3; i++) {
		save(c, &c->dev, &first, WHOLE);
		ret = load(c->to, &first, WHOLE);
		must(c, R_LOAD, !ret, "%zu bytes: %s", first.len,
		     strerror(-ret));
		ret = vfio_mig_set_state(c->to, VFIO_DEVICE_STATE_RUNNING, NULL);
		holds(c, R_LOAD, !ret, "STOP -> RUNNING after it: %s",
		      strerror(-ret));
		save(c, c->to, &second, WHOLE);
		compare(&first, &second, "saved, loaded, and saved again");
		ret = load(&c->dev, &second, WHOLE);
		must(c, R_LOAD, !ret, "and back again: %s", strerror(-ret));
	}
}

/* Cut in one way on the way out, and in another on the way in */
CONF_TEST(segments, 0, R_SEGMENTS)
{
	static const size_t cuts[] = { 1, 3, 7, 13, 61, 509, 4093, WHOLE };
	struct blob whole = {}, cut = {};
	unsigned int i, j;
	int ret;

	save(c, &c->dev, &whole, WHOLE);
	for (i = 0; i < ARRAY_LEN(cuts); i++) {
		j = ARRAY_LEN(cuts) - 1 - i;
		save(c, &c->dev, &cut, cuts[i]);
		compare(&whole, &cut, "read in other pieces");
		ret = load(c->to, &cut, cuts[j]);
		holds(c, R_SEGMENTS, !ret,
		      "read by %zu and written by %zu bytes: %s", cuts[i],
		      cuts[j], strerror(-ret));
	}
}

/* The state after a SET that failed: of the path, or ERROR */
static bool of_path(struct conf *c, __u32 to, int state)
{
	struct path path;
	unsigned int i;

	if (state == VFIO_DEVICE_STATE_ERROR ||
	    state == VFIO_DEVICE_STATE_RESUMING)
		return true;
	model_path(c->flags, VFIO_DEVICE_STATE_RESUMING, to, &path);
	for (i = 0; i < path.nr; i++)
		if ((int)path.state[i] == state)
			return true;
	return false;
}

static void load_part(struct conf *c, const struct blob *blob, size_t len,
		      __u32 to)
{
	int fd, ret, state;

	fd = enter(c, c->to, VFIO_DEVICE_STATE_RESUMING, NULL);
	ret = write_blob(fd, blob, len, WHOLE);
	need(c, !ret, "the first %zu bytes cannot be written: %s", len,
	     strerror(-ret));
	ret = vfio_mig_set_state(c->to, to, NULL);
	state = vfio_mig_get_state(c->to);
	holds(c, R_INCOMPLETE, ret, "RESUMING -> %s succeeds with %zu of %zu bytes",
	      vfio_mig_state_name(to), len, blob->len);
	holds(c, R_SET_FAILED, of_path(c, to, state), "RESUMING -> %s led to %s",
	      vfio_mig_state_name(to), vfio_mig_state_name(state));
	close(fd);
}

CONF_TEST(truncated, NEEDS_RESET, R_INCOMPLETE, R_SET_FAILED)
{
	static const __u32 to[] = {
		VFIO_DEVICE_STATE_STOP, VFIO_DEVICE_STATE_RUNNING,
		VFIO_DEVICE_STATE_STOP_COPY,
	};
	struct blob blob = {};
	unsigned int i;

	save(c, &c->dev, &blob, WHOLE);
	if (!blob.len) {
		give_reason(c, R_INCOMPLETE, "the stream is empty");
		give_reason(c, R_SET_FAILED, "the stream is empty");
		return;
	}
	for (i = 0; i < ARRAY_LEN(to); i++) {
		load_part(c, &blob, 0, to[i]);
		load_part(c, &blob, 1, to[i]);
		load_part(c, &blob, blob.len / 4, to[i]);
		load_part(c, &blob, blob.len / 2, to[i]);
		load_part(c, &blob, blob.len - 1, to[i]);
	}
}

/*
 * A stream is opaque: whether a driver sees that one bit of it is wrong is its
 * own affair. But what it has refused once it must not take.
 */
static unsigned int load_flipped(struct conf *c, struct blob *blob, size_t pos)
{
	int fd, refused, ret;

	fd = enter(c, c->to, VFIO_DEVICE_STATE_RESUMING, NULL);
	blob->data[pos] ^= 0x10;
	refused = write_blob(fd, blob, blob->len, WHOLE);
	blob->data[pos] ^= 0x10;
	ret = vfio_mig_set_state(c->to, VFIO_DEVICE_STATE_STOP, NULL);
	holds(c, R_INVALID, !refused || ret,
	      "with byte %zu changed write() gives %s, and RESUMING -> STOP succeeds",
	      pos, strerror(-refused));
	need(c, vfio_mig_get_state(c->to) >= 0, "the state cannot be asked for");
	close(fd);
	return refused || ret;
}

CONF_TEST(corrupted, NEEDS_RESET, R_INVALID)
{
	unsigned int i, seen = 0, tries = MAX_FLIPS;
	struct blob blob = {};
	int ret;

	save(c, &c->dev, &blob, WHOLE);
	if (tries > blob.len)
		tries = blob.len;
	for (i = 0; i < tries; i++)
		seen += load_flipped(c, &blob, blob.len * i / tries);
	remark("%u of %u changes of a bit were found", seen, tries);

	ret = load(c->to, &blob, WHOLE);
	need(c, !ret, "the right stream is not taken any more: %s",
	     strerror(-ret));
	if (!seen)
		give_reason(c, R_INVALID, "the driver finds nothing wrong");
}
