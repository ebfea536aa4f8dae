// SPDX-License-Identifier: GPL-2.0-only
/*
 * A source of faults: what IOMMU drivers report about a domain, by
 * report_iommu_fault().
 *
 * A domain can have a handler for that, iommu_set_fault_handler(). But that cannot
 * be taken back: a domain takes one handler for its life, and may outlive this
 * module, since it belongs to a container. Nor can a domain of an iommufd have one,
 * nor one that keeps a window for MSIs. So this listens to the tracepoint that is in
 * report_iommu_fault(), which is the same for all domains, and whose end can be
 * waited for.
 */
#include <linux/iommu.h>
#include <linux/pci.h>
#include <linux/tracepoint.h>
#include <trace/events/iommu.h>

#include "mig.h"

/* Some drivers report faults without a device, and know only the domain. */
static void reported(void *unused, struct device *dev, unsigned long iova, int flags)
{
	struct vfio_mig_fault fault = {
		.iova = iova,
		.flags = flags & IOMMU_FAULT_WRITE ? VFIO_MIG_FAULT_WRITE :
						     VFIO_MIG_FAULT_READ,
		.source = VFIO_MIG_FAULT_SOURCE_DRIVER,
	};
	struct pci_dev *pdev;

	if (!dev || !dev_is_pci(dev))
		return;
	pdev = to_pci_dev(dev);
	vfio_mig_report_fault(pci_domain_nr(pdev->bus), pci_dev_id(pdev), &fault);
}

/**
 * vfio_mig_fault_domain_start() - listen
 *
 * Context: may sleep.
 * Return: false where the kernel has no tracepoints.
 */
bool __init vfio_mig_fault_domain_start(void)
{
	return !register_trace_io_page_fault(reported, NULL);
}

/**
 * vfio_mig_fault_domain_stop() - do not listen any more
 *
 * Context: may sleep.
 */
void __exit vfio_mig_fault_domain_stop(void)
{
	unregister_trace_io_page_fault(reported, NULL);
	tracepoint_synchronize_unregister();
}
