// SPDX-License-Identifier: GPL-2.0-only
/* The states, and the ways from one to another */
#include <sys/eventfd.h>

#include "conformance.h"

#define DWELL_US	20000

struct move {
	__u32 from;
	__u32 to;
	struct path path;
	int old;	/* the data_fd of from */
	int fd;		/* what the SET returned as one */
	int ret;
};

static void make_move(struct conf *c, struct move *m, const struct blob *blob)
{
	m->old = enter(c, &c->dev, m->from, blob);
	m->ret = vfio_mig_set_state(&c->dev, m->to, &m->fd);
}

static void end_move(struct move *m)
{
	if (m->old >= 0)
		close(m->old);
	if (m->fd >= 0)
		close(m->fd);
}

static void check_arrival(struct conf *c, const struct move *m)
{
	const char *from = vfio_mig_state_name(m->from);
	const char *to = vfio_mig_state_name(m->to);
	bool opens = model_opens(m->from, &m->path);
	int state = vfio_mig_get_state(&c->dev);

	holds(c, R_COMBINED, !m->ret, "%s -> %s: %s", from, to,
	      strerror(-m->ret));
	if (m->ret)
		return;
	holds(c, R_SET_COMPLETE, state == (int)m->to, "%s -> %s led to %s",
	      from, to, vfio_mig_state_name(state));
	if (opens)
		holds(c, R_SET_FD, m->fd >= 0, "%s -> %s: none", from, to);
	else
		holds(c, R_SET_NO_FD, m->fd == -1, "%s -> %s: data_fd is %d",
		      from, to, m->fd);

	if (!model_saving(m->from))
		return;
	holds(c, R_COMBINED, session_dead(m->old, true) ==
			     model_closes(m->from, &m->path),
	      "%s -> %s %s the session, another path does not", from, to,
	      model_closes(m->from, &m->path) ? "keeps" : "ends");
}

CONF_TEST(every_pair, 0, R_COMBINED, R_SET_COMPLETE, R_SET_FD, R_SET_NO_FD)
{
	struct blob blob = {};
	struct move m;

	save(c, &c->dev, &blob, WHOLE);
	for (m.from = 0; m.from < VFIO_DEVICE_STATE_NR; m.from++) {
		for (m.to = 0; m.to < VFIO_DEVICE_STATE_NR; m.to++) {
			if (!model_path(c->flags, m.from, m.to, &m.path))
				continue;
			make_move(c, &m, &blob);
			check_arrival(c, &m);
			end_move(&m);
		}
	}
}

static enum req_id why_refused(const struct conf *c, __u32 to)
{
	if (to == VFIO_DEVICE_STATE_ERROR)
		return R_ERROR_TARGET;
	if (to >= VFIO_DEVICE_STATE_NR)
		return R_UNKNOWN;
	return model_supports(c->flags, to) ? R_BLOCKED : R_UNSUPPORTED;
}

/* A whole stream has been written in RESUMING, so one byte more proves nothing */
static bool session_goes_on(struct conf *c, const struct move *m)
{
	if (model_saving(m->from))
		return !session_dead(m->old, true);
	return m->from != VFIO_DEVICE_STATE_RESUMING ||
	       !vfio_mig_set_state(&c->dev, VFIO_DEVICE_STATE_STOP, NULL);
}

static void check_refusal(struct conf *c, struct move *m,
			  const struct blob *blob)
{
	enum req_id req = why_refused(c, m->to);
	const char *from = vfio_mig_state_name(m->from);
	const char *to = m->to < VFIO_DEVICE_STATE_NR ?
			 vfio_mig_state_name(m->to) : "no state";
	int state;

	make_move(c, m, blob);
	state = vfio_mig_get_state(&c->dev);
	holds(c, req, m->ret, "%s -> %s (%#x) succeeds", from, to, m->to);
	holds(c, req, m->fd == -1, "%s -> %s (%#x): data_fd is %d", from, to,
	      m->to, m->fd);
	holds(c, R_SET_FAILED, state == (int)m->from,
	      "%s -> %s (%#x) was refused, and led to %s", from, to, m->to,
	      vfio_mig_state_name(state));
	holds(c, req, session_goes_on(c, m),
	      "%s -> %s (%#x) was refused, and ended the session", from, to,
	      m->to);
	end_move(m);
}

/* What has no path: it is refused at once, and nothing happens */
CONF_TEST(refused_targets, 0, R_ERROR_TARGET, R_UNKNOWN, R_UNSUPPORTED,
	  R_BLOCKED, R_SET_FAILED)
{
	static const __u32 unknown[] = {
		VFIO_DEVICE_STATE_NR, VFIO_DEVICE_STATE_NR + 1, 0xffff,
		0x80000000, 0xffffffff,
	};
	struct blob blob = {};
	unsigned int i;
	struct move m;

	save(c, &c->dev, &blob, WHOLE);
	for (m.from = 0; m.from < VFIO_DEVICE_STATE_NR; m.from++) {
		if (!model_supports(c->flags, m.from))
			continue;
		for (m.to = 0; m.to < VFIO_DEVICE_STATE_NR; m.to++)
			if (!model_path(c->flags, m.from, m.to, &m.path))
				check_refusal(c, &m, &blob);
		for (i = 0; i < ARRAY_LEN(unknown); i++) {
			m.to = unknown[i];
			check_refusal(c, &m, &blob);
		}
	}
	give_reason(c, R_UNSUPPORTED, "all optional states are claimed");
	give_reason(c, R_BLOCKED, "PRE_COPY is not claimed");
}

