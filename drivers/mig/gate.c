// SPDX-License-Identifier: GPL-2.0-only
/*
 * The gate: whether the user reaches the registers.
 *
 * Registers are reached by a fault on a mapping of the BAR, or by read() and
 * write() on its region. In STOP, STOP_COPY and RESUMING neither gets to the
 * device: mapped pages are zapped and faults get SIGBUS, reads give all ones,
 * writes are dropped. In ERROR the VM may be running, and KVM would kill a guest
 * that reads a register: faults then map a page of ones. While a PCI error is being
 * recovered that is so for all BARs, and for config space. The rest of the gated
 * BAR's pages is never mapped: accesses to them are trapped, that is, passed to the
 * device half one by one.
 */
#include <kunit/visibility.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/overflow.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "mig.h"

void vfio_mig_gate_init(struct vfio_mig_device *mdev)
{
	init_rwsem(&mdev->gate.lock);
	mutex_init(&mdev->gate.ones_lock);
	mutex_init(&mdev->trap_lock);
}

void vfio_mig_gate_destroy(struct vfio_mig_device *mdev)
{
	mutex_destroy(&mdev->trap_lock);
	mutex_destroy(&mdev->gate.ones_lock);
}

/**
 * vfio_mig_gate_get_ones() - allocate the page of ones
 * @mdev: the device
 *
 * It belongs to one user: what he writes to it nobody else sees.
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int vfio_mig_gate_get_ones(struct vfio_mig_device *mdev)
{
	struct page *page = alloc_page(GFP_KERNEL_ACCOUNT);

	if (!page)
		return -ENOMEM;
	/* kmemleak does not look after pages. */
	WARN_ON_ONCE(mdev->gate.ones);
	memset(page_address(page), 0xff, PAGE_SIZE);
	mdev->gate.ones = page;
	return 0;
}

/**
 * vfio_mig_gate_put_ones() - free the page of ones
 * @mdev: the device, which nobody maps any more
 *
 * Context: any.
 */
void vfio_mig_gate_put_ones(struct vfio_mig_device *mdev)
{
	__free_page(mdev->gate.ones);
	mdev->gate.ones = NULL;
}

static loff_t gated_start(struct vfio_mig_device *mdev)
{
	return VFIO_PCI_INDEX_TO_OFFSET(mdev->ops->gated_bar);
}

static size_t gated_size(struct vfio_mig_device *mdev)
{
	return pci_resource_len(mdev->core.pdev, mdev->ops->gated_bar);
}

/* Takes mapped pages away; the next access faults. */
static void zap(struct vfio_mig_device *mdev, loff_t start, loff_t size)
{
	unmap_mapping_range(mdev->core.vdev.inode->i_mapping, start, size, true);
}

static void zap_gated(struct vfio_mig_device *mdev)
{
	zap(mdev, gated_start(mdev), gated_size(mdev));
}

static void zap_all_bars(struct vfio_mig_device *mdev)
{
	zap(mdev, VFIO_PCI_INDEX_TO_OFFSET(VFIO_PCI_BAR0_REGION_INDEX),
	    VFIO_PCI_INDEX_TO_OFFSET(VFIO_PCI_ROM_REGION_INDEX));
}

/* An access that found the gate open holds the lock until it is over. */
static void drain_accesses(struct vfio_mig_device *mdev)
{
	mutex_lock(&mdev->trap_lock);
	mutex_unlock(&mdev->trap_lock);
}

/**
 * vfio_mig_gate_close() - end user access to the registers
 * @mdev: the device
 * @view: what accesses meet from now on, not VFIO_MIG_OPEN
 *
 * When it returns, no access is under way and none will begin.
 * Context: state lock held, memory_lock not; may sleep.
 */
