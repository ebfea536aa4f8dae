// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tells a driver that its device has been reset, and leaves the device alone:
 *
 *	echo 0000:01:10.0 > /sys/module/pretend_reset/parameters/device
 *
 * A function level reset takes 100 ms by the specification. A test that needs
 * the driver's side of 100,000 of them has not got that long.
 */
#include <linux/module.h>
#include <linux/pci.h>

static int pretend_reset(struct pci_dev *pdev)
{
	const struct pci_error_handlers *handlers;
	int ret = -ENOTTY;

	device_lock(&pdev->dev);
	handlers = pdev->driver ? pdev->driver->err_handler : NULL;
	if (handlers && handlers->reset_done) {
		handlers->reset_done(pdev);
		ret = 0;
	}
	device_unlock(&pdev->dev);
	return ret;
}

static int set_device(const char *val, const struct kernel_param *kp)
{
	unsigned int domain, bus, slot, func;
	struct pci_dev *pdev;
	int ret;

	if (sscanf(val, "%x:%x:%x.%x", &domain, &bus, &slot, &func) != 4)
		return -EINVAL;
	pdev = pci_get_domain_bus_and_slot(domain, bus, PCI_DEVFN(slot, func));
	if (!pdev)
		return -ENODEV;
	ret = pretend_reset(pdev);
	pci_dev_put(pdev);
	return ret;
}

static const struct kernel_param_ops device_ops = {
	.set = set_device,
};
module_param_cb(device, &device_ops, NULL, 0200);
MODULE_PARM_DESC(device, "PCI address of the device whose driver is told");

MODULE_LICENSE("GPL");
MODULE_AUTHOR("The vfmig authors");
MODULE_DESCRIPTION("Tells a driver of a reset that has not been");
