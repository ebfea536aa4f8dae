// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO_DEVICE_PCI_HOT_RESET: who may, what is said to who may not, and what it
 * does to the migration. The devices are two PFs that share a slot, and VFs.
 */
#include <kselftest_harness.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "lib/check.h"
#include "lib/klog.h"
#include "lib/slot.h"

#define DRIVER	"igb_vfio_pci"
#define HALF	"pretend_half"
#define EVENT	"vfio_mig_hot_reset_refused"
#define TOKEN	"0b7f8f5c-2d3a-4b1e-9a60-3f1f0e6a5c11"

#define NOT_OWNED	"is not owned by the caller"
#define NOT_TOGETHER	"is owned, but VFIO does not reset the two together"

#define NR_VFS		2
#define HAMMER_MS	1000

/* So many refusals are explained in so long a time */
#define NAMING_MS	60000
#define NAMING_BURST	5
#define REOPENED	8

/* A register of the PF that software can write, and any reset clears: RDBAH(0) */
#define SCRATCH		0xc004

FIXTURE(hot_reset) {
	char bdf[2][BDF_LEN];
	char vf[NR_VFS][BDF_LEN];
	struct vfio_iommu iommu;
	struct vfio_dev dev[2];
	struct vfio_dev vdev[NR_VFS];
	struct klog log;
};

FIXTURE_SETUP(hot_reset)
{
	unsigned int i;

	self->iommu.fd = -1;
	self->log.fd = -1;
	for (i = 0; i < 2; i++) {
		self->dev[i].fd = -1;
		self->dev[i].group = -1;
		self->vdev[i].fd = -1;
		self->vdev[i].group = -1;
	}
	for (i = 0; i < 2; i++)
		if (slot_name(i, self->bdf[i]))
			SKIP(return, "needs two functions in one slot");
	ASSERT_EQ(0, vfio_iommu_open(&self->iommu));
	ASSERT_EQ(0, klog_open(&self->log));
	ASSERT_EQ(0, trace_open("vfio_pci_mig/" EVENT));
}

FIXTURE_TEARDOWN(hot_reset)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		vfio_close(&self->vdev[i]);
		vfio_close(&self->dev[i]);
	}
	vfio_iommu_close(&self->iommu);
	if (self->bdf[0][0])
		slot_set_vfs(self->bdf[0], 0);
	for (i = 0; i < 2; i++)
		if (self->bdf[i][0])
			slot_bind(self->bdf[i], NO_DRIVER);
	trace_close();
	klog_close(&self->log);
}

#define hot_reset_data	FIXTURE_DATA(hot_reset)

static void open_function(struct __test_metadata *_metadata,
			  hot_reset_data *self, unsigned int nth,
			  const char *driver)
{
	ASSERT_EQ(0, slot_bind(self->bdf[nth], driver))
		TH_LOG("%s does not bind to %s", driver, self->bdf[nth]);
	if (strcmp(driver, NO_DRIVER)) {
		ASSERT_EQ(0, vfio_open(&self->dev[nth], &self->iommu,
				       self->bdf[nth]));
	}
}

static void open_slot(struct __test_metadata *_metadata, hot_reset_data *self,
		      const char *driver_0, const char *driver_1)
{
	open_function(_metadata, self, 0, driver_0);
	open_function(_metadata, self, 1, driver_1);
}

static int ask(struct vfio_dev *dev, __u32 argsz, __u32 flags, __u32 count,
	       const int *fds, unsigned int nr_fds)
{
	struct vfio_pci_hot_reset *arg;
	int ret;

	arg = calloc(1, sizeof(*arg) + nr_fds * sizeof(*fds));
	if (!arg)
		return -ENOMEM;
	arg->argsz = argsz;
	arg->flags = flags;
	arg->count = count;
	if (nr_fds)
		memcpy(arg->group_fds, fds, nr_fds * sizeof(*fds));
	ret = ioctl(dev->fd, VFIO_DEVICE_PCI_HOT_RESET, arg) ? -errno : 0;
	free(arg);
	return ret;
}

