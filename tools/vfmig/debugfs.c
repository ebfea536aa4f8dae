// SPDX-License-Identifier: GPL-2.0-only
/* What vfio_pci_mig shows of a device in debugfs, whoever has it open */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vfmig.h"

#define DEBUGFS	"/sys/kernel/debug"
#define BLANKS	"\n "

/* "KEY: VALUE" */
static void take_line(struct json_object *tree, char *line)
{
	char *value = strstr(line, ": "), *end;
	unsigned long long number;

	if (!value)
		return;
	*value = '\0';
	value += 2;
	value[strcspn(value, "\n")] = '\0';
	number = strtoull(value, &end, 10);
	if (*value && !*end)
		put_number(tree, line, number);
	else
		put_text(tree, line, value);
}

/* "FROM TO DONE FAILED TOTAL MAX BUCKET..." */
static struct json_object *take_arc(char *line)
{
	static const char * const keys[] = { "done", "failed", "total_ns", "max_ns" };
	struct json_object *arc = json_object_new_object();
	struct json_object *buckets = json_object_new_array();
	char *at = NULL, *word;
	unsigned int i;

	put_text(arc, "from", strtok_r(line, BLANKS, &at));
	put_text(arc, "to", strtok_r(NULL, BLANKS, &at));
	for (i = 0; i < 4; i++) {
		word = strtok_r(NULL, BLANKS, &at);
		put_number(arc, keys[i], word ? strtoull(word, NULL, 10) : 0);
	}
	while ((word = strtok_r(NULL, BLANKS, &at)))
		json_object_array_add(buckets,
				      json_object_new_uint64(strtoull(word, NULL, 10)));
	json_object_object_add(arc, "buckets", buckets);
	return arc;
}

static const char *explain(int err)
{
	if (err == EACCES || err == EPERM)
		return "only root can read debugfs";
	if (access(DEBUGFS "/vfio_pci_mig", F_OK))
		return access(DEBUGFS "/tracing", F_OK) ?
		       "debugfs is not mounted: mount -t debugfs none " DEBUGFS :
		       "vfio_pci_mig is not loaded";
	return "its driver is not of vfio_pci_mig";
}

/* NULL, the reason and errno, where there is nothing to be had */
FILE *open_debugfs(const char *bdf, const char *name, const char **why_not)
{
	char path[PATH_MAX];
	FILE *file;
	int err;

	snprintf(path, sizeof(path), DEBUGFS "/vfio_pci_mig/%s/%s", bdf, name);
	file = fopen(path, "r");
	if (!file) {
		err = errno;
		*why_not = explain(err);
		errno = err;
	}
	return file;
}

static void take_arcs(struct json_object *tree, const char *bdf)
{
	struct json_object *arcs;
	const char *why_not;
	FILE *file = open_debugfs(bdf, "arcs", &why_not);
	char line[1024];

	if (!file)
		return;
	arcs = json_object_new_array();
	while (fgets(line, sizeof(line), file))
		json_object_array_add(arcs, take_arc(line));
	fclose(file);
	json_object_object_add(tree, "arcs", arcs);
}

/* NULL, and the reason, where there is nothing to be had */
struct json_object *read_debugfs(const char *bdf, const char **why_not)
{
	FILE *file = open_debugfs(bdf, "info", why_not);
	struct json_object *tree;
	char line[256];

	if (!file)
		return NULL;
	tree = json_object_new_object();
	while (fgets(line, sizeof(line), file))
		take_line(tree, line);
	fclose(file);
	take_arcs(tree, bdf);
	return tree;
}