void vfio_mig_gate_close(struct vfio_mig_device *mdev, enum vfio_mig_view view)
{
	struct vfio_mig_gate *gate = &mdev->gate;

	vfio_mig_assert_locked(mdev);

	down_write(&gate->lock);
	WRITE_ONCE(gate->view, view);
	zap_gated(mdev);
	up_write(&gate->lock);
	drain_accesses(mdev);
}

/**
 * vfio_mig_gate_open() - let the user reach the registers
 * @mdev: the device
 *
 * Does not take the gate's lock, since a reset opens the gate under memory_lock. A
 * fault that still sees it closed gets SIGBUS, as if it had come a moment earlier.
 * Context: state lock held, or the trap lock after a reset, which is pending; may
 * sleep.
 */
void vfio_mig_gate_open(struct vfio_mig_device *mdev)
{
	struct vfio_mig_gate *gate = &mdev->gate;
	enum vfio_mig_view was;

	mutex_lock(&gate->ones_lock);
	was = READ_ONCE(gate->view);
	WRITE_ONCE(gate->view, VFIO_MIG_OPEN);
	/* VFIO has done so before its own resets, but not before others. */
	if (was == VFIO_MIG_ONES)
		zap_gated(mdev);
	mutex_unlock(&gate->ones_lock);
}

/**
 * vfio_mig_block() - keep the user away from the device, all of it
 * @mdev: the device
 *
 * When it returns, no access to a BAR is under way and none will begin.
 * Context: may sleep; memory_lock not held.
 */
void vfio_mig_block(struct vfio_mig_device *mdev)
{
	struct vfio_mig_gate *gate = &mdev->gate;

	down_write(&gate->lock);
	WRITE_ONCE(gate->blocked, true);
	WRITE_ONCE(gate->blocks, gate->blocks + 1);
	zap_all_bars(mdev);
	up_write(&gate->lock);
	drain_accesses(mdev);
	/* What the device has done since the last look at it cannot be found out. */
	vfio_mig_dirty_all(mdev);
}

/**
 * vfio_mig_unblock() - let the user near the device again
 * @mdev: the device
 *
 * Context: may sleep.
 */
void vfio_mig_unblock(struct vfio_mig_device *mdev)
{
	struct vfio_mig_gate *gate = &mdev->gate;

	mutex_lock(&gate->ones_lock);
	WRITE_ONCE(gate->blocked, false);
	zap_all_bars(mdev);
	mutex_unlock(&gate->ones_lock);
}

static enum vfio_mig_view view_of(struct vfio_mig_device *mdev, unsigned int bar)
{
	if (READ_ONCE(mdev->gate.blocked))
		return VFIO_MIG_ONES;
	if (!mdev->ops || bar != mdev->ops->gated_bar)
		return VFIO_MIG_OPEN;
	return READ_ONCE(mdev->gate.view);
}

static vm_fault_t map_ones(struct vfio_mig_device *mdev, struct vm_fault *vmf,
			   unsigned int bar)
{
	vm_fault_t ret = VM_FAULT_NOPAGE;

	mutex_lock(&mdev->gate.ones_lock);
	/* Else the registers have just come back: the access will fault again. */
	if (view_of(mdev, bar) == VFIO_MIG_ONES)
		ret = vmf_insert_pfn(vmf->vma, vmf->address & PAGE_MASK,
				     page_to_pfn(mdev->gate.ones));
	mutex_unlock(&mdev->gate.ones_lock);
	return ret;
}

static vm_fault_t gate_fault(struct vm_fault *vmf)
{
	struct vfio_pci_core_device *core = vmf->vma->vm_private_data;
	struct vfio_mig_device *mdev = vfio_mig_from_core(&core->vdev);
	unsigned int bar = vmf->vma->vm_pgoff >>
			   (VFIO_PCI_OFFSET_SHIFT - PAGE_SHIFT);
	vm_fault_t ret = VM_FAULT_SIGBUS;

	down_read(&mdev->gate.lock);
	switch (view_of(mdev, bar)) {
	case VFIO_MIG_OPEN:
		ret = mdev->gate.core_vm_ops->fault(vmf);
		break;
	case VFIO_MIG_ONES:
		ret = map_ones(mdev, vmf, bar);
		break;
	case VFIO_MIG_CLOSED:
		break;
	}
	up_read(&mdev->gate.lock);
	return ret;
}