static int hot_reset(struct vfio_dev *dev, const int *fds, unsigned int nr)
{
	return ask(dev, sizeof(struct vfio_pci_hot_reset) + nr * sizeof(*fds), 0,
		   nr, fds, nr);
}

static int mark(struct vfio_dev *dev, __u32 val)
{
	return vfio_region_write(dev, VFIO_PCI_BAR0_REGION_INDEX, SCRATCH, &val,
				 sizeof(val));
}

/* What is left of it after a reset: nothing */
static __u32 marked(struct vfio_dev *dev)
{
	__u32 val = ~0;

	vfio_region_read(dev, VFIO_PCI_BAR0_REGION_INDEX, SCRATCH, &val,
			 sizeof(val));
	return val;
}

#define EXPECT_NO_RESET(dev, ret_want, call)				\
do {									\
	struct vfio_dev *__dev = (dev);					\
									\
	ASSERT_EQ(0, mark(__dev, 0x5eed));				\
	EXPECT_EQ(ret_want, call);					\
	EXPECT_EQ(0x5eed, marked(__dev))				\
		TH_LOG("%s has been reset", __dev->bdf);		\
} while (0)

/* That @function is named, so often, as what keeps @dev from a hot reset */
static void expect_named(struct __test_metadata *_metadata, struct klog *log,
			 const char *dev, const char *function,
			 const char *driver, const char *why, int times)
{
	int group = slot_group(function);
	char line[256];

	snprintf(line, sizeof(line),
		 "%s: hot reset refused: %s (group %d, driver %s) %s\n", dev,
		 function, group, driver, why);
	EXPECT_EQ(times, klog_count(log, line))
		TH_LOG("not %d times in the log: %s", times, line);
	snprintf(line, sizeof(line),
		 EVENT ": %s function=%s group=%d driver=%s error=%d\n", dev,
		 function, group, driver,
		 strcmp(why, NOT_OWNED) ? -EINVAL : -EPERM);
	EXPECT_EQ(times, trace_count(line))
		TH_LOG("not %d times in the trace: %s", times, line);
}

/* That so many have been named in all */
static void expect_all_named(struct __test_metadata *_metadata,
			     struct klog *log, int times)
{
	EXPECT_EQ(times, klog_count(log, "hot reset refused"));
	EXPECT_EQ(times, trace_count(EVENT));
}

TEST_F_TIMEOUT(hot_reset, one_group, 60)
{
	struct vfio_dev *dev = self->dev;

	open_slot(_metadata, self, DRIVER, DRIVER);
	EXPECT_NO_RESET(&dev[0], -EPERM, hot_reset(&dev[0], &dev[0].group, 1));
	expect_named(_metadata, &self->log, self->bdf[0], self->bdf[1], DRIVER,
		     NOT_OWNED, 1);
	expect_all_named(_metadata, &self->log, 1);

	/* The other's group alone is no better */
	EXPECT_NO_RESET(&dev[0], -EPERM, hot_reset(&dev[0], &dev[1].group, 1));
	expect_named(_metadata, &self->log, self->bdf[0], self->bdf[0], DRIVER,
		     NOT_OWNED, 1);
	expect_all_named(_metadata, &self->log, 2);
}

TEST_F_TIMEOUT(hot_reset, named_once, 60)
{
	struct vfio_dev *dev = self->dev;
	unsigned int refused = 0;
	unsigned int i;

	open_slot(_metadata, self, DRIVER, DRIVER);
	for (i = 0; i < 100; i++)
		refused += hot_reset(&dev[0], &dev[i % 2].group, 1) == -EPERM;
	EXPECT_EQ(i, refused);
	expect_all_named(_metadata, &self->log, 2);

	/* Another user has not read it */
	vfio_close(&dev[0]);
	ASSERT_EQ(0, vfio_open(&dev[0], &self->iommu, self->bdf[0]));
	EXPECT_EQ(-EPERM, hot_reset(&dev[0], &dev[0].group, 1));
	expect_named(_metadata, &self->log, self->bdf[0], self->bdf[1], DRIVER,
		     NOT_OWNED, 2);
	expect_all_named(_metadata, &self->log, 3);
}

