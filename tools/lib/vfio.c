// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "vfio.h"

static int xioctl(int fd, unsigned long cmd, void *arg)
{
	int ret = ioctl(fd, cmd, arg);

	return ret < 0 ? -errno : ret;
}

long long clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

int vfio_device_flags(struct vfio_dev *dev, __u32 *flags)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	int ret = xioctl(dev->fd, VFIO_DEVICE_GET_INFO, &info);

	*flags = info.flags;
	return ret;
}

/* What probing left out, a VMM would enable as well: memory and DMA */
int vfio_enable(struct vfio_dev *dev)
{
	__u32 flags;
	__u16 cmd;
	int ret;

	ret = vfio_device_flags(dev, &flags);
	if (ret || !(flags & VFIO_DEVICE_FLAGS_PCI))
		return ret;
	ret = vfio_region_read(dev, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND,
			       &cmd, sizeof(cmd));
	if (ret)
		return ret;
	cmd |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	return vfio_region_write(dev, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND,
				 &cmd, sizeof(cmd));
}

int vfio_open(struct vfio_dev *dev, struct vfio_iommu *iommu, const char *bdf)
{
	int ret;

	memset(dev, 0, sizeof(*dev));
	dev->iommu = iommu;
	dev->fd = -1;
	dev->group = -1;
	snprintf(dev->bdf, sizeof(dev->bdf), "%s", bdf);

	ret = vfio_iommu_join(iommu, dev);
	if (!ret)
		ret = vfio_enable(dev);
	if (ret)
		vfio_close(dev);
	return ret;
}

void vfio_close(struct vfio_dev *dev)
{
	if (dev->fd >= 0)
		close(dev->fd);
	if (dev->group >= 0)
		close(dev->group);
	dev->fd = -1;
	dev->group = -1;
}

int vfio_reset(struct vfio_dev *dev)
{
	return xioctl(dev->fd, VFIO_DEVICE_RESET, NULL);
}

static int find_pcie_cap(struct vfio_dev *dev, __u8 *pos)
{
	__u16 header;
	int ret;

	ret = vfio_region_read(dev, VFIO_PCI_CONFIG_REGION_INDEX,
			       PCI_CAPABILITY_LIST, pos, sizeof(*pos));
	/* All ones: the device is not there just now */
	while (!ret && *pos && *pos != 0xff) {
		ret = vfio_region_read(dev, VFIO_PCI_CONFIG_REGION_INDEX, *pos,
				       &header, sizeof(header));
		if (ret)
			return ret;
		if ((header & 0xff) == PCI_CAP_ID_EXP)
			return 0;
		*pos = header >> 8;
	}

	return ret ? ret : -ENOENT;
}

/* A function level reset the way a guest does it: through config space */
int vfio_flr(struct vfio_dev *dev)
{
	__u16 devctl;
	__u8 cap;
	int ret;

	ret = find_pcie_cap(dev, &cap);
	if (ret)
		return ret;

	ret = vfio_region_read(dev, VFIO_PCI_CONFIG_REGION_INDEX,
			       cap + PCI_EXP_DEVCTL, &devctl, sizeof(devctl));
	if (ret)
		return ret;
	devctl |= PCI_EXP_DEVCTL_BCR_FLR;
	return vfio_region_write(dev, VFIO_PCI_CONFIG_REGION_INDEX,
				 cap + PCI_EXP_DEVCTL, &devctl, sizeof(devctl));
}

static void parse_sparse(struct vfio_region *region,
			 struct vfio_region_info *info)
{
	struct vfio_region_info_cap_sparse_mmap *sparse;
	struct vfio_info_cap_header *cap;
	__u32 pos = info->cap_offset;

	for (; pos; pos = cap->next) {
		cap = (void *)info + pos;
		if (cap->id != VFIO_REGION_INFO_CAP_SPARSE_MMAP)
			continue;

		sparse = (void *)cap;
		region->sparse = true;
		region->nr_areas = sparse->nr_areas < VFIO_MAX_AREAS ?
				   sparse->nr_areas : VFIO_MAX_AREAS;
		memcpy(region->areas, sparse->areas,
		       region->nr_areas * sizeof(*region->areas));
	}
}

