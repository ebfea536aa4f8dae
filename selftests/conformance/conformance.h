/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of the suite share. A test is a function that is given an open
 * device, holds the device to requirements of <linux/vfio.h>, and says which ones
 * before it begins. It runs in a process of its own, and so frees nothing.
 */
#ifndef SELFTESTS_CONFORMANCE_H
#define SELFTESTS_CONFORMANCE_H

#include <errno.h>
#include <kselftest.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vfio.h"

#define ARRAY_LEN(a)	(sizeof(a) / sizeof(*(a)))

/* VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2: newer than some C libraries' headers */
#define PRECOPY_INFO_V2		12
#define PRECOPY_INFO_REINIT	0x1

/* requirements.c has their words */
enum req_id {
	R_NONE,
	R_FLAGS,
	R_FLAG_STATES,
	R_PROBE,
	R_METHODS,
	R_EXCLUSIVE,
	R_FLAG_BITS,
	R_ARGSZ,
	R_GET_FD,
	R_SET_COMPLETE,
	R_SET_ALONE,
	R_SET_FAILED,
	R_SET_FD,
	R_SET_NO_FD,
	R_OWN_FD,
	R_STREAM,
	R_SEGMENTS,
	R_UNKNOWN,
	R_UNSUPPORTED,
	R_ERROR_TARGET,
	R_BLOCKED,
	R_COMBINED,
	R_SAME,
	R_STOP_PCI,
	R_STOP_IRQ,
	R_STOP_ACCESS,
	R_STOP_QUIET,
	R_STOP_COPY_STOP,
	R_RESUMING_STOP,
	R_INCOMPLETE,
	R_INVALID,
	R_RUNNING,
	R_PRE_COPY_RUNNING,
	R_PRE_COPY_P2P_RUNNING_P2P,
	R_SHARED,
	R_LOAD,
	R_P2P,
	R_RESET_OFFERED,
	R_RESET_RUNNING,
	R_RESET_RESUMING,
	R_RESET_ERROR,
	R_END,
	R_END_POLL,
	R_END_ENOMSG,
	R_INFO,
	R_INFO_STATE,
	R_INFO_ARGSZ,
	R_INITIAL,
	R_INITIAL_FALLS,
	R_DIRTY,
	R_PAUSE,
	R_PAUSE_POLL,
	R_INFO_FLAGS,
	R_DATA_SIZE,
	R_DATA_ESTIMATE,
	R_LOG_START,
	R_LOG_PAGE_SIZE,
	R_LOG_RANGES,
	R_LOG_ONCE,
	R_LOG_STOP,
	R_LOG_OFF,
	R_LOG_REPORT_SIZE,
	R_LOG_BITS,
	R_LOG_ALONE,
	NR_REQS,
};

struct requirement {
	const char *id;
	const char *place;	/* the comment in <linux/vfio.h> */
	const char *words;
	const char *untested;	/* why no test of this suite holds it */
};

extern const struct requirement requirements[NR_REQS];

/* What a device may do without, and a test may need */
#define NEEDS_P2P	0x01
#define NEEDS_PRE_COPY	0x02
#define NEEDS_RESET	0x04
#define NEEDS_DATA_SIZE	0x08
#define NEEDS_DMA_LOG	0x10
#define NEEDS_INFO_V2	0x20
#define NEEDS_HOSTILE	0x40	/* the user's leave to risk the machine */

#define MAX_HOLDS	10

struct conf;

struct conf_test {
	const char *name;
	unsigned int needs;
	void (*run)(struct conf *c);
	enum req_id holds[MAX_HOLDS];
};

#define CONF_DECLARE(test)	extern const struct conf_test test

struct conf_entry {
	const struct conf_test *test;
};

/* CONF_TEST(name, needs, requirements...) { body } */
#define CONF_TEST(_name, _needs, ...)					\
	static void run_##_name(struct conf *c);			\
	const struct conf_test conf_##_name = {				\
		.name = #_name,						\
		.needs = _needs,					\
		.run = run_##_name,					\
		.holds = { __VA_ARGS__ },				\
	};								\
	static void run_##_name(struct conf *c)

enum verdict {
	UNSEEN,
	HELD,
	BROKEN,
	UNTESTED,
};

struct conf_options {
	const char *device;
	const char *peer;
	bool hostile;
};

struct conf {
	const struct conf_options *opt;
	bool cdev;			/* how the devices are opened */
	struct vfio_iommu iommu;
	struct vfio_dev dev;
	struct vfio_dev peer;
	struct vfio_dev *to;		/* what streams are loaded into */
	__u64 flags;			/* VFIO_MIGRATION_* */
	unsigned int has;		/* NEEDS_* */
	__u32 info;			/* VFIO_DEVICE_FLAGS_* */

	const struct conf_test *test;
	enum verdict verdict[NR_REQS];
	unsigned int told[NR_REQS];
	char reason[NR_REQS][128];
	bool gave_up;
	jmp_buf end;
};

/* check.c */
bool holds(struct conf *c, enum req_id req, bool ok, const char *fmt, ...) __printf(4, 5);
void must(struct conf *c, enum req_id req, bool ok, const char *fmt, ...) __printf(4, 5);
void need(struct conf *c, bool ok, const char *fmt, ...) __printf(3, 4);
void give_reason(struct conf *c, enum req_id req, const char *fmt, ...) __printf(3, 4);
void remark(const char *fmt, ...) __printf(1, 2);
unsigned int conf_run(struct conf *c, const struct conf_test *test);
void conf_list(const struct conf_entry *tests, size_t nr);

/* device.c */
int conf_open(struct conf *c, const struct conf_options *opt, bool cdev);
void conf_reopen(struct conf *c);
const char *conf_lacks(const struct conf *c, unsigned int needs);
int call_feature(struct vfio_dev *dev, __u32 argsz, __u32 flags, void *data,
		 size_t size);
int fresh(struct vfio_dev *dev);

/* model.c */
#define MAX_PATH	VFIO_DEVICE_STATE_NR

struct path {
	unsigned int nr;
	__u32 state[MAX_PATH];	/* what comes after the state of departure */
};

bool model_supports(__u64 flags, __u32 state);
bool model_saving(__u32 state);
bool model_session(__u32 state);
bool model_path(__u64 flags, __u32 from, __u32 to, struct path *path);
bool model_opens(__u32 from, const struct path *path);
bool model_closes(__u32 from, const struct path *path);

/* transfer.c */
struct blob {
	__u8 *data;
	size_t len;
	size_t room;
};

#define WHOLE	65536	/* a segment for those who do not care */

int poll_fd(int fd, short events, int ms);
int read_blob(int fd, struct blob *blob, size_t segment);
int write_blob(int fd, const struct blob *blob, size_t len, size_t segment);
bool session_dead(int fd, bool saving);
void go(struct conf *c, struct vfio_dev *dev, __u32 state, int *fd);
void save(struct conf *c, struct vfio_dev *dev, struct blob *blob,
	  size_t segment);
int load(struct vfio_dev *dev, const struct blob *blob, size_t segment);
int enter(struct conf *c, struct vfio_dev *dev, __u32 state,
	  const struct blob *blob);

#endif