/* Nor does one get to fill the log by opening the device again and again */
TEST_F_TIMEOUT(hot_reset, named_seldom, 60)
{
	struct vfio_dev *dev = self->dev;
	long long start = clock_ms(), intervals;
	unsigned int i;

	open_slot(_metadata, self, DRIVER, DRIVER);
	for (i = 0; i < REOPENED; i++) {
		EXPECT_EQ(-EPERM, hot_reset(&dev[0], &dev[0].group, 1));
		close(dev[0].fd);
		dev[0].fd = ioctl(dev[0].group, VFIO_GROUP_GET_DEVICE_FD,
				  self->bdf[0]);
		ASSERT_LE(0, dev[0].fd);
	}
	intervals = 1 + (clock_ms() - start) / NAMING_MS;
	TH_LOG("opened %u times in %lld ms", i, clock_ms() - start);
	EXPECT_GE(intervals * NAMING_BURST,
		  klog_count(&self->log, "hot reset refused"));
	EXPECT_LE(1, klog_count(&self->log, "hot reset refused"));
}

static void expect_reset(struct __test_metadata *_metadata, hot_reset_data *self,
			 unsigned int asked, unsigned int first)
{
	struct vfio_dev *dev = self->dev;
	int groups[] = { dev[first].group, dev[!first].group };

	ASSERT_EQ(0, mark(&dev[0], 0xa));
	ASSERT_EQ(0, mark(&dev[1], 0xb));
	EXPECT_EQ(0, hot_reset(&dev[asked], groups, 2));
	EXPECT_EQ(0, marked(&dev[0]));
	EXPECT_EQ(0, marked(&dev[1]));
}

TEST_F_TIMEOUT(hot_reset, both_groups, 60)
{
	open_slot(_metadata, self, DRIVER, DRIVER);
	expect_reset(_metadata, self, 0, 0);
	expect_reset(_metadata, self, 1, 0);
	expect_reset(_metadata, self, 0, 1);
	expect_all_named(_metadata, &self->log, 0);
}

/* A neighbour that another VFIO driver has, or whose group nobody uses */
TEST_F_TIMEOUT(hot_reset, other_driver, 60)
{
	struct vfio_dev *dev = self->dev;
	int groups[2];

	ASSERT_EQ(0, system("modprobe vfio-pci"));
	open_slot(_metadata, self, DRIVER, "vfio-pci");
	EXPECT_NO_RESET(&dev[0], -EPERM, hot_reset(&dev[0], &dev[0].group, 1));
	expect_named(_metadata, &self->log, self->bdf[0], self->bdf[1],
		     "vfio-pci", NOT_OWNED, 1);
	expect_reset(_metadata, self, 0, 0);

	groups[0] = dev[0].group;
	groups[1] = dev[1].group;
	close(dev[1].fd);
	dev[1].fd = -1;
	ASSERT_EQ(0, mark(&dev[0], 0xc));
	EXPECT_EQ(0, hot_reset(&dev[0], groups, 2));
	EXPECT_EQ(0, marked(&dev[0]));
}

TEST_F_TIMEOUT(hot_reset, no_driver, 60)
{
	struct vfio_dev *dev = self->dev;

	open_slot(_metadata, self, DRIVER, NO_DRIVER);
	EXPECT_NO_RESET(&dev[0], -EPERM, hot_reset(&dev[0], &dev[0].group, 1));
	expect_named(_metadata, &self->log, self->bdf[0], self->bdf[1], "none",
		     NOT_OWNED, 1);
}

