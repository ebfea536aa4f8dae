/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of vfio_pci_mig share with each other alone. */
#ifndef _VFIO_PCI_MIG_MIG_H
#define _VFIO_PCI_MIG_MIG_H

#include <linux/pci.h>
#include <linux/unaligned.h>
#include <linux/vfio_pci_mig.h>

#include "dirty_set.h"

/* With the device in these states, or suspended, registers read as all ones. */
static inline bool vfio_mig_asleep(struct vfio_mig_device *mdev)
{
	pci_power_t state = mdev->core.pdev->current_state;

	return mdev->core.pm_runtime_engaged ||
	       state == PCI_D3hot || state == PCI_D3cold;
}

/*
 * Registers are decoded while the command register says so, and that is the
 * user's to write: a VMM has it off until the guest's config space is loaded.
 * memory_lock keeps the user from writing it meanwhile. The core's copy is looked
 * at, as the core itself does: a config access takes as long as many registers.
 * Returns what to give to vfio_mig_decode_restore().
 */
static inline u16 vfio_mig_decode_on(struct vfio_mig_device *mdev)
{
	u16 cmd = get_unaligned_le16(mdev->core.vconfig + PCI_COMMAND);

	if (cmd & PCI_COMMAND_MEMORY)
		return cmd;
	pci_read_config_word(mdev->core.pdev, PCI_COMMAND, &cmd);
	if (!(cmd & PCI_COMMAND_MEMORY))
		pci_write_config_word(mdev->core.pdev, PCI_COMMAND,
				      cmd | PCI_COMMAND_MEMORY);
	return cmd;
}

static inline void vfio_mig_decode_restore(struct vfio_mig_device *mdev, u16 cmd)
{
	if (!(cmd & PCI_COMMAND_MEMORY))
		pci_write_config_word(mdev->core.pdev, PCI_COMMAND, cmd);
}

/* reset.c */
void vfio_mig_lock_init(struct vfio_mig_lock *lock);
void vfio_mig_lock_destroy(struct vfio_mig_lock *lock);
void vfio_mig_lock(struct vfio_mig_device *mdev);
void vfio_mig_unlock(struct vfio_mig_device *mdev);
bool vfio_mig_take_reset(struct vfio_mig_device *mdev);
void vfio_mig_do_reset(struct vfio_mig_device *mdev);
void vfio_mig_reset_device(struct vfio_mig_device *mdev);
void vfio_mig_reset_prepare(struct pci_dev *pdev);
void vfio_mig_reset_done(struct pci_dev *pdev);
void vfio_mig_error_came(struct vfio_mig_device *mdev);

/* fsm.c */
struct file *vfio_mig_set_state(struct vfio_device *vdev,
				enum vfio_device_mig_state new_state);
int vfio_mig_get_state(struct vfio_device *vdev,
		       enum vfio_device_mig_state *state);
int vfio_mig_get_data_size(struct vfio_device *vdev, unsigned long *length);
void vfio_mig_enter_error(struct vfio_mig_device *mdev);
int vfio_mig_update(struct vfio_mig_device *mdev, struct vfio_mig_file *file);
int vfio_mig_load_early(struct vfio_mig_device *mdev, struct vfio_mig_file *file);

const char *vfio_mig_state_name(enum vfio_device_mig_state state);

/* debugfs.c */
void vfio_mig_count_arc(struct vfio_mig_device *mdev,
			enum vfio_device_mig_state from,
			enum vfio_device_mig_state to, int err, u64 ns);
void vfio_mig_debugfs_init(void);
void vfio_mig_debugfs_exit(void);

/* saving.c */
int vfio_mig_open_precopy(struct vfio_mig_device *mdev);
int vfio_mig_open_saving(struct vfio_mig_device *mdev);
int vfio_mig_save_changes(struct vfio_mig_device *mdev);
int vfio_mig_save_rest(struct vfio_mig_device *mdev);

/* resuming.c */
int vfio_mig_open_resuming(struct vfio_mig_device *mdev);
int vfio_mig_load_initial(struct vfio_mig_device *mdev);
int vfio_mig_load_final(struct vfio_mig_device *mdev);

/* data_fd.c */
struct file *vfio_mig_get_file(struct vfio_mig_file *file);
void vfio_mig_mark_files_dead(struct vfio_mig_device *mdev);
void vfio_mig_kill_files(struct vfio_mig_device *mdev);

/* aer.c */
void vfio_mig_forget_error(struct vfio_mig_device *mdev);
long vfio_mig_reset_by_user(struct vfio_mig_device *mdev);

/* hot_reset.c */
long vfio_mig_hot_reset(struct vfio_mig_device *mdev,
			struct vfio_pci_hot_reset __user *arg);
