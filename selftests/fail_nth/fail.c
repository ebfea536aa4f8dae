// SPDX-License-Identifier: GPL-2.0-only
/* What paths of several kinds need */
#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "fail.h"
#include "lib/ext.h"

void show(struct fail *fail, const void *what, size_t size)
{
	memcpy(fail->result.data + fail->result.len, what, size);
	fail->result.len += size;
}

int reg_read(struct fail *fail, __u32 reg, __u32 *val)
{
	return vfio_region_read(fail->dev, VFIO_PCI_BAR0_REGION_INDEX, reg, val,
				sizeof(*val));
}

int reg_write(struct fail *fail, __u32 reg, __u32 val)
{
	return vfio_region_write(fail->dev, VFIO_PCI_BAR0_REGION_INDEX, reg,
				 &val, sizeof(val));
}

static unsigned int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int nr = 0;

	while (dir && readdir(dir))
		nr++;
	closedir(dir);
	return nr;
}

int remember(struct fail *fail, struct before *before)
{
	int ret;

	memset(before, 0, sizeof(*before));
	before->fds = count_fds();
	if (fail->dev->fd < 0)
		return 0;
	before->state = vfio_mig_get_state(fail->dev);
	ret = reg_read(fail, SCRATCH, &before->scratch);
	if (!ret)
		ret = reg_read(fail, VMBMEM(0), &before->trapped);
	if (!ret)
		ret = vfio_region_read(fail->dev, VFIO_PCI_CONFIG_REGION_INDEX,
				       PCI_COMMAND, &before->command,
				       sizeof(before->command));
	return ret;
}

/* What a path that ends with an open device shows */
int look_at_device(struct fail *fail)
{
	struct vfio_mig_ext ext;
	struct before now;
	__u64 flags;
	int ret;

	ret = vfio_mig_flags(fail->dev, &flags);
	if (!ret)
		ret = ext_read(fail->dev, &ext);
	if (!ret)
		ret = vfio_enable(fail->dev);
	if (!ret)
		ret = remember(fail, &now);
	if (ret)
		return ret;
	show(fail, &flags, sizeof(flags));
	/* Each opening and each reset begins another one. */
	ext.ring.epoch = 0;
	show(fail, &ext, sizeof(ext));
	show(fail, &now, sizeof(now));
	return 0;
}

void close_data_fds(struct fail *fail)
{
	if (fail->fd >= 0)
		close(fail->fd);
	if (fail->old_fd >= 0)
		close(fail->old_fd);
	fail->fd = -1;
	fail->old_fd = -1;
}

void close_device(struct fail *fail)
{
	if (fail->dev->fd >= 0)
		close(fail->dev->fd);
	fail->dev->fd = -1;
}

/* RESUMING is left with a whole stream, or by a reset */
static int leave_resuming(struct fail *fail)
{
	struct vfio_dev *dev = fail->dev;
	int ret = vfio_mig_set_state(dev, VFIO_DEVICE_STATE_RUNNING, NULL);

	if (ret && fail->fd >= 0 &&
	    !mig_write(fail->fd, fail->saved.data, fail->saved.len))
		ret = vfio_mig_set_state(dev, VFIO_DEVICE_STATE_RUNNING, NULL);
	if (!ret)
		return 0;
	ret = vfio_reset(dev);
	return ret ? ret : mig_load(dev, &fail->saved, VFIO_DEVICE_STATE_RUNNING);
}

/* By way of STOP, which leaves interrupts pending, whatever came before */
int begin_running(struct fail *fail)
{
	struct vfio_dev *dev = fail->dev;
	int ret = 0;

	if (vfio_mig_get_state(dev) == VFIO_DEVICE_STATE_RESUMING)
		ret = leave_resuming(fail);
	if (!ret)
		ret = vfio_mig_set_state(dev, VFIO_DEVICE_STATE_STOP, NULL);
	if (!ret)
		ret = vfio_mig_set_state(dev, VFIO_DEVICE_STATE_RUNNING, NULL);
	close_data_fds(fail);
	return ret ? ret : reg_write(fail, SCRATCH, BEFORE);
}

/* To @from, and out of RESUMING there is a way */
int begin_state(struct fail *fail)
{
	int ret = begin_running(fail);

	if (!ret)
		ret = vfio_mig_set_state(fail->dev, fail->path->from, &fail->old_fd);
	if (!ret && fail->path->from == VFIO_DEVICE_STATE_RESUMING)
		ret = mig_write(fail->old_fd, fail->saved.data,
				fail->saved.len);
	return ret;
}

int begin_open(struct fail *fail)
{
	lab_close(&fail->lab);
	return lab_open(&fail->lab, 1);
}

/* What is left to read, in PRE_COPY as well, goes into the result */
int look_at_stream(struct fail *fail)
{
	int fd = fail->fd >= 0 ? fail->fd : fail->old_fd;
	int ret = mig_read_on(fd, &fail->result);

	if (ret != -ENOMSG)
		return ret;
	ret = vfio_mig_set_state(fail->dev, VFIO_DEVICE_STATE_STOP_COPY, NULL);
	return ret ? ret : mig_read_on(fd, &fail->result);
}
