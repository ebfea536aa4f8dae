/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * As much of the kernel as the driver's dealings with the registers need, so that
 * they can be run against a model of the device.
 */
#ifndef SELFTESTS_FUZZ_SHIM_H
#define SELFTESTS_FUZZ_SHIM_H

#include <linux/vfio_pci_mig_stream.h>
#include <stdlib.h>

#define __iomem
#define IS_ENABLED(option)	0
#define HZ			250
#define U32_MAX			0xffffffffU
#define ETH_ALEN		6
#define container_of(ptr, type, member)					\
	((type *)((char *)(ptr) - offsetof(type, member)))
#define lockdep_assert_held(lock)	((void)(lock))
#define time_after(a, b)	((long)((b) - (a)) < 0)
#define time_before(a, b)	time_after(b, a)

typedef long long ktime_t;

struct mutex {
	char none;
};

struct device {
	char none;
};

struct pci_dev {
	struct device dev;
};

struct vfio_pci_core_device {
	struct pci_dev *pdev;
};

struct vfio_mig_fetch;

struct vfio_mig_device {
	struct vfio_pci_core_device core;
	struct mutex trap_lock;
	struct {
		bool on;
	} log;
	void *io;
};

/* Time passes only by being waited for, and then the device moves on. */
extern unsigned long jiffies;
void usleep_range(unsigned long min, unsigned long max);
void cpu_relax(void);
ktime_t ktime_get(void);

static inline long long ktime_us_delta(ktime_t later, ktime_t earlier)
{
	return later - earlier;
}

#define GFP_KERNEL		0
#define lower_32_bits(n)	((u32)(n))
#define upper_32_bits(n)	((u32)((n) >> 32))

static inline void *kmalloc(size_t size, int gfp)
{
	(void)gfp;
	return malloc(size);
}

static inline void kfree(void *p)
{
	free(p);
}

u32 readl(const void *addr);
void writel(u32 val, void *addr);

static inline void vfio_mig_initial_changed(struct vfio_mig_device *mdev)
{
	(void)mdev;
}

#define vfio_mig_explain(mdev, ...)	((void)(mdev))

static inline void eth_zero_addr(u8 *mac)
{
	memset(mac, 0, ETH_ALEN);
}

static inline bool ether_addr_equal(const u8 *a, const u8 *b)
{
	return !memcmp(a, b, ETH_ALEN);
}

#endif