static const struct vm_operations_struct gate_vm_ops = {
	.fault = gate_fault,
};

static const struct vfio_mig_areas *mmap_areas(struct vfio_mig_device *mdev)
{
	return mdev->log.ops ? mdev->log.mmap : mdev->ops->mmap;
}

static bool is_inside(const struct vfio_region_sparse_mmap_area *area, u64 start,
		      u64 size)
{
	return start >= area->offset && size <= area->size &&
	       start - area->offset <= area->size - size;
}

/* Whether all of @vma is in a part of the gated BAR that is not trapped. */
VISIBLE_IF_KUNIT
bool vfio_mig_may_map(const struct vfio_mig_areas *mmap,
		      const struct vm_area_struct *vma)
{
	u64 start = ((u64)vma->vm_pgoff << PAGE_SHIFT) & VFIO_PCI_OFFSET_MASK;
	unsigned int i;

	for (i = 0; i < mmap->nr; i++)
		if (is_inside(&mmap->area[i], start, vma->vm_end - vma->vm_start))
			return true;
	return false;
}
EXPORT_SYMBOL_IF_KUNIT(vfio_mig_may_map);

/**
 * vfio_mig_mmap() - the mmap callback
 * @vdev: the device
 * @vma: what the user asks for
 *
 * The core sets up the mapping; the gate then stands before the core's fault
 * handler. Context: mmap_lock held.
 * Return: 0, or -EINVAL where the range is trapped or the core refuses it.
 */
int vfio_mig_mmap(struct vfio_device *vdev, struct vm_area_struct *vma)
{
	struct vfio_mig_device *mdev = vfio_mig_from_core(vdev);
	unsigned int index = vma->vm_pgoff >>
			     (VFIO_PCI_OFFSET_SHIFT - PAGE_SHIFT);
	int ret;

	if (mdev->ops && index == mdev->ops->gated_bar &&
	    !vfio_mig_may_map(mmap_areas(mdev), vma))
		return -EINVAL;
	ret = vfio_pci_core_mmap(vdev, vma);
	if (ret || index >= VFIO_PCI_ROM_REGION_INDEX)
		return ret;
	/* The same for all mappings, so that it does not matter who is first. */
	WRITE_ONCE(mdev->gate.core_vm_ops, vma->vm_ops);
	vma->vm_ops = &gate_vm_ops;
	return 0;
}
EXPORT_SYMBOL_GPL(vfio_mig_mmap);

static bool is_open(struct vfio_mig_device *mdev)
{
	return view_of(mdev, mdev->ops->gated_bar) == VFIO_MIG_OPEN;
}

/**
 * vfio_mig_enter() - begin an access of the user's to the registers
 * @mdev: the device
 *
 * Context: may sleep; takes memory_lock for read and the trap lock.
 * Return: true where vfio_mig_leave() has to follow; false where the gate is closed.
 */
bool vfio_mig_enter(struct vfio_mig_device *mdev)
{
	/* An arc may wait for the device under these locks: do not wait for it. */
	if (!is_open(mdev))
		return false;

	down_read(&mdev->core.memory_lock);
	mutex_lock(&mdev->trap_lock);
	if (is_open(mdev) && !vfio_mig_asleep(mdev))
		return true;
	vfio_mig_leave(mdev);
	return false;
}

/**
 * vfio_mig_leave() - end what vfio_mig_enter() has begun
 * @mdev: the device
 *
 * Context: any that may sleep.
 */
void vfio_mig_leave(struct vfio_mig_device *mdev)
{
	mutex_unlock(&mdev->trap_lock);
	up_read(&mdev->core.memory_lock);
}