int vfio_region_info(struct vfio_dev *dev, __u32 index,
		     struct vfio_region *region)
{
	union {
		struct vfio_region_info info;
		char room[4096];
	} u = { .info = { .argsz = sizeof(u), .index = index } };
	int ret;

	memset(region, 0, sizeof(*region));
	ret = xioctl(dev->fd, VFIO_DEVICE_GET_REGION_INFO, &u.info);
	if (ret)
		return ret;

	region->index = index;
	region->flags = u.info.flags;
	region->offset = u.info.offset;
	region->size = u.info.size;
	if (u.info.flags & VFIO_REGION_INFO_FLAG_CAPS)
		parse_sparse(region, &u.info);
	return 0;
}

bool vfio_region_mappable(const struct vfio_region *region, __u64 off,
			  __u64 size)
{
	unsigned int i;

	if (!(region->flags & VFIO_REGION_INFO_FLAG_MMAP))
		return false;
	if (!region->sparse)
		return off + size <= region->size;

	for (i = 0; i < region->nr_areas; i++)
		if (off >= region->areas[i].offset &&
		    off + size <= region->areas[i].offset +
				  region->areas[i].size)
			return true;
	return false;
}

/*
 * Where a region lies in the device fd is the kernel's to choose. It is asked
 * once: asking again would double the cost of every register read.
 */
static int region_pos(struct vfio_dev *dev, __u32 index, __u64 *pos)
{
	struct vfio_region region;
	int ret;

	if (index >= VFIO_MAX_REGIONS)
		return -EINVAL;
	if (!dev->region_known[index]) {
		ret = vfio_region_info(dev, index, &region);
		if (ret)
			return ret;
		dev->region_pos[index] = region.offset;
		dev->region_known[index] = true;
	}

	*pos = dev->region_pos[index];
	return 0;
}

int vfio_region_read(struct vfio_dev *dev, __u32 index, __u64 off, void *buf,
		     size_t len)
{
	ssize_t done;
	__u64 pos;
	int ret;

	ret = region_pos(dev, index, &pos);
	if (ret)
		return ret;
	done = pread(dev->fd, buf, len, pos + off);
	if (done < 0)
		return -errno;
	return (size_t)done == len ? 0 : -EIO;
}

int vfio_region_write(struct vfio_dev *dev, __u32 index, __u64 off,
		      const void *buf, size_t len)
{
	ssize_t done;
	__u64 pos;
	int ret;

	ret = region_pos(dev, index, &pos);
	if (ret)
		return ret;
	done = pwrite(dev->fd, buf, len, pos + off);
	if (done < 0)
		return -errno;
	return (size_t)done == len ? 0 : -EIO;
}

int vfio_region_mmap(struct vfio_dev *dev, __u32 index, __u64 off, size_t len,
		     void **map)
{
	__u64 pos;
	int ret;

	*map = NULL;
	ret = region_pos(dev, index, &pos);
	if (ret)
		return ret;
	*map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, dev->fd,
		    pos + off);
	if (*map != MAP_FAILED)
		return 0;
	*map = NULL;
	return -errno;
}

int vfio_irq_count(struct vfio_dev *dev, __u32 index)
{
	struct vfio_irq_info info = { .argsz = sizeof(info), .index = index };
	int ret = xioctl(dev->fd, VFIO_DEVICE_GET_IRQ_INFO, &info);

	return ret ? ret : (int)info.count;
}