void vfio_mig_hot_reset_init(struct vfio_mig_device *mdev);
void vfio_mig_hot_reset_open(struct vfio_mig_device *mdev);
void vfio_mig_hot_reset_close(struct vfio_mig_device *mdev);

/* ext_region.c; what its pages are, the entries up to the end */
enum {
	VFIO_MIG_HEADER_PAGE,
	VFIO_MIG_CONSUMER_PAGE,
	VFIO_MIG_ENTRIES_PAGE,
};

int vfio_mig_add_ext_region(struct vfio_mig_device *mdev);

/* fault_ring.c */
void vfio_mig_faults_init(struct vfio_mig_device *mdev);
void vfio_mig_faults_destroy(struct vfio_mig_device *mdev);
int vfio_mig_faults_open(struct vfio_mig_device *mdev);
void vfio_mig_faults_close(struct vfio_mig_device *mdev);
void vfio_mig_faults_new_epoch(struct vfio_mig_device *mdev);
void vfio_mig_faults_show_error(struct vfio_mig_device *mdev);
void vfio_mig_faults_get_ext(struct vfio_mig_device *mdev, struct vfio_mig_ext *ext);
void vfio_mig_report_fault(u32 segment, u16 requester,
			   const struct vfio_mig_fault *fault);
void vfio_mig_faults_start(void);
void vfio_mig_faults_stop(void);

/* fault_log.c */
void vfio_mig_fault_log_add(struct vfio_mig_faults *faults,
			    const struct vfio_mig_fault *fault,
			    enum vfio_mig_fault_fate fate);
u64 vfio_mig_fault_log_counts(struct vfio_mig_device *mdev,
			      u64 counts[VFIO_MIG_NR_FATES]);
int vfio_mig_fault_log_show(struct seq_file *m, void *unused);

/* fault_domain.c */
bool vfio_mig_fault_domain_start(void);
void vfio_mig_fault_domain_stop(void);

/* fault_vtd.c */
#if defined(CONFIG_KPROBES) && defined(CONFIG_DMAR_TABLE)
bool vfio_mig_fault_vtd_start(void);
void vfio_mig_fault_vtd_stop(void);
#else
static inline bool vfio_mig_fault_vtd_start(void)
{
	return false;
}

static inline void vfio_mig_fault_vtd_stop(void) { }
#endif

/* ext_irq.c */
bool vfio_mig_signal(struct vfio_mig_device *mdev, unsigned int irq);
void vfio_mig_release_irqs(struct vfio_mig_device *mdev);
long vfio_mig_get_info(struct vfio_mig_device *mdev,
		       struct vfio_device_info __user *arg);
long vfio_mig_get_irq_info(struct vfio_mig_device *mdev,
			   struct vfio_irq_info __user *arg);
long vfio_mig_set_irqs(struct vfio_mig_device *mdev,
		       struct vfio_irq_set __user *arg);

/* dma_log.c */
void vfio_mig_log_init(struct vfio_mig_device *mdev);
void vfio_mig_log_destroy(struct vfio_mig_device *mdev);
void vfio_mig_log_close(struct vfio_mig_device *mdev);
void vfio_mig_log_last_look(struct vfio_mig_device *mdev);
bool vfio_mig_log_write(struct vfio_mig_device *mdev, u32 offset, u32 val);

/* dma_read.c */
int vfio_mig_dma_read(struct vfio_mig_device *mdev, u64 iova, void *buf, size_t len);
const char *vfio_mig_dma_hint(struct vfio_mig_device *mdev);

/* config.c */
ssize_t vfio_mig_write_config(struct vfio_mig_device *mdev, const char __user *buf,
			      size_t count, loff_t *ppos);

/* gate.c */
bool vfio_mig_enter(struct vfio_mig_device *mdev);
void vfio_mig_leave(struct vfio_mig_device *mdev);
void vfio_mig_gate_init(struct vfio_mig_device *mdev);
void vfio_mig_gate_destroy(struct vfio_mig_device *mdev);
int vfio_mig_gate_get_ones(struct vfio_mig_device *mdev);
void vfio_mig_gate_put_ones(struct vfio_mig_device *mdev);
void vfio_mig_gate_close(struct vfio_mig_device *mdev, enum vfio_mig_view view);
void vfio_mig_gate_open(struct vfio_mig_device *mdev);
void vfio_mig_block(struct vfio_mig_device *mdev);
void vfio_mig_unblock(struct vfio_mig_device *mdev);
int vfio_mig_region_caps(struct vfio_mig_device *mdev,
			 struct vfio_region_info *info,
			 struct vfio_info_cap *caps);
#if IS_ENABLED(CONFIG_KUNIT)
bool vfio_mig_may_map(const struct vfio_mig_areas *mmap,
		      const struct vm_area_struct *vma);
#endif

#endif /* _VFIO_PCI_MIG_MIG_H */
