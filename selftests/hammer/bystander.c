// SPDX-License-Identifier: GPL-2.0-only
/*
 * The other user, who has a VF of the same PF and a migration of it under way. What
 * is done to the first VF is nothing to him. In the end he has the first one, too,
 * which then has to be a VF like any other.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "hammer.h"

#define SALT		5
#define OTHER_SALT	11
#define OPEN_MS		20000

/* Leaves a stream that loads where the hostile process finds it, too */
int bystander_open(struct bystander *b, bool cdev)
{
	struct vfio_iommu *iommu = &b->lab.iommu;
	struct vfio_dev *dev = &b->lab.vf[0];
	char bdf[16];
	int ret;

	b->data_fd = -1;
	lab_vf_name(1, bdf, sizeof(bdf));
	ret = cdev ? vfio_iommufd_open(iommu) : vfio_iommu_open(iommu);
	if (!ret)
		ret = vfio_open(dev, iommu, bdf);
	if (ret)
		return ret;
	b->lab.nr = 1;
	ret = igbvf_open(&b->vf, dev);
	if (!ret)
		ret = igbvf_hello(&b->vf);
	if (ret)
		return ret;
	regfile_scribble(&b->vf, SALT);
	ret = mig_save(dev, &hammer->stream);
	if (!ret)
		ret = vfio_mig_set_state(dev, VFIO_DEVICE_STATE_RUNNING, NULL);
	if (ret)
		return ret;
	regfile_read(&b->vf, &b->regs);
	return vfio_mig_set_state(dev, VFIO_DEVICE_STATE_PRE_COPY, &b->data_fd);
}

/* Nothing has happened to him */
void bystander_check(struct bystander *b)
{
	struct pollfd pfd = { .fd = b->data_fd, .events = POLLIN };
	struct regfile now;
	int state, diff;

	books_begin(HAMMER_BYSTANDER);
	state = vfio_mig_get_state(&b->lab.vf[0]);
	if (state != VFIO_DEVICE_STATE_PRE_COPY)
		hammer_bad("the other user's device is in %s",
			   vfio_mig_state_name(state));
	if (poll(&pfd, 1, 0) < 0 || pfd.revents & POLLERR)
		hammer_bad("the other user's data_fd is dead");
	regfile_read(&b->vf, &now);
	diff = regfile_diff(&b->regs, &now);
	if (diff >= 0)
		hammer_bad("the other user's register %#x was %#x, is %#x",
			   now.reg[diff], b->regs.val[diff], now.val[diff]);
	hammer_end(HAMMER_BYSTANDER, 0);
}

static int open_first(struct bystander *b, const char *bdf)
{
	long long end = clock_ms() + OPEN_MS;
	int ret;

	do {
		ret = vfio_open(&b->lab.vf[1], &b->lab.iommu, bdf);
	} while (ret && clock_ms() < end && !usleep(20000));
	if (!ret)
		b->lab.nr = 2;
	return ret;
}

static void compare(struct igbvf *vf, const struct regfile *before,
		    const char *what)
{
	struct regfile after;
	int diff;

	regfile_read(vf, &after);
	diff = regfile_lost(before, &after);
	if (diff >= 0)
		hammer_bad("%s: register %#x was %#x, is %#x", what,
			   after.reg[diff], before->val[diff],
			   after.val[diff]);
}

/* The migration that was under way all the while goes to the device that was hammered on */
static int migrate(struct bystander *b)
{
	static struct mig_stream stream;
	struct vfio_dev *from = &b->lab.vf[0], *to = &b->lab.vf[1];
	int ret;

	ret = mig_read(b->data_fd, &stream);
	if (ret == -ENOMSG)
		ret = vfio_mig_set_state(from, VFIO_DEVICE_STATE_STOP_COPY, NULL);
	if (!ret)
		ret = mig_read_on(b->data_fd, &stream);
	if (!ret)
		ret = mig_load(to, &stream, VFIO_DEVICE_STATE_RUNNING);
	if (!ret)
		ret = igbvf_move(&b->vf, to);
	if (!ret)
		compare(&b->vf, &b->regs, "migrated to the hammered device");
	return ret;
}

/* And another one from there */
static int migrate_back(struct bystander *b)
{
	struct vfio_dev *from = &b->lab.vf[1], *to = &b->lab.vf[0];
	struct regfile regs;
	int ret;

	ret = igbvf_hello(&b->vf);
	if (ret)
		return ret;
	regfile_scribble(&b->vf, OTHER_SALT);
	regfile_read(&b->vf, &regs);
	ret = vfio_reset(to);
	if (!ret)
		ret = vfio_enable(to);
	if (!ret)
		ret = mig_move_precopy(from, to, VFIO_DEVICE_STATE_RUNNING);
	if (!ret)
		ret = igbvf_move(&b->vf, to);
	if (!ret)
		compare(&b->vf, &regs, "migrated from the hammered device");
	return ret;
}

/* @bdf: of the first VF, which nobody has open any more */
void bystander_finish(struct bystander *b, const char *bdf)
{
	int ret, state;

	books_begin(HAMMER_BYSTANDER);
	ret = open_first(b, bdf);
	state = ret ? ret : vfio_mig_get_state(&b->lab.vf[1]);
	if (!ret && state != VFIO_DEVICE_STATE_RUNNING)
		ret = -EINVAL;
	if (ret)
		hammer_bad("the hammered device, opened anew: %s",
			   vfio_mig_state_name(state));
	if (!ret)
		ret = migrate(b);
	if (!ret)
		ret = migrate_back(b);
	if (ret)
		hammer_bad("migrating to the hammered device and back: %s",
			   strerror(-ret));
	hammer_end(HAMMER_BYSTANDER, ret);
}

void bystander_close(struct bystander *b)
{
	if (b->data_fd >= 0)
		close(b->data_fd);
	igbvf_close(&b->vf);
	lab_close(&b->lab);
}
