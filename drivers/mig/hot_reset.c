// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hot reset: whether the caller owns all that it would touch.
 *
 * A hot reset is one of a whole slot or bus. VFIO refuses it to a caller who does
 * not own every function there, and leaves him to guess which one it was. So that
 * is looked at here first, and told. VFIO then looks again and does the reset: what
 * changes in between does no harm.
 *
 * VFIO looks at the functions of the slot or bus. Here the VFs of a PF among them
 * count as well, wherever they are: they do not survive a reset of their PF. A VF in
 * turn cannot be hot reset without its PF. VFIO does neither, since a VF is in a set
 * of devices of its own; who owns them all is told that.
 */
#include <linux/file.h>
#include <linux/iommu.h>
#include <linux/pci.h>
#include <linux/ratelimit.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "mig.h"
#include "trace.h"

/* So many refusals are explained in so long a time, however often a device is opened. */
#define NAMING_BURST	5
#define NAMING_INTERVAL	(60 * HZ)

/* What the caller brings to show what is his: groups, or the iommufd he uses. */
struct claim {
	struct iommufd_ctx *iommufd;
	unsigned int nr_groups;
	struct file **groups;
};

/*
 * A function that the reset would touch. @verdict: 0 where the caller owns it, -EPERM
 * where he does not, -EINVAL where he does and still VFIO does not reset it together
 * with the device.
 */
struct touched {
	struct list_head entry;
	struct pci_dev *pdev;
	int verdict;
};

/* All that is open, to find what is in other sets of devices. */
static LIST_HEAD(open_devices);
static DEFINE_MUTEX(open_lock);

struct walk {
	struct list_head *list;
	struct pci_slot *slot;
	int ret;
};

static bool in_list(const struct list_head *list, const struct pci_dev *pdev)
{
	struct touched *touched;

	list_for_each_entry(touched, list, entry)
		if (touched->pdev == pdev)
			return true;
	return false;
}

static int add(struct list_head *list, struct pci_dev *pdev)
{
	struct touched *touched = kmalloc(sizeof(*touched), GFP_KERNEL_ACCOUNT);

	if (!touched)
		return -ENOMEM;
	touched->pdev = pci_dev_get(pdev);
	list_add_tail(&touched->entry, list);
	return 0;
}

static bool below_slot(struct pci_dev *pdev, struct pci_slot *slot)
{
	for (; pdev; pdev = pdev->bus->self)
		if (pdev->bus == slot->bus)
			return pdev->slot == slot;
	return false;
}

static int visit(struct pci_dev *pdev, void *data)
{
	struct walk *walk = data;

	if (!walk->slot || below_slot(pdev, walk->slot))
		walk->ret = add(walk->list, pdev);
	return walk->ret;
}

/* VFs may be on a bus of their own. Of a stale VF only the pointer to its PF is used. */
static int add_vfs(struct list_head *list)
{
	struct pci_dev *pdev = NULL;
	int ret;

	for_each_pci_dev(pdev) {
		if (!pdev->is_virtfn || in_list(list, pdev) ||
		    !in_list(list, pci_physfn(pdev)))
			continue;
		ret = add(list, pdev);
		if (ret) {
			pci_dev_put(pdev);
			return ret;
		}
	}
	return 0;
}

static void forget_touched(struct list_head *list)
{
	struct touched *touched, *next;

	list_for_each_entry_safe(touched, next, list, entry) {
		pci_dev_put(touched->pdev);
		kfree(touched);
	}
}

/* Puts all that the reset would touch into @list; -ENODEV where there is no reset. */
static int find_touched(struct vfio_mig_device *mdev, struct list_head *list)
{
	struct pci_dev *top = pci_physfn(mdev->core.pdev);
	struct walk walk = { .list = list };

	if (!pci_probe_reset_slot(top->slot))
		walk.slot = top->slot;
	else if (pci_probe_reset_bus(top->bus))
		return -ENODEV;
	pci_walk_bus(top->bus, visit, &walk);
	return walk.ret ?: add_vfs(list);
}

static void put_claim(struct claim *claim)
{
	while (claim->nr_groups)
		fput(claim->groups[--claim->nr_groups]);
	kfree(claim->groups);
}

