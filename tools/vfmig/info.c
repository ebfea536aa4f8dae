// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfmig info
 *
 * What the driver shows in debugfs is looked at wherever there is any: it is there
 * while another process has the device, and nothing is done to the device. A device
 * of another driver is opened, if nobody else has it.
 */
#include <stdlib.h>
#include <string.h>

#include "session.h"

#define BAR_WIDTH	30

/* "2 us", for the times from that on */
static const char *bucket_name(unsigned int n, char *text, size_t size)
{
	unsigned long long us = 1ULL << n;

	if (us >= 1 << 20)
		snprintf(text, size, "%llu s", us >> 20);
	else if (us >= 1 << 10)
		snprintf(text, size, "%llu ms", us >> 10);
	else
		snprintf(text, size, "%llu us", us);
	return text;
}

static void show_buckets(struct json_object *buckets, __u64 all)
{
	char bar[BAR_WIDTH + 1], name[16];
	__u64 n;
	size_t i;

	memset(bar, '#', BAR_WIDTH);
	bar[BAR_WIDTH] = '\0';
	for (i = 0; i < json_object_array_length(buckets); i++) {
		n = json_object_get_uint64(json_object_array_get_idx(buckets, i));
		if (n)
			printf("    from %6s %6llu  %.*s\n",
			       bucket_name(i, name, sizeof(name)), n,
			       (int)((n * BAR_WIDTH + all - 1) / all), bar);
	}
}

static void show_arc(struct json_object *arc)
{
	__u64 done = get_number(arc, "done"), failed = get_number(arc, "failed");
	struct json_object *buckets;

	if (!(done + failed))
		return;
	printf("  %s -> %s: %llu", get_text(arc, "from"), get_text(arc, "to"), done);
	if (failed)
		printf(", and %llu failed", failed);
	printf("; %.3f ms on average, %.3f ms at most\n",
	       get_number(arc, "total_ns") / 1e6 / (done + failed),
	       get_number(arc, "max_ns") / 1e6);
	json_object_object_get_ex(arc, "buckets", &buckets);
	show_buckets(buckets, done + failed);
}

static void show_arcs(struct json_object *arcs)
{
	size_t i;

	puts("arcs:");
	for (i = 0; i < json_object_array_length(arcs); i++)
		show_arc(json_object_array_get_idx(arcs, i));
}

static void show(struct json_object *tree)
{
	struct json_object *arcs = NULL;
	char text[256];

	json_object_object_foreach(tree, name, value) {
		if (!strcmp(name, "arcs")) {
			arcs = value;
		} else if (!strcmp(name, "holders")) {
			describe_holders(value, text, sizeof(text));
			printf("%-18s %s\n", "in use by", *text ? text : "nobody");
		} else {
			printf("%-18s %s\n", name,
			       value ? json_object_get_string(value) : "-");
		}
	}
	if (arcs)
		show_arcs(arcs);
}

static void add_transitions(struct json_object *tree)
{
	__u64 done = 0, failed = 0;
	struct json_object *arcs, *arc;
	size_t i;

	if (!json_object_object_get_ex(tree, "arcs", &arcs))
		return;
	for (i = 0; i < json_object_array_length(arcs); i++) {
		arc = json_object_array_get_idx(arcs, i);
		done += get_number(arc, "done");
		failed += get_number(arc, "failed");
	}
	put_number(tree, "transitions", done);
	put_number(tree, "transitions_failed", failed);
}

/* Of a driver that is not of vfio_pci_mig */
static int ask_device(const struct options *opt, struct json_object *tree, const char *why)
{
	struct session s;
	__u64 value;
	int ret;

	ret = session_begin(&s, opt);
	if (!ret)
		ret = session_open(&s, opt->arg[0]);
	if (ret == IN_USE)
		vfmig_err("only debugfs tells of a device in use, and %s", why);
	if (!ret) {
		vfio_mig_flags(&s.dev[0], &value);
		put_migration_flags(tree, value);
		if (!vfio_mig_data_size(&s.dev[0], &value))
			put_number(tree, "stream_max", value);
		put_text(tree, "state",
			 vfio_mig_state_name(vfio_mig_get_state(&s.dev[0])));
	}
	session_end(&s);
	return ret;
}

static void merge(struct json_object *tree, struct json_object *more)
{
	json_object_object_foreach(more, name, value) {
		json_object_object_add(tree, name, json_object_get(value));
	}
	json_object_put(more);
}

int cmd_info(const struct options *opt)
{
	struct json_object *tree, *more;
	char bdf[BDF_LEN], driver[64];
	const char *why = "";
	int ret;

	ret = pci_find(opt->arg[0], bdf);
	if (ret)
		return ret;
	tree = json_object_new_object();
	put_text(tree, "device", bdf);
	put_text(tree, "driver", pci_driver(bdf, driver, sizeof(driver)) ? NULL : driver);
	json_object_object_add(tree, "iommu_group", pci_group(bdf) < 0 ? NULL :
			       json_object_new_int(pci_group(bdf)));
	json_object_object_add(tree, "holders", find_holders(bdf));
	more = read_debugfs(bdf, &why);
	if (more) {
		merge(tree, more);
		add_transitions(tree);
	} else {
		ret = ask_device(opt, tree, why);
	}
	if (!ret)
		return put_result(tree, opt->json ? NULL : show);
	json_object_put(tree);
	return ret;
}
