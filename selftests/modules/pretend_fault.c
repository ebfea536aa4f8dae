// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reports DMA faults of a device that did none, as an IOMMU driver does:
 *
 *	echo 0000:01:10.0 0xdead0000 1 100 > /sys/module/pretend_fault/parameters/report
 *
 * reports 100 faults of writes (0: of reads), each one page above the last, from
 * hard-irq context. How many ns that took is then in "took".
 *
 *	echo 0000:01:10.0 > /sys/module/pretend_fault/parameters/fire
 *
 * reports faults of it on end, from a thread, until "none" is written there.
 */
#include <linux/delay.h>
#include <linux/iommu.h>
#include <linux/irq_work.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/pci.h>

struct burst {
	struct irq_work work;
	struct pci_dev *pdev;
	struct iommu_domain *domain;
	unsigned long iova;
	int flags;
	unsigned int count;
};

static DEFINE_MUTEX(lock);
static struct task_struct *thread;
static struct burst fired;
static unsigned long took;

/* A domain of its own: that of the device is its owner's, and may go at any time. */
static int open_burst(struct burst *burst, struct pci_dev *pdev)
{
	burst->domain = iommu_paging_domain_alloc(&pdev->dev);
	if (IS_ERR(burst->domain))
		return PTR_ERR(burst->domain);
	burst->pdev = pdev;
	return 0;
}

static void close_burst(struct burst *burst)
{
	iommu_domain_free(burst->domain);
	pci_dev_put(burst->pdev);
}

static void report(struct burst *burst)
{
	report_iommu_fault(burst->domain, &burst->pdev->dev, burst->iova,
			   burst->flags);
	burst->iova += PAGE_SIZE;
}

static void report_all(struct irq_work *work)
{
	struct burst *burst = container_of(work, struct burst, work);
	u64 start = ktime_get_ns();

	while (burst->count--)
		report(burst);
	took = ktime_get_ns() - start;
}

static struct pci_dev *find_device(const char *val)
{
	unsigned int domain, bus, slot, func;

	if (sscanf(val, "%x:%x:%x.%x", &domain, &bus, &slot, &func) != 4)
		return NULL;
	return pci_get_domain_bus_and_slot(domain, bus, PCI_DEVFN(slot, func));
}

static int set_report(const char *val, const struct kernel_param *kp)
{
	struct burst burst = {
		.work = IRQ_WORK_INIT_HARD(report_all),
	};
	struct pci_dev *pdev = find_device(val);
	int ret = -EINVAL;

	if (!pdev)
		return -ENODEV;
	if (sscanf(val, "%*s %lx %d %u", &burst.iova, &burst.flags,
		   &burst.count) == 3)
		ret = open_burst(&burst, pdev);
	if (ret) {
		pci_dev_put(pdev);
		return ret;
	}
	irq_work_queue(&burst.work);
	irq_work_sync(&burst.work);
	close_burst(&burst);
	return 0;
}

static int fire(void *unused)
{
	while (!kthread_should_stop()) {
		report(&fired);
		/* Others need the processor too */
		usleep_range(10, 30);
	}
	return 0;
}

static void cease_fire(void)
{
	if (!thread)
		return;
	kthread_stop(thread);
	thread = NULL;
	close_burst(&fired);
}

static int open_fire(struct pci_dev *pdev)
{
	struct task_struct *task;
	int ret;

	ret = open_burst(&fired, pdev);
	if (ret)
		return ret;
	task = kthread_run(fire, NULL, "pretend_fault");
	if (IS_ERR(task)) {
		iommu_domain_free(fired.domain);
		return PTR_ERR(task);
	}
	thread = task;
	return 0;
}

static int set_fire(const char *val, const struct kernel_param *kp)
{
	struct pci_dev *pdev = find_device(val);
	int ret = 0;

	mutex_lock(&lock);
	cease_fire();
	if (pdev)
		ret = open_fire(pdev);
	mutex_unlock(&lock);
	if (ret)
		pci_dev_put(pdev);
	return ret;
}

static const struct kernel_param_ops report_ops = {
	.set = set_report,
};
module_param_cb(report, &report_ops, NULL, 0200);
MODULE_PARM_DESC(report, "PCI address of a device, IOVA, flags, and how many faults to report");

module_param(took, ulong, 0400);
MODULE_PARM_DESC(took, "How many ns the last burst of reports took");

static const struct kernel_param_ops fire_ops = {
	.set = set_fire,
};
module_param_cb(fire, &fire_ops, NULL, 0200);
MODULE_PARM_DESC(fire, "PCI address of a device to report faults of until further notice");

static int __init pretend_fault_init(void)
{
	return 0;
}
module_init(pretend_fault_init);

static void __exit pretend_fault_exit(void)
{
	cease_fire();
}
module_exit(pretend_fault_exit);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("The vfmig authors");
MODULE_DESCRIPTION("Reports DMA faults that have not been");