/* As long as the files are held, so are the groups. */
static int get_groups(struct claim *claim, const s32 *fds, u32 count)
{
	struct file *file;

	claim->groups = kcalloc(count, sizeof(*claim->groups), GFP_KERNEL_ACCOUNT);
	if (!claim->groups)
		return -ENOMEM;
	while (claim->nr_groups < count) {
		file = fget(fds[claim->nr_groups]);
		if (!file)
			return -EBADF;
		claim->groups[claim->nr_groups++] = file;
		if (!vfio_file_is_group(file))
			return -EINVAL;
	}
	return 0;
}

/* More groups than there are functions make no sense. */
static int get_claim(struct vfio_mig_device *mdev, struct claim *claim,
		     struct vfio_pci_hot_reset __user *arg, u32 count,
		     struct list_head *touched)
{
	s32 *fds;
	int ret;

	if (!count) {
		claim->iommufd = vfio_iommufd_device_ictx(&mdev->core.vdev);
		return claim->iommufd ? 0 : -EINVAL;
	}
	if (count > list_count_nodes(touched))
		return -EINVAL;
	fds = memdup_array_user(arg->group_fds, count, sizeof(*fds));
	if (IS_ERR(fds))
		return PTR_ERR(fds);
	ret = get_groups(claim, fds, count);
	kfree(fds);
	return ret;
}

static bool claims(const struct claim *claim, struct vfio_device *vdev)
{
	unsigned int i;
	int id;

	if (claim->iommufd) {
		id = vfio_iommufd_get_dev_id(vdev, claim->iommufd);
		/* Of a group that is bound to it, though the device itself is not. */
		return id > 0 || id == -ENOENT;
	}
	for (i = 0; i < claim->nr_groups; i++)
		if (vfio_file_has_dev(claim->groups[i], vdev))
			return true;
	return false;
}

/*
 * A function that is in another set than the device. Whose it is can be found out while
 * a driver of ours has it open: until it is closed it stays where it is. Its device lock
 * would be the other way, but taken by a stranger it makes its user's resets fail.
 */
static int check_other(const struct claim *claim, const struct pci_dev *pdev)
{
	struct vfio_mig_device *mdev;
	int ret = -EPERM;

	mutex_lock(&open_lock);
	list_for_each_entry(mdev, &open_devices, open_entry)
		if (mdev->core.pdev == pdev && claims(claim, &mdev->core.vdev))
			ret = -EINVAL;
	mutex_unlock(&open_lock);
	return ret;
}

static int check(struct vfio_mig_device *mdev, const struct claim *claim,
		 struct pci_dev *pdev)
{
	struct vfio_device_set *set = mdev->core.vdev.dev_set;
	struct vfio_device *vdev;
	int ret = 0;

	mutex_lock(&set->lock);
	vdev = vfio_find_device_in_devset(set, &pdev->dev);
	if (vdev && !claims(claim, vdev))
		ret = -EPERM;
	mutex_unlock(&set->lock);
	return vdev ? ret : check_other(claim, pdev);
}

static int group_of(struct pci_dev *pdev)
{
	struct iommu_group *group = iommu_group_get(&pdev->dev);
	int id = -1;

	if (group)
		id = iommu_group_id(group);
	iommu_group_put(group);
	return id;
}

static void name_one(struct vfio_mig_device *mdev, const struct touched *touched)
{
	struct device *function = &touched->pdev->dev;
	struct device_driver *driver = READ_ONCE(function->driver);
	const char *driver_name = driver ? driver->name : "none";
	int group = group_of(touched->pdev);

	trace_vfio_mig_hot_reset_refused(&mdev->core.pdev->dev, function, group,
					 driver_name, touched->verdict);
	pci_warn(mdev->core.pdev, "hot reset refused: %s (group %d, driver %s) %s\n",
		 dev_name(function), group, driver_name,
		 touched->verdict == -EPERM ? "is not owned by the caller" :
		 "is owned, but VFIO does not reset the two together");
}

static unsigned long key_of(const struct touched *touched)
{
	unsigned long key = pci_domain_nr(touched->pdev->bus);

	key = key << 16 | pci_dev_id(touched->pdev);
	return key << 1 | (touched->verdict == -EPERM);
}

