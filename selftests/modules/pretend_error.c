// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls one of a driver's PCI error handlers, and leaves the device alone:
 *
 *	echo 0000:01:10.0 frozen > /sys/module/pretend_error/parameters/call
 *
 * With it a recovery can be stopped half-way, or end as no emulated device does.
 * The write fails with ENODEV where the driver gives the device up.
 */
#include <linux/module.h>
#include <linux/pci.h>

static pci_ers_result_t detected(struct pci_dev *pdev, pci_channel_state_t state)
{
	return pdev->driver->err_handler->error_detected(pdev, state);
}

static pci_ers_result_t nonfatal(struct pci_dev *pdev)
{
	return detected(pdev, pci_channel_io_normal);
}

static pci_ers_result_t frozen(struct pci_dev *pdev)
{
	return detected(pdev, pci_channel_io_frozen);
}

static pci_ers_result_t permanent(struct pci_dev *pdev)
{
	return detected(pdev, pci_channel_io_perm_failure);
}

static pci_ers_result_t slot_reset(struct pci_dev *pdev)
{
	return pdev->driver->err_handler->slot_reset(pdev);
}

static pci_ers_result_t resume(struct pci_dev *pdev)
{
	pdev->driver->err_handler->resume(pdev);
	return PCI_ERS_RESULT_RECOVERED;
}

static const struct {
	const char *name;
	pci_ers_result_t (*call)(struct pci_dev *pdev);
} calls[] = {
	{ "nonfatal", nonfatal },
	{ "frozen", frozen },
	{ "permanent", permanent },
	{ "slot_reset", slot_reset },
	{ "resume", resume },
};

static int call_handler(struct pci_dev *pdev, const char *name)
{
	pci_ers_result_t result = PCI_ERS_RESULT_NONE;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(calls); i++)
		if (!strcmp(calls[i].name, name))
			break;
	if (i == ARRAY_SIZE(calls))
		return -EINVAL;

	/* As the PCI core calls them */
	device_lock(&pdev->dev);
	if (pdev->driver && pdev->driver->err_handler)
		result = calls[i].call(pdev);
	device_unlock(&pdev->dev);
	switch (result) {
	case PCI_ERS_RESULT_NONE:
		return -ENOTTY;
	case PCI_ERS_RESULT_DISCONNECT:
		return -ENODEV;
	default:
		return 0;
	}
}

static int set_call(const char *val, const struct kernel_param *kp)
{
	unsigned int domain, bus, slot, func;
	struct pci_dev *pdev;
	char name[16];
	int ret;

	if (sscanf(val, "%x:%x:%x.%x %15s", &domain, &bus, &slot, &func,
		   name) != 5)
		return -EINVAL;
	pdev = pci_get_domain_bus_and_slot(domain, bus, PCI_DEVFN(slot, func));
	if (!pdev)
		return -ENODEV;
	ret = call_handler(pdev, name);
	pci_dev_put(pdev);
	return ret;
}

static const struct kernel_param_ops call_ops = {
	.set = set_call,
};
module_param_cb(call, &call_ops, NULL, 0200);
MODULE_PARM_DESC(call, "PCI address of a device, and which of its driver's error handlers to call");

MODULE_LICENSE("GPL");
MODULE_AUTHOR("The vfmig authors");
MODULE_DESCRIPTION("Calls PCI error handlers without an error");
