/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests run on: VFs of one PF, bound to a VFIO driver, named by the
 * environment (VFMIG_PF, VFMIG_PF_NETDEV, VFMIG_VFS).
 */
#ifndef SELFTESTS_LIB_LAB_H
#define SELFTESTS_LIB_LAB_H

#include "migrate.h"
#include "vfio.h"

#define LAB_MAX_VFS	3

struct lab {
	bool cdev;		/* set before lab_open() */
	struct vfio_iommu iommu;
	struct vfio_dev vf[LAB_MAX_VFS];
	unsigned int nr;
};

unsigned int lab_vf_count(void);
bool lab_vf_name(unsigned int nth, char *bdf, size_t size);
const char *lab_netdev(void);
unsigned long lab_setting(const char *name, unsigned long otherwise);
int lab_open(struct lab *lab, unsigned int nr);
void lab_close(struct lab *lab);
bool lab_plain_driver(struct lab *lab);
void lab_one_processor(void);
int lab_rebind(const char *bdf);
int lab_reset_by_sysfs(const char *bdf);
int lab_bind(unsigned int nth, const char *driver);
int lab_load(const char *name);
int lab_unload(void);
int lab_reload(const char *parameter);
int lab_pretend_reset(const struct vfio_dev *dev);
int lab_pretend_error(const char *bdf, const char *handler);

/* The PF's number for a VF, as in "ip link set PF vf NUMBER" */
int lab_vf_number(const struct vfio_dev *dev);
int lab_vf_mac(const struct vfio_dev *dev, __u8 *mac);
int lab_set_vf_mac(const struct vfio_dev *dev, const __u8 *mac);
int lab_pf_up(void);
int lab_pf_down(void);

#endif