TEST_F_TIMEOUT(hot_reset, bad_fds, 60)
{
	struct vfio_dev *dev = self->dev;
	int group, twice[2], null;

	open_slot(_metadata, self, DRIVER, DRIVER);
	group = dev[0].group;
	null = open("/dev/null", O_RDWR);
	ASSERT_LE(0, null);

#define PAIR(other)	hot_reset(&dev[0], (int []){ group, other }, 2)
	EXPECT_NO_RESET(&dev[0], -EBADF, PAIR(-1));
	EXPECT_NO_RESET(&dev[0], -EBADF, PAIR(9999));
	EXPECT_NO_RESET(&dev[0], -EINVAL, PAIR(self->iommu.fd));
	EXPECT_NO_RESET(&dev[0], -EINVAL, PAIR(dev[0].fd));
	EXPECT_NO_RESET(&dev[0], -EINVAL, PAIR(dev[1].fd));
	EXPECT_NO_RESET(&dev[0], -EINVAL, PAIR(null));
	expect_all_named(_metadata, &self->log, 0);
	EXPECT_NO_RESET(&dev[0], -EPERM, PAIR(group));
	/* Two fds, one group */
	twice[0] = group;
	twice[1] = dup(group);
	EXPECT_NO_RESET(&dev[0], -EPERM, hot_reset(&dev[0], twice, 2));
	close(twice[1]);
	close(null);
}

TEST_F_TIMEOUT(hot_reset, bad_arguments, 60)
{
	struct vfio_dev *dev = self->dev;
	const __u32 size = sizeof(struct vfio_pci_hot_reset);
	int fds[3];

	open_slot(_metadata, self, DRIVER, DRIVER);
	fds[0] = dev[0].group;
	fds[1] = dev[1].group;
	fds[2] = dev[1].group;

	/* Whoever asks like this is not told whose the rest is */
	EXPECT_NO_RESET(&dev[0], -EINVAL, ask(&dev[0], size - 1, 0, 1, fds, 1));
	EXPECT_NO_RESET(&dev[0], -EINVAL, ask(&dev[0], 0, 0, 1, fds, 1));
	EXPECT_NO_RESET(&dev[0], -EINVAL, ask(&dev[0], size + 4, 1, 1, fds, 1));
	EXPECT_NO_RESET(&dev[0], -EINVAL,
			ask(&dev[0], size + 4, 1u << 31, 1, fds, 1));
	/* None is the form of an iommufd's user */
	EXPECT_NO_RESET(&dev[0], -EINVAL, ask(&dev[0], size, 0, 0, fds, 2));
	/* There are two functions; in bytes, the last ones are few again */
	EXPECT_NO_RESET(&dev[0], -EINVAL,
			ask(&dev[0], size + 12, 0, 3, fds, 3));
	EXPECT_NO_RESET(&dev[0], -EINVAL, ask(&dev[0], ~0, 0, ~0, fds, 3));
	EXPECT_NO_RESET(&dev[0], -EINVAL,
			ask(&dev[0], size + 8, 0, 1u << 31, fds, 2));
	EXPECT_NO_RESET(&dev[0], -EINVAL,
			ask(&dev[0], size + 8, 0, (1u << 30) + 2, fds, 2));
	expect_all_named(_metadata, &self->log, 0);
}

/* Arguments that end where the process's memory does */
TEST_F_TIMEOUT(hot_reset, bad_memory, 60)
{
	size_t page = sysconf(_SC_PAGESIZE);
	struct vfio_pci_hot_reset *arg;
	char *mem;

	open_slot(_metadata, self, DRIVER, DRIVER);
	mem = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, mem);
	ASSERT_EQ(0, munmap(mem + page, page));

	arg = (void *)(mem + page - sizeof(*arg) - sizeof(arg->group_fds[0]));
	arg->argsz = sizeof(*arg) + 2 * sizeof(arg->group_fds[0]);
	arg->count = 2;
	arg->group_fds[0] = self->dev[0].group;
	EXPECT_EQ(-1, ioctl(self->dev[0].fd, VFIO_DEVICE_PCI_HOT_RESET, arg));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, ioctl(self->dev[0].fd, VFIO_DEVICE_PCI_HOT_RESET,
			    mem + page - 8));
	EXPECT_EQ(EFAULT, errno);
	munmap(mem, page);
}

