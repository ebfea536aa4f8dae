/* SPDX-License-Identifier: GPL-2.0-only */
/* A device half that writes down what it is asked for, of a device that is not there. */
#ifndef _SELFTESTS_KUNIT_HALF_H
#define _SELFTESTS_KUNIT_HALF_H

#include <kunit/test.h>
#include <linux/pci.h>
#include <linux/vfio_pci_mig.h>

/* The ops, as struct half's @called and @failing have them. */
#define QUIESCE		"q"
#define UNQUIESCE	"u"
#define STOP		"s"
#define START		"g"
#define SAVE_INITIAL	"i"
#define SAVE_FINAL	"f"
#define LOAD_INITIAL	"l"
#define LOAD_FINAL	"L"

#define HALF_BAR_SIZE	64
#define HALF_ROOM	PAGE_SIZE

/**
 * struct half_access - a register access that got through to the device half
 */
struct half_access {
	u32 offset;
	u32 val;
	bool write;
};

/**
 * struct half - a device
 * @mig: the migratable device; must stay first
 * @test: the test that has made it
 * @user: HALF_ROOM bytes of user memory, with none behind them
 * @called: the ops that have been called, without @access and @reset
 * @failing: the ops that fail, with
 * @err: this
 * @nr_accesses: register accesses so far, also more than
 * @access: has room for
 */
struct half {
	struct vfio_mig_device mig;
	struct kunit *test;
	void __user *user;
	char called[16];
	const char *failing;
	int err;
	unsigned int nr_accesses;
	struct half_access access[2 * HALF_BAR_SIZE / sizeof(u32)];
};

struct pci_dev *half_pdev(struct kunit *test);
int half_init(struct kunit *test);
void half_reset(struct half *half);
void half_error(struct half *half, pci_channel_state_t state);
void half_recover(struct half *half);
void half_forget(struct half *half);
u32 half_register(u32 offset);

#endif /* _SELFTESTS_KUNIT_HALF_H */
