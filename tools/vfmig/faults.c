// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfmig faults
 *
 * The ring belongs to the owner of the device. What is shown here is the driver's own
 * log of what became of each fault, which is in debugfs whoever has the device.
 */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vfmig.h"

#define POLL_MS	200

/* By VT-d's specification, with translation tables of its legacy mode */
static const char * const reasons[] = {
	[1] = "there is no root entry",
	[2] = "the device is in no domain",
	[3] = "the context entry is invalid",
	[4] = "the address is wider than the domain",
	[5] = "the page is not there or may not be written",
	[6] = "the page is not there or may not be read",
	[7] = "a page table cannot be read",
};

struct follower {
	FILE *file;
	__u64 next;
	void (*put)(struct json_object *fault);
};

static void put_number_or_null(struct json_object *tree, const char *key, const char *word)
{
	if (isdigit((unsigned char)*word))
		put_number(tree, key, strtoull(word, NULL, 0));
	else
		put_text(tree, key, NULL);
}

/* "NUMBER TIME EPOCH FATE SOURCE ACCESS IOVA REASON PASID OVERFLOW" */
static struct json_object *take_fault(const char *line)
{
	char fate[16], source[16], access[16], iova[24], reason[16], pasid[16], overflow[16];
	unsigned long long number, time, epoch;
	struct json_object *fault;

	if (sscanf(line, "%llu %llu %llu %15s %15s %15s %23s %15s %15s %15s", &number,
		   &time, &epoch, fate, source, access, iova, reason, pasid,
		   overflow) != 10)
		return NULL;
	fault = json_object_new_object();
	put_number(fault, "number", number);
	put_number(fault, "time_ns", time);
	put_number(fault, "epoch", epoch);
	put_text(fault, "fate", fate);
	put_text(fault, "source", source);
	put_text(fault, "access", *access == '-' ? NULL : access);
	put_text(fault, "iova", iova);
	put_number_or_null(fault, "reason", reason);
	put_number_or_null(fault, "pasid", pasid);
	put_flag(fault, "overflow", *overflow != '-');
	return fault;
}

static void show_reason(struct json_object *fault)
{
	__u64 reason;

	if (!get_text(fault, "reason"))
		return;
	reason = get_number(fault, "reason");
	printf(", reason %llu", reason);
	if (reason < sizeof(reasons) / sizeof(*reasons) && reasons[reason] &&
	    !strcmp(get_text(fault, "source"), "vtd"))
		printf(" (%s)", reasons[reason]);
}

static void show(struct json_object *fault)
{
	const char *access = get_text(fault, "access"), *fate = get_text(fault, "fate");
	__u64 us = get_number(fault, "time_ns") / 1000;
	struct json_object *overflow;

	printf("[%5llu.%06llu] %s of %s", us / 1000000, us % 1000000,
	       access ? access : "access", get_text(fault, "iova"));
	if (get_text(fault, "pasid"))
		printf(" with PASID %llu", get_number(fault, "pasid"));
	show_reason(fault);
	printf(", epoch %llu: %s", get_number(fault, "epoch"),
	       !strcmp(fate, "told") ? "the owner was told" :
	       !strcmp(fate, "dropped") ? "dropped, the owner's ring is full" :
	       "nobody had the device open");
	json_object_object_get_ex(fault, "overflow", &overflow);
	puts(json_object_get_boolean(overflow) ? "; the IOMMU has lost others" : "");
}

static void show_all(struct json_object *list)
{
	size_t i;

	for (i = 0; i < json_object_array_length(list); i++)
		show(json_object_array_get_idx(list, i));
	if (!i)
		puts("There have been no faults.");
}

static int complain_of_end(const char *bdf)
{
	vfmig_err("%s has gone, or has been taken from its driver", bdf);
	return UNSUITABLE;
}

static int list_faults(const struct options *opt, FILE *file, const char *bdf)
{
	struct json_object *list = json_object_new_array(), *fault;
	char line[256];

	while (fgets(line, sizeof(line), file)) {
		fault = take_fault(line);
		if (fault)
			json_object_array_add(list, fault);
	}
	if (!ferror(file))
		return put_result(list, opt->json ? NULL : show_all);
	json_object_put(list);
	return complain_of_end(bdf);
}

/* One object a line */
static void put_line(struct json_object *fault)
{
	puts(json_object_to_json_string_ext(fault, JSON_C_TO_STRING_PLAIN |
					    JSON_C_TO_STRING_NOSLASHESCAPE));
}

static void take_new(struct follower *f)
{
	struct json_object *fault;
	char line[256];
	__u64 number;

	rewind(f->file);
	while (fgets(line, sizeof(line), f->file)) {
		fault = take_fault(line);
		if (!fault)
			continue;
		number = get_number(fault, "number");
		if (number > f->next)
			vfmig_err("%llu faults came too fast to be shown",
				  number - f->next);
		if (number >= f->next) {
			f->put(fault);
			f->next = number + 1;
		}
		json_object_put(fault);
	}
}

/* What has been seen before, and what has been lost before, is not new. */
static void skip_lost(struct follower *f)
{
	char line[256];

	if (fgets(line, sizeof(line), f->file))
		f->next = strtoull(line, NULL, 10);
}

/* Until a signal comes, the device goes, or nobody reads on */
static int follow(struct follower *f, const char *bdf)
{
	struct pollfd reader = { .fd = STDOUT_FILENO };

	stop_on_signals();
	skip_lost(f);
	do {
		take_new(f);
		if (ferror(f->file))
			return complain_of_end(bdf);
		if (fflush(stdout))
			return NOT_WRITTEN;
	} while (!poll(&reader, 1, POLL_MS) && !stopped_by());
	if (stopped_by())
		return 128 + stopped_by();
	vfmig_err("nobody reads the output any more");
	return NOT_WRITTEN;
}

int cmd_faults(const struct options *opt)
{
	struct follower f = { .put = opt->json ? put_line : show };
	char bdf[BDF_LEN];
	const char *why;
	int ret;

	ret = pci_find(opt->arg[0], bdf);
	if (ret)
		return ret;
	f.file = open_debugfs(bdf, "faults", &why);
	if (!f.file) {
		vfmig_err("only debugfs tells of the faults of %s, and %s", bdf, why);
		return errno == EACCES || errno == EPERM ? FAILED : UNSUITABLE;
	}
	ret = opt->follow ? follow(&f, bdf) : list_faults(opt, f.file, bdf);
	fclose(f.file);
	return ret;
}