static bool try_access(struct vfio_mig_device *mdev, u32 offset, u32 *val,
		       bool write)
{
	/* One that finds the log off a moment too early is one it does not know of. */
	if (write && READ_ONCE(mdev->log.on) && mdev->log.ops->is_doorbell(offset))
		return vfio_mig_log_write(mdev, offset, *val);
	if (!vfio_mig_enter(mdev))
		return false;
	mdev->ops->access(mdev, offset, val, write);
	vfio_mig_leave(mdev);
	return true;
}

/* One access to the register at @offset, as the state of the device has it. */
static void access_register(struct vfio_mig_device *mdev, u32 offset, u32 *val,
			    bool write)
{
	if (try_access(mdev, offset, val, write))
		return;
	if (write)
		atomic64_inc(&mdev->gate.dropped);
	else
		*val = U32_MAX;
}

/*
 * Reads what lies of [@offset, @offset + @count) in one register. Registers
 * are 32 bits wide; less than that is cut out of them.
 */
static ssize_t read_register(struct vfio_mig_device *mdev, char __user *buf,
			     size_t count, u32 offset)
{
	u32 skip = offset % sizeof(u32);
	size_t n = min(count, sizeof(u32) - skip);
	__le32 le;
	u32 val;

	access_register(mdev, offset - skip, &val, false);
	le = cpu_to_le32(val);
	return copy_to_user(buf, (u8 *)&le + skip, n) ? -EFAULT : n;
}

static ssize_t write_register(struct vfio_mig_device *mdev, const char __user *buf,
			      size_t count, u32 offset)
{
	__le32 le;
	u32 val;

	if (offset % sizeof(u32) || count < sizeof(u32))
		return -EINVAL;
	if (copy_from_user(&le, buf, sizeof(le)))
		return -EFAULT;
	val = le32_to_cpu(le);
	access_register(mdev, offset, &val, true);
	return sizeof(u32);
}

static ssize_t rw_registers(struct vfio_mig_device *mdev, char __user *buf,
			    size_t count, u64 offset, bool write)
{
	size_t done = 0;
	ssize_t n = 0;

	if (offset >= gated_size(mdev))
		return -EINVAL;
	count = min_t(u64, count, gated_size(mdev) - offset);
	while (done < count) {
		if (write)
			n = write_register(mdev, buf + done, count - done,
					   offset + done);
		else
			n = read_register(mdev, buf + done, count - done,
					  offset + done);
		if (n < 0)
			break;
		done += n;
		if (fatal_signal_pending(current))
			break;
		cond_resched();
	}
	return done ?: n;
}

static ssize_t rw_gated_bar(struct vfio_mig_device *mdev, char __user *buf,
			    size_t count, loff_t *ppos, bool write)
{
	struct device *dev = &mdev->core.pdev->dev;
	ssize_t ret;

	if (pm_runtime_resume_and_get(dev))
		return -EIO;
	ret = rw_registers(mdev, buf, count, *ppos & VFIO_PCI_OFFSET_MASK, write);
	pm_runtime_put(dev);
	if (ret > 0)
		*ppos += ret;
	return ret;
}

