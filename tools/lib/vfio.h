/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A small userspace library around the VFIO uAPI. Every function that can fail
 * returns 0 (or what it was asked for) or a negative errno.
 */
#ifndef VFMIG_LIB_VFIO_H
#define VFMIG_LIB_VFIO_H

#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdbool.h>
#include <stddef.h>

#define VFIO_MAX_AREAS		8
#define VFIO_MAX_REGIONS	16

/*
 * What devices map their DMA memory into. All devices opened on one of these
 * see the same IOVAs, as the two ends of a migration would. It decides as well
 * how they are opened: through their group, or each by its own file.
 */
struct vfio_iommu {
	int fd;			/* /dev/vfio/vfio or /dev/iommu */
	bool cdev;		/* the latter */
	bool typed;		/* a container's type needs a group first */
	__u32 ioas;		/* an iommufd's address space */
	__u64 next_iova;
};

/* Anonymous memory that the devices reach at iova */
struct vfio_dma {
	void *mem;
	size_t size;
	__u64 iova;
};

struct vfio_dev {
	struct vfio_iommu *iommu;
	char bdf[40];		/* PCI address, or the UUID of an mdev */
	int group;		/* -1 where it was opened by its own file */
	__u32 id;		/* that of the iommufd, in that case */
	int fd;
	bool region_known[VFIO_MAX_REGIONS];
	__u64 region_pos[VFIO_MAX_REGIONS];
};

/* VFIO_DEVICE_GET_REGION_INFO with its sparse mmap capability unpacked */
struct vfio_region {
	__u32 index;
	__u32 flags;
	__u64 offset;
	__u64 size;
	bool sparse;		/* areas[] holds all that can be mapped */
	unsigned int nr_areas;
	struct vfio_region_sparse_mmap_area areas[VFIO_MAX_AREAS];
};

bool vfio_has_cdev(void);
int vfio_path(const char *bdf, bool cdev, char *path, size_t size);
int vfio_iommu_open(struct vfio_iommu *iommu);
int vfio_iommufd_open(struct vfio_iommu *iommu);
int vfio_iommu_open_as(struct vfio_iommu *iommu, bool cdev);
void vfio_iommu_close(struct vfio_iommu *iommu);
int vfio_dma_alloc(struct vfio_iommu *iommu, struct vfio_dma *dma, size_t size);
void vfio_dma_free(struct vfio_iommu *iommu, struct vfio_dma *dma);
int vfio_iommu_join(struct vfio_iommu *iommu, struct vfio_dev *dev);
bool vfio_by_cdev(const struct vfio_dev *dev);

int vfio_open(struct vfio_dev *dev, struct vfio_iommu *iommu, const char *bdf);
void vfio_close(struct vfio_dev *dev);
int vfio_device_flags(struct vfio_dev *dev, __u32 *flags);
int vfio_enable(struct vfio_dev *dev);
int vfio_reset(struct vfio_dev *dev);
int vfio_flr(struct vfio_dev *dev);

int vfio_region_info(struct vfio_dev *dev, __u32 index,
		     struct vfio_region *region);
bool vfio_region_mappable(const struct vfio_region *region, __u64 off,
			  __u64 size);
int vfio_region_read(struct vfio_dev *dev, __u32 index, __u64 off, void *buf,
		     size_t len);
int vfio_region_write(struct vfio_dev *dev, __u32 index, __u64 off,
		      const void *buf, size_t len);
int vfio_region_mmap(struct vfio_dev *dev, __u32 index, __u64 off, size_t len,
		     void **map);

int vfio_irq_count(struct vfio_dev *dev, __u32 index);
int vfio_irq_set_eventfds(struct vfio_dev *dev, __u32 index,
			  unsigned int count, const int *fds);
int vfio_irq_disable(struct vfio_dev *dev, __u32 index);

/* A clock that only goes forward */
long long clock_ms(void);

/* VFIO_DEVICE_FEATURE: which is VFIO_DEVICE_FEATURE_{GET,SET,PROBE} */
int vfio_feature(struct vfio_dev *dev, __u32 which, __u32 feature, void *data,
		 size_t size);
int vfio_mig_flags(struct vfio_dev *dev, __u64 *flags);
int vfio_mig_get_state(struct vfio_dev *dev);
int vfio_mig_set_state(struct vfio_dev *dev, __u32 state, int *data_fd);
int vfio_mig_data_size(struct vfio_dev *dev, __u64 *size);
const char *vfio_mig_state_name(int state);

#endif
