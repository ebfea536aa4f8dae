/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Checks that all tests make, on top of kselftest_harness.h, whose own are two
 * statements each: as the body of a loop they need braces.
 */
#ifndef SELFTESTS_LIB_CHECK_H
#define SELFTESTS_LIB_CHECK_H

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "lab.h"
#include "migrate.h"
#include "variants.h"

/* The states that a device with STOP_COPY, P2P and PRE_COPY has */
static const __u32 check_states[] = {
	VFIO_DEVICE_STATE_RUNNING,
	VFIO_DEVICE_STATE_RUNNING_P2P,
	VFIO_DEVICE_STATE_STOP,
	VFIO_DEVICE_STATE_STOP_COPY,
	VFIO_DEVICE_STATE_RESUMING,
	VFIO_DEVICE_STATE_PRE_COPY,
	VFIO_DEVICE_STATE_PRE_COPY_P2P,
};

#define NR_STATES	(sizeof(check_states) / sizeof(*check_states))

#define EXPECT_STATE(dev, want)						\
do {									\
	int __want = (want);						\
	int __is = vfio_mig_get_state(dev);				\
									\
	EXPECT_EQ(__want, __is)						\
		TH_LOG("the state is %s, %s was due",			\
		       vfio_mig_state_name(__is),			\
		       vfio_mig_state_name(__want));			\
} while (0)

/* An arc that has to succeed; its data_fd, if it has one, is closed */
#define GO(dev, to)							\
do {									\
	struct vfio_dev *__dev = (dev);					\
	__u32 __to = (to);						\
	int __from = vfio_mig_get_state(__dev);				\
									\
	ASSERT_EQ(0, vfio_mig_set_state(__dev, __to, NULL))		\
		TH_LOG("%s -> %s failed", vfio_mig_state_name(__from),	\
		       vfio_mig_state_name(__to));			\
} while (0)

/* An arc that opens a transfer */
#define GO_FD(dev, to, fd)						\
do {									\
	struct vfio_dev *__dev = (dev);					\
	__u32 __to = (to);						\
	int *__fd = (fd);						\
	int __from = vfio_mig_get_state(__dev);				\
									\
	ASSERT_EQ(0, vfio_mig_set_state(__dev, __to, __fd))		\
		TH_LOG("%s -> %s failed", vfio_mig_state_name(__from),	\
		       vfio_mig_state_name(__to));			\
	ASSERT_LE(0, *__fd)						\
		TH_LOG("entering %s gives a data_fd",			\
		       vfio_mig_state_name(__to));			\
} while (0)

/* The data_fd of a session that is over, got by going to @state, says so at once */
static inline void expect_dead(struct __test_metadata *_metadata, int fd,
			       __u32 state)
{
	struct pollfd pfd = { .fd = fd };
	char byte = 0;

	EXPECT_EQ(-1, state == VFIO_DEVICE_STATE_RESUMING ?
		      write(fd, &byte, 1) : read(fd, &byte, 1));
	EXPECT_EQ(ENODEV, errno);
	EXPECT_EQ(1, poll(&pfd, 1, 0));
	EXPECT_TRUE(pfd.revents & POLLERR);
}

/*
 * For FIXTURE_SETUP: opens VFs, or says why the test is skipped and returns
 * false. A driver without migration is an excuse only where it is vfio-pci.
 */
static inline bool lab_setup(struct __test_metadata *_metadata,
			     struct lab *lab, unsigned int count,
			     bool migration)
{
	__u64 flags;

	if (lab_vf_count() < count || !lab_netdev())
		SKIP(return false, "needs %u VFs and a PF, see run_tests.sh",
		     count);
	if (lab->cdev && !vfio_has_cdev())
		SKIP(return false, "the kernel has no iommufd");
	ASSERT_EQ(0, lab_pf_up())
		TH_LOG("the PF does not come up");
	ASSERT_EQ(0, lab_open(lab, count))
		TH_LOG("the VFs cannot be opened");
	ASSERT_EQ(lab->cdev, vfio_by_cdev(&lab->vf[0]));
	if (!migration)
		return true;

	if (lab_plain_driver(lab))
		SKIP(return false, "the VFs are bound to vfio-pci");
	ASSERT_EQ(0, vfio_mig_flags(&lab->vf[0], &flags))
		TH_LOG("the driver offers no migration");
	return true;
}

#endif
