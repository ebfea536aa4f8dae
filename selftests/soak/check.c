// SPDX-License-Identifier: GPL-2.0-only
/* What has to be true whatever has been done, while nothing is done for a moment */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/regfile.h"
#include "soak.h"

#define RESET_MS	10000

typedef void (*fd_check)(struct vfio_dev *dev, int state,
			 const struct soak_fd *f, unsigned int *alive);

static void each_fd(struct session *s, unsigned int nth, int state,
		    fd_check check)
{
	unsigned int alive = 0, i, j;
	struct mover *m;

	for (i = 0; i < SOAK_MOVERS; i++) {
		m = &s->mover[nth][i];
		for (j = 0; j < SOAK_FDS; j++)
			if (m->fds[j].fd >= 0)
				check(m->dev, state, &m->fds[j], &alive);
	}
}

/* A data_fd lives in the states of its kind of session, and one at a time */
static void check_alive(struct vfio_dev *dev, int state,
			const struct soak_fd *f, unsigned int *alive)
{
	bool may_live = false;

	if (soak_fd_is_dead(f))
		return;
	switch (state) {
	case VFIO_DEVICE_STATE_PRE_COPY:
	case VFIO_DEVICE_STATE_PRE_COPY_P2P:
	case VFIO_DEVICE_STATE_STOP_COPY:
		may_live = !f->writes;
		break;
	case VFIO_DEVICE_STATE_RESUMING:
		may_live = f->writes;
		break;
	}
	if (!may_live || (*alive)++)
		soak_bad("%s: in %s a data_fd to %s is alive", dev->bdf,
			 vfio_mig_state_name(state),
			 f->writes ? "write" : "read");
}

static void check_dead(struct vfio_dev *dev, int state,
		       const struct soak_fd *f, unsigned int *alive)
{
	char byte = 0;
	int ret;

	(void)state;
	(void)alive;
	ret = f->writes ? write(f->fd, &byte, 1) : read(f->fd, &byte, 1);
	if (ret != -1 || errno != ENODEV || !soak_fd_is_dead(f))
		soak_bad("%s: a data_fd is alive after a reset, or after closing the device",
			 dev->bdf);
}

static int reset(struct vfio_dev *dev)
{
	long long end = clock_ms() + RESET_MS;
	int ret;

	do {
		ret = vfio_reset(dev);
	} while (ret == -EAGAIN && clock_ms() < end && !usleep(1000));
	return ret ? ret : vfio_enable(dev);
}

static void check_state(struct session *s, unsigned int nth)
{
	struct vfio_dev *dev = &s->dev[nth];
	int state = vfio_mig_get_state(dev), ret;

	each_fd(s, nth, state, check_alive);
	ret = reset(dev);
	if (ret)
		soak_bad("%s: a reset when all is quiet: %s", dev->bdf,
			 strerror(-ret));
	each_fd(s, nth, state, check_dead);
	state = vfio_mig_get_state(dev);
	if (state != VFIO_DEVICE_STATE_RUNNING)
		soak_bad("%s: after a reset the state is %s", dev->bdf,
			 vfio_mig_state_name(state));
}

/* The registers, mapped and trapped, are there and are the device's */
static void check_gate(struct igbvf *vf)
{
	if (igbvf_read(vf, VTEITR(0)) == ~0U ||
	    igbvf_read(vf, VTSTATUS) == ~0U)
		soak_bad("%s: after a reset the registers are all ones",
			 vf->dev->bdf);
	igbvf_write(vf, VTEITR(0), 0x40);
	if (igbvf_read(vf, VTEITR(0)) != 0x40)
		soak_bad("%s: after a reset a register does not take a value",
			 vf->dev->bdf);
}

static int move(struct igbvf *vf, struct vfio_dev *to, struct mig_stream *stream)
{
	int ret = mig_save(vf->dev, stream);

	/* To itself, by way of a reset */
	if (!ret && to == vf->dev)
		ret = reset(to);
	if (!ret)
		ret = mig_load(to, stream, VFIO_DEVICE_STATE_RUNNING);
	return ret ? ret : igbvf_move(vf, to);
}

/* From the first device to the last */
static void check_migration(struct session *s, struct mig_stream *stream)
{
	struct vfio_dev *from = &s->dev[0], *to = &s->dev[s->nr - 1];
	struct regfile before, after;
	struct igbvf vf;
	int ret, diff;

	ret = igbvf_open(&vf, from);
	if (!ret) {
		check_gate(&vf);
		ret = igbvf_hello(&vf);
	}
	if (!ret) {
		regfile_scribble(&vf, rand_r(&s->dice) % 16);
		regfile_read(&vf, &before);
		ret = move(&vf, to, stream);
	}
	if (!ret) {
		regfile_read(&vf, &after);
		diff = regfile_lost(&before, &after);
		if (diff >= 0)
			soak_bad("%s -> %s: register %#x was %#x, is %#x",
				 from->bdf, to->bdf, before.reg[diff],
				 before.val[diff], after.val[diff]);
	}
	igbvf_close(&vf);
	if (ret)
		soak_bad("%s -> %s: a migration when all is quiet: %s",
			 from->bdf, to->bdf, strerror(-ret));
}

/* The threads have ended, and the host is still. @stream: will load */
void soak_check_session(struct session *s, struct mig_stream *stream)
{
	unsigned int i;

	soak_begin(SOAK_CHECK);
	for (i = 0; i < s->nr; i++)
		check_state(s, i);
	if (!soak_stopped())
		check_migration(s, stream);
	for (i = 0; i < s->nr; i++)
		if (!soak_stopped() && reset(&s->dev[i]))
			soak_bad("%s: no reset after a migration",
				 s->dev[i].bdf);
	soak_end(SOAK_CHECK, 0, true);
}

/* The devices are closed: nothing is left of what was opened with them */
void soak_check_closed(struct session *s)
{
	unsigned int i;

	for (i = 0; i < s->nr; i++)
		each_fd(s, i, 0, check_dead);
}