/*
 * Names all that are as bad as the worst, each once for each time that the device is
 * opened: whoever tries again and again, or opens it again and again, must not fill
 * the log.
 */
static void name_all(struct vfio_mig_device *mdev, struct list_head *list, int worst)
{
	struct touched *touched;
	bool allowed = false;

	list_for_each_entry(touched, list, entry) {
		if (touched->verdict != worst ||
		    xa_load(&mdev->named, key_of(touched)))
			continue;
		if (!allowed && !__ratelimit(&mdev->naming))
			return;
		allowed = true;
		if (!xa_insert(&mdev->named, key_of(touched), xa_mk_value(1),
			       GFP_KERNEL_ACCOUNT))
			name_one(mdev, touched);
	}
}

static int check_all(struct vfio_mig_device *mdev, const struct claim *claim,
		     struct list_head *list)
{
	struct touched *touched;
	int worst = 0;

	list_for_each_entry(touched, list, entry) {
		touched->verdict = check(mdev, claim, touched->pdev);
		/* About this the caller can do something, about -EINVAL nothing. */
		if (touched->verdict && worst != -EPERM)
			worst = touched->verdict;
	}
	if (worst)
		name_all(mdev, list, worst);
	return worst;
}

static int check_ownership(struct vfio_mig_device *mdev,
			   struct vfio_pci_hot_reset __user *arg, u32 count)
{
	struct claim claim = {};
	LIST_HEAD(touched);
	int ret;

	ret = find_touched(mdev, &touched);
	if (!ret)
		ret = get_claim(mdev, &claim, arg, count, &touched);
	if (!ret)
		ret = check_all(mdev, &claim, &touched);
	put_claim(&claim);
	forget_touched(&touched);
	return ret;
}

/**
 * vfio_mig_hot_reset() - VFIO_DEVICE_PCI_HOT_RESET
 * @mdev: the device
 * @arg: the user's argument
 *
 * Context: may sleep.
 * Return: -EPERM where the caller does not own all that would be reset, and what
 * he does not own is named in the log; else what the core returns.
 */
long vfio_mig_hot_reset(struct vfio_mig_device *mdev,
			struct vfio_pci_hot_reset __user *arg)
{
	unsigned long minsz = offsetofend(struct vfio_pci_hot_reset, count);
	struct vfio_device *vdev = &mdev->core.vdev;
	struct vfio_pci_hot_reset hdr;
	int ret;

	if (copy_from_user(&hdr, arg, minsz))
		return -EFAULT;
	if (hdr.argsz < minsz || hdr.flags)
		return -EINVAL;
	/* Groups are what a device has been opened by, or there are none. */
	if (!hdr.count != vfio_device_cdev_opened(vdev))
		return -EINVAL;
	ret = check_ownership(mdev, arg, hdr.count);
	if (ret)
		return ret;
	return vfio_pci_core_ioctl(vdev, VFIO_DEVICE_PCI_HOT_RESET,
				   (unsigned long)arg);
}

void vfio_mig_hot_reset_init(struct vfio_mig_device *mdev)
{
	xa_init(&mdev->named);
	ratelimit_state_init(&mdev->naming, NAMING_INTERVAL, NAMING_BURST);
	ratelimit_set_flags(&mdev->naming, RATELIMIT_MSG_ON_RELEASE);
}

/**
 * vfio_mig_hot_reset_open() - a user has opened the device
 * @mdev: the device
 *
 * Context: may sleep; the lock of its device set held.
 */
void vfio_mig_hot_reset_open(struct vfio_mig_device *mdev)
{
	mutex_lock(&open_lock);
	list_add(&mdev->open_entry, &open_devices);
	mutex_unlock(&open_lock);
}

/**
 * vfio_mig_hot_reset_close() - a user closes the device
 * @mdev: the device
 *
 * Context: may sleep; the lock of its device set held.
 */
void vfio_mig_hot_reset_close(struct vfio_mig_device *mdev)
{
	mutex_lock(&open_lock);
	list_del(&mdev->open_entry);
	mutex_unlock(&open_lock);
	xa_destroy(&mdev->named);
}