/* The neighbour of another tenant, who sits there until he is told to go */
static int tenant(const char *bdf, int ready, int go)
{
	struct vfio_iommu iommu;
	struct vfio_dev dev;
	char byte = 0;

	if (vfio_iommu_open(&iommu) || vfio_open(&dev, &iommu, bdf) ||
	    mark(&dev, 0x7e7a) || write(ready, &byte, 1) != 1 ||
	    read(go, &byte, 1) != 1)
		return 2;
	return marked(&dev) != 0x7e7a;
}

TEST_F_TIMEOUT(hot_reset, other_process, 60)
{
	struct vfio_dev *dev = self->dev;
	int up[2], down[2], status, fd, fds[2];
	char path[64], byte = 0;
	pid_t pid;

	ASSERT_EQ(0, slot_bind(self->bdf[1], DRIVER));
	ASSERT_EQ(0, pipe(up));
	ASSERT_EQ(0, pipe(down));
	pid = fork();
	if (!pid)
		_exit(tenant(self->bdf[1], up[1], down[0]));
	ASSERT_EQ(1, read(up[0], &byte, 1));

	ASSERT_EQ(0, slot_bind(self->bdf[0], DRIVER));
	ASSERT_EQ(0, vfio_open(&dev[0], &self->iommu, self->bdf[0]));
	snprintf(path, sizeof(path), "/dev/vfio/%d", slot_group(self->bdf[1]));
	fd = open(path, O_RDWR);
	EXPECT_EQ(-1, fd);
	EXPECT_EQ(EBUSY, errno);
	EXPECT_NO_RESET(&dev[0], -EPERM, hot_reset(&dev[0], &dev[0].group, 1));
	expect_named(_metadata, &self->log, self->bdf[0], self->bdf[1], DRIVER,
		     NOT_OWNED, 1);

	ASSERT_EQ(1, write(down[1], &byte, 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status)
		TH_LOG("the other tenant's device has been reset");

	/* When the tenant has gone the group is there to be had */
	fds[0] = dev[0].group;
	fds[1] = open(path, O_RDWR);
	ASSERT_LE(0, fds[1]);
	EXPECT_EQ(0, hot_reset(&dev[0], fds, 2));
	close(fds[1]);
}

struct swapper {
	int slot;		/* the fd that is now this, now that */
	int group;
	int other;
	bool stop;
};

static void *swap(void *arg)
{
	struct swapper *swapper = arg;

	while (!__atomic_load_n(&swapper->stop, __ATOMIC_RELAXED)) {
		dup2(swapper->other, swapper->slot);
		usleep(200);
		close(swapper->slot);
		usleep(200);
		dup2(swapper->group, swapper->slot);
		usleep(200);
	}
	return NULL;
}

/* The second group goes and comes while it is being looked at */
TEST_F_TIMEOUT(hot_reset, group_closed, 60)
{
	struct vfio_dev *dev = self->dev;
	struct swapper swapper = { .other = self->iommu.fd };
	unsigned int done[2] = {};
	long long end;
	pthread_t thread;
	int fds[2], ret;

	open_slot(_metadata, self, DRIVER, DRIVER);
	swapper.group = dev[1].group;
	swapper.slot = dup(dev[1].group);
	fds[0] = dev[0].group;
	fds[1] = swapper.slot;
	close(swapper.slot);
	EXPECT_NO_RESET(&dev[0], -EBADF, hot_reset(&dev[0], fds, 2));

	ASSERT_EQ(0, pthread_create(&thread, NULL, swap, &swapper));
	end = clock_ms() + HAMMER_MS;
	while (clock_ms() < end || !done[0] || !done[1]) {
		ret = hot_reset(&dev[0], fds, 2);
		ASSERT_TRUE(!ret || ret == -EBADF || ret == -EINVAL)
			TH_LOG("%s", strerror(-ret));
		done[!ret]++;
	}
	__atomic_store_n(&swapper.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	TH_LOG("%u refused, %u resets", done[0], done[1]);
	expect_all_named(_metadata, &self->log, 0);
}

/* Devices opened by their own files: the iommufd says what is whose */
TEST_F_TIMEOUT(hot_reset, iommufd, 60)
{
	struct vfio_iommu mine, other;
	struct vfio_dev *dev = self->dev;

	if (!vfio_has_cdev())
		SKIP(return, "the kernel has no iommufd");
	ASSERT_EQ(0, slot_bind(self->bdf[0], DRIVER));
	ASSERT_EQ(0, slot_bind(self->bdf[1], DRIVER));
	ASSERT_EQ(0, vfio_iommufd_open(&mine));
	ASSERT_EQ(0, vfio_iommufd_open(&other));
	ASSERT_EQ(0, vfio_open(&dev[0], &mine, self->bdf[0]));

	/* The neighbour is nobody's, and then somebody else's */
	EXPECT_NO_RESET(&dev[0], -EPERM, hot_reset(&dev[0], NULL, 0));
	expect_named(_metadata, &self->log, self->bdf[0], self->bdf[1], DRIVER,
		     NOT_OWNED, 1);
	ASSERT_EQ(0, vfio_open(&dev[1], &other, self->bdf[1]));
	EXPECT_NO_RESET(&dev[1], -EPERM, hot_reset(&dev[0], NULL, 0));
	expect_all_named(_metadata, &self->log, 1);
	vfio_close(&dev[1]);

	ASSERT_EQ(0, vfio_open(&dev[1], &mine, self->bdf[1]));
	/* Other fds mean nothing here */
	EXPECT_NO_RESET(&dev[1], -EINVAL, hot_reset(&dev[0], &dev[1].fd, 1));
	ASSERT_EQ(0, mark(&dev[0], 0xa));
	ASSERT_EQ(0, mark(&dev[1], 0xb));
	EXPECT_EQ(0, hot_reset(&dev[0], NULL, 0));
	EXPECT_EQ(0, marked(&dev[0]));
	EXPECT_EQ(0, marked(&dev[1]));

	vfio_close(&dev[0]);
	vfio_close(&dev[1]);
	vfio_iommu_close(&other);
	vfio_iommu_close(&mine);
}

/* Anything can be bound; only what is known to be a VF is taken for one */
TEST_F(hot_reset, pf_is_not_migrated)
{
	__u64 flags;

	open_slot(_metadata, self, DRIVER, NO_DRIVER);
	EXPECT_EQ(-ENOTTY, vfio_mig_flags(&self->dev[0], &flags));
	EXPECT_EQ(0, klog_count(&self->log, "no migration"))
		TH_LOG("it has been tried whether it is a VF");
	EXPECT_EQ(0, vfio_reset(&self->dev[0]));
}

/* A VF cannot be reset without its PF and what else that has */
TEST_F_TIMEOUT(hot_reset, vf, 60)
{
	const char *pf = getenv("VFMIG_PF");
	struct lab lab;
	int groups[2];

	if (!lab_setup(_metadata, &lab, 2, true))
		return;
	groups[0] = lab.vf[0].group;
	groups[1] = lab.vf[1].group;
	EXPECT_EQ(-EPERM, hot_reset(&lab.vf[0], groups, 1));
	EXPECT_EQ(-EPERM, hot_reset(&lab.vf[0], groups, 1));
	expect_named(_metadata, &self->log, lab.vf[0].bdf, pf, "igb", NOT_OWNED,
		     1);
	expect_named(_metadata, &self->log, lab.vf[0].bdf, lab.vf[1].bdf, DRIVER,
		     NOT_OWNED, 1);
	expect_all_named(_metadata, &self->log, lab_vf_count());

	/* Whose group is given is not said to be anybody else's */
	EXPECT_EQ(-EPERM, hot_reset(&lab.vf[1], groups, 2));
	expect_named(_metadata, &self->log, lab.vf[1].bdf, pf, "igb", NOT_OWNED,
		     1);
	expect_all_named(_metadata, &self->log, lab_vf_count() + 1 +
			 lab_vf_count() - 2);
	lab_close(&lab);
}

/* PF and VFs of one user: function 0 and its VFs, and function 1 */
static void open_family(struct __test_metadata *_metadata, hot_reset_data *self)
{
	char driver[32];
	unsigned int i;

	ASSERT_EQ(0, slot_bind(self->bdf[0], DRIVER));
	ASSERT_EQ(0, slot_bind(self->bdf[1], DRIVER));
	ASSERT_EQ(0, slot_set_vfs(self->bdf[0], NR_VFS));
	ASSERT_EQ(0, slot_open(&self->dev[0], &self->iommu, self->bdf[0],
			       TOKEN));
	ASSERT_EQ(0, vfio_open(&self->dev[1], &self->iommu, self->bdf[1]));
	for (i = 0; i < NR_VFS; i++) {
		ASSERT_EQ(0, slot_vf_name(self->bdf[0], i, self->vf[i]));
		ASSERT_EQ(0, slot_driver(self->vf[i], driver, sizeof(driver)));
		ASSERT_EQ(0, strcmp(driver, DRIVER))
			TH_LOG("%s has taken the VF of a PF that VFIO has",
			       driver);
		/* Without the PF's token nobody gets at its VFs */
		ASSERT_EQ(-EACCES, vfio_open(&self->vdev[i], &self->iommu,
					     self->vf[i]));
		ASSERT_EQ(0, slot_open(&self->vdev[i], &self->iommu,
				       self->vf[i], TOKEN));
	}
}

TEST_F_TIMEOUT(hot_reset, pf_with_vfs, 60)
{
	struct vfio_dev *dev = self->dev, *vf = self->vdev;
	int groups[4], fd;

	open_family(_metadata, self);
	groups[0] = dev[0].group;
	groups[1] = dev[1].group;
	groups[2] = vf[0].group;
	groups[3] = vf[1].group;
	GO_FD(&vf[0], VFIO_DEVICE_STATE_STOP_COPY, &fd);

	EXPECT_NO_RESET(&dev[0], -EPERM, hot_reset(&dev[0], groups, 2));
	expect_named(_metadata, &self->log, self->bdf[0], self->vf[0], DRIVER,
		     NOT_OWNED, 1);
	expect_named(_metadata, &self->log, self->bdf[0], self->vf[1], DRIVER,
		     NOT_OWNED, 1);
	expect_all_named(_metadata, &self->log, 2);

	/* All of it is his, but VFIO has no such reset: then that is said */
	EXPECT_NO_RESET(&dev[0], -EINVAL, hot_reset(&dev[0], groups, 4));
	expect_named(_metadata, &self->log, self->bdf[0], self->vf[0], DRIVER,
		     NOT_TOGETHER, 1);
	expect_named(_metadata, &self->log, self->bdf[0], self->vf[1], DRIVER,
		     NOT_TOGETHER, 1);
	expect_all_named(_metadata, &self->log, 4);
	EXPECT_NO_RESET(&dev[0], -EINVAL, hot_reset(&vf[0], groups, 4));
	expect_named(_metadata, &self->log, self->vf[0], self->bdf[0], DRIVER,
		     NOT_TOGETHER, 1);

	EXPECT_STATE(&vf[0], VFIO_DEVICE_STATE_STOP_COPY);
	close(fd);

	/* Without VFs there is */
	vfio_close(&vf[0]);
	vfio_close(&vf[1]);
	ASSERT_EQ(0, slot_set_vfs(self->bdf[0], 0));
	expect_reset(_metadata, self, 0, 0);
}

static void open_migratable(struct __test_metadata *_metadata, hot_reset_data *self)
{
	ASSERT_EQ(0, lab_load(HALF));
	open_slot(_metadata, self, HALF, HALF);
}

/* Each device that is touched goes through its own reset */
TEST_F_TIMEOUT(hot_reset, ends_migration, 60)
{
	struct vfio_dev *dev = self->dev;
	unsigned int i, j;
	__u32 state[2];
	int fd[2];

	open_migratable(_metadata, self);
	for (i = 0; i < NR_STATES; i++) {
		for (j = 0; j < 2; j++) {
			state[j] = check_states[(i + 3 * j) % NR_STATES];
			ASSERT_EQ(0, vfio_mig_set_state(&dev[j], state[j],
							&fd[j]));
		}
		EXPECT_EQ(0, hot_reset(&dev[i % 2], (int []){
				       dev[0].group, dev[1].group }, 2));
		for (j = 0; j < 2; j++) {
			EXPECT_STATE(&dev[j], VFIO_DEVICE_STATE_RUNNING);
			if (fd[j] < 0)
				continue;
			expect_dead(_metadata, fd[j], state[j]);
			close(fd[j]);
		}
	}
}

/* One that is refused is none */
TEST_F_TIMEOUT(hot_reset, refusal_leaves_migration, 60)
{
	struct vfio_dev *dev = self->dev;
	char byte;
	int fd;

	open_migratable(_metadata, self);
	GO_FD(&dev[1], VFIO_DEVICE_STATE_STOP_COPY, &fd);
	EXPECT_EQ(-EPERM, hot_reset(&dev[0], &dev[0].group, 1));
	EXPECT_EQ(-EPERM, hot_reset(&dev[1], &dev[0].group, 1));
	EXPECT_STATE(&dev[1], VFIO_DEVICE_STATE_STOP_COPY);
	EXPECT_EQ(1, read(fd, &byte, 1));
	close(fd);
}

struct migrator {
	struct vfio_dev *dev;
	bool stop;
	int bad;
};

static void *set_states(void *arg)
{
	struct migrator *migrator = arg;
	unsigned int i = 0;
	int ret, fd;

	while (!__atomic_load_n(&migrator->stop, __ATOMIC_RELAXED)) {
		ret = vfio_mig_set_state(migrator->dev,
					 check_states[i++ % NR_STATES], &fd);
		/* An empty RESUMING leads nowhere but to a reset */
		if (ret && ret != -EINVAL)
			migrator->bad = ret;
		if (fd >= 0)
			close(fd);
		if (ret)
			vfio_reset(migrator->dev);
	}
	return NULL;
}

TEST_F_TIMEOUT(hot_reset, while_migrating, 60)
{
	struct vfio_dev *dev = self->dev;
	struct migrator migrator = { .dev = &dev[1] };
	unsigned int done[2] = {};
	long long end;
	pthread_t thread;
	int groups[2], ret;

	open_migratable(_metadata, self);
	groups[0] = dev[0].group;
	groups[1] = dev[1].group;
	ASSERT_EQ(0, pthread_create(&thread, NULL, set_states, &migrator));
	end = clock_ms() + HAMMER_MS;
	while (clock_ms() < end || !done[1]) {
		ret = hot_reset(&dev[0], groups, 2);
		ASSERT_TRUE(!ret || ret == -EBUSY || ret == -EAGAIN)
			TH_LOG("%s", strerror(-ret));
		done[!ret]++;
		usleep(1000);
	}
	__atomic_store_n(&migrator.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	TH_LOG("%u resets, %u while the device was busy", done[1], done[0]);
	EXPECT_EQ(0, migrator.bad);
	ASSERT_EQ(0, hot_reset(&dev[0], groups, 2));
	EXPECT_STATE(&dev[1], VFIO_DEVICE_STATE_RUNNING);
}

TEST_HARNESS_MAIN
