// SPDX-License-Identifier: GPL-2.0-only
/* vfmig list */
#include <pci/pci.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "vfmig.h"

/* Whether it can be migrated is "yes", "no" or "unknown", with a reason. */
static void judge(struct json_object *row, const char *yes, const char *fmt, const char *what)
{
	char why[256];

	snprintf(why, sizeof(why), fmt, what);
	put_text(row, "migratable", yes);
	put_text(row, "why", why);
}

static void judge_vf(struct json_object *row, const char *bdf, const char *driver)
{
	struct json_object *tree;
	const char *why_not, *offer;

	if (!*driver) {
		judge(row, "no", "no driver; \"vfmig bind %s\" changes that", bdf);
	} else if (!pci_is_vfio(bdf)) {
		judge(row, "no", "the driver is not for VFIO; \"vfmig bind %s\" changes that",
		      bdf);
	} else if (!strcmp(driver, "vfio-pci")) {
		judge(row, "no", "vfio-pci cannot; \"vfmig bind %s\" changes that", bdf);
	} else {
		tree = read_debugfs(bdf, &why_not);
		offer = tree ? get_text(tree, "migration") : NULL;
		if (!offer)
			judge(row, "unknown", "%s", why_not);
		else if (!strcmp(offer, "none"))
			judge(row, "no",
			      "the driver does not offer it: the kernel log of when it was bound says why%s",
			      "");
		else
			judge(row, "yes", "%s", offer);
		json_object_put(tree);
	}
}

static void add_netdev(struct json_object *row, const char *bdf)
{
	char name[64];

	put_text(row, "netdev", pci_netdev(bdf, name, sizeof(name)) ? name : NULL);
}

static struct json_object *common(const char *kind, const char *bdf, const char *driver)
{
	struct json_object *row = json_object_new_object();

	put_text(row, "kind", kind);
	put_text(row, "device", bdf);
	put_text(row, "driver", *driver ? driver : NULL);
	json_object_object_add(row, "iommu_group",
			       pci_group(bdf) < 0 ? NULL :
			       json_object_new_int(pci_group(bdf)));
	add_netdev(row, bdf);
	return row;
}

static void add_pf(struct json_object *list, struct pci_access *access,
		   struct pci_dev *dev, const char *bdf)
{
	char driver[64], name[128], value[16];
	struct json_object *row;

	if (pci_attribute(bdf, "sriov_totalvfs", value, sizeof(value)) || !atoi(value))
		return;
	pci_driver(bdf, driver, sizeof(driver));
	row = common("PF", bdf, driver);
	put_text(row, "name", pci_lookup_name(access, name, sizeof(name),
					      PCI_LOOKUP_VENDOR | PCI_LOOKUP_DEVICE,
					      dev->vendor_id, dev->device_id));
	put_number(row, "vfs_possible", atoi(value));
	pci_attribute(bdf, "sriov_numvfs", value, sizeof(value));
	put_number(row, "vfs", atoi(value));
	judge(row, "no", "a PF%s", "");
	json_object_object_add(row, "holders", find_holders(bdf));
	json_object_array_add(list, row);
}

static void add_vf(struct json_object *list, const char *bdf)
{
	char driver[64], pf[BDF_LEN];
	struct json_object *row;

	pci_driver(bdf, driver, sizeof(driver));
	row = common("VF", bdf, driver);
	put_text(row, "pf", pci_pf(bdf, pf) ? NULL : pf);
	judge_vf(row, bdf, driver);
	json_object_object_add(row, "holders", find_holders(bdf));
	json_object_array_add(list, row);
}

static jmp_buf gone_wrong;

static __noreturn void pci_failed(char *msg, ...)
{
	char text[256];
	va_list args;

	va_start(args, msg);
	vsnprintf(text, sizeof(text), msg, args);
	va_end(args);
	vfmig_err("the PCI devices cannot be listed: %s; is sysfs mounted?", text);
	longjmp(gone_wrong, 1);
}

static void be_quiet(char *msg, ...)
{
	(void)msg;
}

static void scan(struct pci_access *access, struct json_object *list)
{
	char bdf[BDF_LEN];
	struct pci_dev *dev;

	access->error = pci_failed;
	access->warning = be_quiet;
	pci_init(access);
	pci_scan_bus(access);
	for (dev = access->devices; dev; dev = dev->next) {
		snprintf(bdf, sizeof(bdf), "%04x:%02x:%02x.%x", dev->domain, dev->bus,
			 dev->dev, dev->func);
		pci_fill_info(dev, PCI_FILL_IDENT);
		if (pci_is_vf(bdf))
			add_vf(list, bdf);
		else
			add_pf(list, access, dev, bdf);
	}
}

static int by_address(const void *a, const void *b)
{
	return strcmp(get_text(*(struct json_object **)a, "device"),
		      get_text(*(struct json_object **)b, "device"));
}

static void show_pf(struct json_object *row)
{
	const char *driver = get_text(row, "driver");
	const char *netdev = get_text(row, "netdev");

	printf("PF  %s  %-13s group %-3s  %llu of %llu VFs%s%s, %s\n",
	       get_text(row, "device"), driver ? driver : "(no driver)",
	       get_text(row, "iommu_group") ?: "-", get_number(row, "vfs"),
	       get_number(row, "vfs_possible"), netdev ? ", " : "",
	       netdev ? netdev : "", get_text(row, "name"));
}

static void show_vf(struct json_object *row)
{
	const char *driver = get_text(row, "driver");
	const char *migratable = get_text(row, "migratable");

	printf(" VF %s  %-13s group %-3s  %s: %s\n", get_text(row, "device"),
	       driver ? driver : "(no driver)", get_text(row, "iommu_group") ?: "-",
	       !strcmp(migratable, "yes") ? "migratable" :
	       !strcmp(migratable, "no") ? "not migratable" : "maybe migratable",
	       get_text(row, "why"));
}

static void show(struct json_object *list)
{
	struct json_object *row, *holders;
	char text[256];
	size_t i;

	for (i = 0; i < json_object_array_length(list); i++) {
		row = json_object_array_get_idx(list, i);
		if (!strcmp(get_text(row, "kind"), "PF"))
			show_pf(row);
		else
			show_vf(row);
		json_object_object_get_ex(row, "holders", &holders);
		describe_holders(holders, text, sizeof(text));
		if (*text)
			printf("    in use by %s\n", text);
	}
	if (!i)
		puts("There is no device with SR-IOV.");
}

int cmd_list(const struct options *opt)
{
	struct json_object *list = json_object_new_array();
	struct pci_access *access = pci_alloc();

	if (setjmp(gone_wrong)) {
		json_object_put(list);
		return FAILED;
	}
	scan(access, list);
	pci_cleanup(access);
	json_object_array_sort(list, by_address);
	return put_result(list, opt->json ? NULL : show);
}