CONF_TEST(same_state, 0, R_SAME)
{
	struct blob blob = {};
	struct move m;

	save(c, &c->dev, &blob, WHOLE);
	for (m.from = 0; m.from < VFIO_DEVICE_STATE_NR; m.from++) {
		if (!model_supports(c->flags, m.from))
			continue;
		m.to = m.from;
		make_move(c, &m, &blob);
		holds(c, R_SAME, !m.ret, "%s again: %s",
		      vfio_mig_state_name(m.from), strerror(-m.ret));
		holds(c, R_SAME, m.fd == -1, "%s again: data_fd is %d",
		      vfio_mig_state_name(m.from), m.fd);
		holds(c, R_SAME, session_goes_on(c, &m),
		      "%s again ended the session",
		      vfio_mig_state_name(m.from));
		end_move(&m);
	}
}

CONF_TEST(state_stays, 0, R_SET_ALONE)
{
	__u32 from;
	int state;

	for (from = 0; from < VFIO_DEVICE_STATE_NR; from++) {
		if (!model_supports(c->flags, from))
			continue;
		enter(c, &c->dev, from, NULL);
		usleep(DWELL_US);
		state = vfio_mig_get_state(&c->dev);
		holds(c, R_SET_ALONE, state == (int)from, "%s became %s",
		      vfio_mig_state_name(from), vfio_mig_state_name(state));
	}
}

static int read_ids(struct conf *c, __u32 *ids)
{
	return vfio_region_read(&c->dev, VFIO_PCI_CONFIG_REGION_INDEX, 0, ids,
				sizeof(*ids));
}

/* Reads the start of each BAR. What comes of it is nobody's concern. */
static void touch_bars(struct conf *c)
{
	struct vfio_region region;
	unsigned int i;
	__u32 val;

	for (i = VFIO_PCI_BAR0_REGION_INDEX; i <= VFIO_PCI_BAR5_REGION_INDEX; i++) {
		if (vfio_region_info(&c->dev, i, &region) ||
		    region.size < sizeof(val) ||
		    !(region.flags & VFIO_REGION_INFO_FLAG_READ))
			continue;
		vfio_region_read(&c->dev, i, 0, &val, sizeof(val));
	}
}

/* The first kind of interrupt that an eventfd can be given for, or -1 */
static int find_irq(struct conf *c)
{
	static const int kinds[] = {
		VFIO_PCI_MSIX_IRQ_INDEX, VFIO_PCI_MSI_IRQ_INDEX,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(kinds); i++)
		if (vfio_irq_count(&c->dev, kinds[i]) > 0)
			return kinds[i];
	return -1;
}

static void check_irq(struct conf *c, __u32 state)
{
	int kind = find_irq(c), event = eventfd(0, EFD_CLOEXEC), ret;

	if (kind < 0 || event < 0) {
		give_reason(c, R_STOP_IRQ, "the device has neither MSI nor MSI-X");
		return;
	}
	ret = vfio_irq_set_eventfds(&c->dev, kind, 1, &event);
	holds(c, R_STOP_IRQ, !ret, "an eventfd for vector 0 in %s: %s",
	      vfio_mig_state_name(state), strerror(-ret));
	ret = vfio_irq_disable(&c->dev, kind);
	holds(c, R_STOP_IRQ, !ret, "all interrupts off in %s: %s",
	      vfio_mig_state_name(state), strerror(-ret));
	close(event);
}

CONF_TEST(stopped_pci, 0, R_STOP_PCI, R_STOP_IRQ, R_STOP_ACCESS)
{
	static const __u32 states[] = {
		VFIO_DEVICE_STATE_STOP, VFIO_DEVICE_STATE_STOP_COPY,
	};
	__u32 before = 0, after = 0;
	unsigned int i;
	int state;

	if (!(c->info & VFIO_DEVICE_FLAGS_PCI)) {
		give_reason(c, R_STOP_PCI, "no PCI device");
		give_reason(c, R_STOP_IRQ, "no PCI device");
		give_reason(c, R_STOP_ACCESS, "no PCI device");
		return;
	}
	need(c, !read_ids(c, &before), "config space cannot be read");
	for (i = 0; i < ARRAY_LEN(states); i++) {
		enter(c, &c->dev, states[i], NULL);
		holds(c, R_STOP_PCI, !read_ids(c, &after) && after == before,
		      "the ids are %08x in %s, and were %08x", after,
		      vfio_mig_state_name(states[i]), before);
		check_irq(c, states[i]);
		touch_bars(c);
		state = vfio_mig_get_state(&c->dev);
		holds(c, R_STOP_ACCESS, state == (int)states[i],
		      "a read of the BARs led from %s to %s",
		      vfio_mig_state_name(states[i]),
		      vfio_mig_state_name(state));
	}
}