/* What a blocked device's regions read as; the end of a region is not looked at. */
static ssize_t read_ones(char __user *buf, size_t count, loff_t *ppos)
{
	static const u8 ones[] = { [0 ... 63] = 0xff };
	size_t n, done;

	count = min_t(u64, count, VFIO_PCI_OFFSET_MASK + 1 -
				  (*ppos & VFIO_PCI_OFFSET_MASK));
	for (done = 0; done < count; done += n) {
		n = min(count - done, sizeof(ones));
		if (copy_to_user(buf + done, ones, n))
			return -EFAULT;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	*ppos += count;
	return count;
}

static bool is_gated(struct vfio_mig_device *mdev, loff_t pos)
{
	return mdev->ops && VFIO_PCI_OFFSET_TO_INDEX(pos) == mdev->ops->gated_bar;
}

/* Whether an access at @pos would have to get to a device that is blocked. */
static bool is_blocked(struct vfio_mig_device *mdev, loff_t pos)
{
	unsigned int index = VFIO_PCI_OFFSET_TO_INDEX(pos);

	return READ_ONCE(mdev->gate.blocked) && index < VFIO_PCI_NUM_REGIONS;
}

/**
 * vfio_mig_read() - the read callback
 * @vdev: the device
 * @buf: where the user wants the data
 * @count: bytes to read
 * @ppos: offset, moved on by what was read
 *
 * Context: may sleep.
 * Return: bytes read, or an errno; -EINVAL behind the end of the BAR.
 */
ssize_t vfio_mig_read(struct vfio_device *vdev, char __user *buf, size_t count,
		      loff_t *ppos)
{
	struct vfio_mig_device *mdev = vfio_mig_from_core(vdev);

	if (is_blocked(mdev, *ppos))
		return read_ones(buf, count, ppos);
	if (!is_gated(mdev, *ppos))
		return vfio_pci_core_read(vdev, buf, count, ppos);
	return rw_gated_bar(mdev, buf, count, ppos, false);
}
EXPORT_SYMBOL_GPL(vfio_mig_read);

/**
 * vfio_mig_write() - the write callback
 * @vdev: the device
 * @buf: the user's data
 * @count: bytes to write
 * @ppos: offset, moved on by what was written
 *
 * Registers are written whole: -EINVAL for less than 32 bits, or unaligned. Of config
 * space what no capability covers is not written, where migration is offered.
 *
 * Context: may sleep.
 * Return: bytes written (or dropped, where the gate is closed), or an errno.
 */
ssize_t vfio_mig_write(struct vfio_device *vdev, const char __user *buf,
		       size_t count, loff_t *ppos)
{
	struct vfio_mig_device *mdev = vfio_mig_from_core(vdev);

	if (is_blocked(mdev, *ppos)) {
		*ppos += count;
		return count;
	}
	if (is_gated(mdev, *ppos))
		return rw_gated_bar(mdev, (char __user *)buf, count, ppos, true);
	if (mdev->ops && VFIO_PCI_OFFSET_TO_INDEX(*ppos) == VFIO_PCI_CONFIG_REGION_INDEX)
		return vfio_mig_write_config(mdev, buf, count, ppos);
	return vfio_pci_core_write(vdev, buf, count, ppos);
}
EXPORT_SYMBOL_GPL(vfio_mig_write);

/**
 * vfio_mig_region_caps() - describe the gated BAR to the user
 * @mdev: the device
 * @info: offset, size and flags are filled in
 * @caps: gets the sparse mmap capability
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int vfio_mig_region_caps(struct vfio_mig_device *mdev,
			 struct vfio_region_info *info,
			 struct vfio_info_cap *caps)
{
	const struct vfio_mig_areas *mmap = mmap_areas(mdev);
	struct vfio_region_info_cap_sparse_mmap *sparse;
	int ret;

	info->offset = gated_start(mdev);
	info->size = gated_size(mdev);
	info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	if (!mdev->core.bar_mmap_supported[mdev->ops->gated_bar])
		return 0;

	info->flags |= VFIO_REGION_INFO_FLAG_MMAP;
	sparse = kzalloc(struct_size(sparse, areas, mmap->nr), GFP_KERNEL);
	if (!sparse)
		return -ENOMEM;
	sparse->header.id = VFIO_REGION_INFO_CAP_SPARSE_MMAP;
	sparse->header.version = 1;
	sparse->nr_areas = mmap->nr;
	memcpy(sparse->areas, mmap->area, array_size(mmap->nr, sizeof(*mmap->area)));
	ret = vfio_info_add_capability(caps, &sparse->header,
				       struct_size(sparse, areas, mmap->nr));
	kfree(sparse);
	return ret;
}
