/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of vfmig share with each other */
#ifndef VFMIG_H
#define VFMIG_H

#include <json-c/json.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

/* Exit statuses; 128 and a signal's number where one has ended it */
enum {
	DONE,
	FAILED,			/* it was tried and did not work; for decode --diff: differ */
	USAGE,
	UNSUITABLE,		/* no such device, or not one that this can be done with */
	IN_USE,
	BAD_STREAM,
	NOT_WRITTEN,		/* the output could not be written */
};

#define BDF_LEN	20		/* domains may have eight digits */

struct options {
	bool json;
	bool verbose;
	bool diff;
	bool follow;
	const char *driver;
	const char *suite;
	const char *peer;
	const char *arg[2];
	unsigned int nr_args;
};

/* commands.c: each gets what follows its name, and returns an exit status */
int cmd_list(const struct options *opt);
int cmd_bind(const struct options *opt);
int cmd_unbind(const struct options *opt);
int cmd_info(const struct options *opt);
int cmd_save(const struct options *opt);
int cmd_load(const struct options *opt);
int cmd_move(const struct options *opt);
int cmd_decode(const struct options *opt);
int cmd_faults(const struct options *opt);
int cmd_check(const struct options *opt);

/* say.c */
__printf(1, 2)
void vfmig_err(const char *fmt, ...);
void close_output(void);
int put_json(FILE *file, struct json_object *tree);
int put_result(struct json_object *tree, void (*text)(struct json_object *tree));
int write_all(int fd, const void *data, size_t len);
const char *get_text(struct json_object *tree, const char *key);
__u64 get_number(struct json_object *tree, const char *key);
void put_text(struct json_object *tree, const char *key, const char *text);
void put_number(struct json_object *tree, const char *key, __u64 number);
void put_flag(struct json_object *tree, const char *key, bool flag);

/* stop.c */
void stop_on_signals(void);
int stopped_by(void);
void hold_signals(bool hold);

/* pci.c */
int pci_find(const char *name, char *bdf);
bool pci_is_vf(const char *bdf);
int pci_pf(const char *bdf, char *pf);
int pci_driver(const char *bdf, char *driver, size_t size);
int pci_group(const char *bdf);
int pci_attribute(const char *bdf, const char *name, char *value, size_t size);
bool pci_netdev(const char *bdf, char *name, size_t size);
bool pci_is_vfio(const char *bdf);
const char *pci_group_stranger(const char *bdf, char *stranger);

/* holders.c */
struct json_object *find_holders(const char *bdf);
void describe_holders(struct json_object *holders, char *text, size_t size);
bool complain_of_holders(const char *bdf);

/* debugfs.c */
FILE *open_debugfs(const char *bdf, const char *name, const char **why_not);
struct json_object *read_debugfs(const char *bdf, const char **why_not);

/* buffer.c */
struct buffer {
	unsigned char *data;
	size_t len;
	size_t room;
};

int buffer_read(struct buffer *buf, int fd, size_t max);
void buffer_free(struct buffer *buf);

/* decode.c: by the driver's own decoder */
bool stream_check(const struct buffer *buf, char *why, size_t size);

#endif