int vfio_irq_set_eventfds(struct vfio_dev *dev, __u32 index,
			  unsigned int count, const int *fds)
{
	size_t size = sizeof(struct vfio_irq_set) + count * sizeof(*fds);
	struct vfio_irq_set *set = calloc(1, size);
	int ret;

	if (!set)
		return -ENOMEM;
	set->argsz = size;
	set->flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	set->index = index;
	set->count = count;
	memcpy(set->data, fds, count * sizeof(*fds));

	ret = xioctl(dev->fd, VFIO_DEVICE_SET_IRQS, set);
	free(set);
	return ret;
}

int vfio_irq_disable(struct vfio_dev *dev, __u32 index)
{
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = index,
	};

	return xioctl(dev->fd, VFIO_DEVICE_SET_IRQS, &set);
}

int vfio_feature(struct vfio_dev *dev, __u32 which, __u32 feature, void *data,
		 size_t size)
{
	union {
		struct vfio_device_feature arg;
		char room[256];
	} u;
	int ret;

	if (sizeof(u.arg) + size > sizeof(u))
		return -E2BIG;
	memset(&u, 0, sizeof(u));
	u.arg.argsz = sizeof(u.arg) + size;
	u.arg.flags = which | feature;
	if (size)
		memcpy(u.arg.data, data, size);

	ret = xioctl(dev->fd, VFIO_DEVICE_FEATURE, &u.arg);
	/* SET_STATE fills in data_fd = -1 even where it fails */
	if (size)
		memcpy(data, u.arg.data, size);
	return ret;
}

int vfio_mig_flags(struct vfio_dev *dev, __u64 *flags)
{
	struct vfio_device_feature_migration mig = {};
	int ret = vfio_feature(dev, VFIO_DEVICE_FEATURE_GET,
			       VFIO_DEVICE_FEATURE_MIGRATION, &mig,
			       sizeof(mig));

	*flags = mig.flags;
	return ret;
}

int vfio_mig_get_state(struct vfio_dev *dev)
{
	struct vfio_device_feature_mig_state mig = {};
	int ret = vfio_feature(dev, VFIO_DEVICE_FEATURE_GET,
			       VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, &mig,
			       sizeof(mig));

	return ret ? ret : (int)mig.device_state;
}

/*
 * @data_fd may be NULL where none is expected; one that comes all the same is
 * not leaked.
 */
int vfio_mig_set_state(struct vfio_dev *dev, __u32 state, int *data_fd)
{
	struct vfio_device_feature_mig_state mig = {
		.device_state = state,
		.data_fd = -1,
	};
	int ret = vfio_feature(dev, VFIO_DEVICE_FEATURE_SET,
			       VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, &mig,
			       sizeof(mig));

	if (data_fd)
		*data_fd = mig.data_fd;
	else if (mig.data_fd >= 0)
		close(mig.data_fd);
	return ret;
}

int vfio_mig_data_size(struct vfio_dev *dev, __u64 *size)
{
	struct vfio_device_feature_mig_data_size data = {};
	int ret = vfio_feature(dev, VFIO_DEVICE_FEATURE_GET,
			       VFIO_DEVICE_FEATURE_MIG_DATA_SIZE, &data,
			       sizeof(data));

	*size = data.stop_copy_length;
	return ret;
}

const char *vfio_mig_state_name(int state)
{
	static const char * const names[] = {
		[VFIO_DEVICE_STATE_ERROR] = "ERROR",
		[VFIO_DEVICE_STATE_STOP] = "STOP",
		[VFIO_DEVICE_STATE_RUNNING] = "RUNNING",
		[VFIO_DEVICE_STATE_STOP_COPY] = "STOP_COPY",
		[VFIO_DEVICE_STATE_RESUMING] = "RESUMING",
		[VFIO_DEVICE_STATE_RUNNING_P2P] = "RUNNING_P2P",
		[VFIO_DEVICE_STATE_PRE_COPY] = "PRE_COPY",
		[VFIO_DEVICE_STATE_PRE_COPY_P2P] = "PRE_COPY_P2P",
	};

	if (state < 0)
		return strerror(-state);
	if ((size_t)state >= sizeof(names) / sizeof(*names))
		return "?";
	return names[state];
}
