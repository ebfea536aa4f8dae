// SPDX-License-Identifier: GPL-2.0-only
/* The log of what the device writes to memory */
#include "conformance.h"

#define log_range		vfio_device_feature_dma_logging_range

#define PAGE		4096ULL
#define BASE		0x100000000ULL
#define LENGTH		(256 * PAGE)
#define MAX_RANGES	(PAGE / sizeof(struct log_range))

static int start_log(struct conf *c, const struct log_range *ranges, __u32 nr,
		     __u64 *page_size)
{
	struct vfio_device_feature_dma_logging_control control = {
		.page_size = *page_size,
		.num_ranges = nr,
		.ranges = (unsigned long)ranges,
	};
	int ret = vfio_feature(&c->dev, VFIO_DEVICE_FEATURE_SET,
			       VFIO_DEVICE_FEATURE_DMA_LOGGING_START, &control,
			       sizeof(control));

	*page_size = control.page_size;
	return ret;
}

static int start_one(struct conf *c)
{
	struct log_range range = { .iova = BASE, .length = LENGTH };
	__u64 page_size = PAGE;

	return start_log(c, &range, 1, &page_size);
}

static int stop_log(struct conf *c)
{
	return vfio_feature(&c->dev, VFIO_DEVICE_FEATURE_SET,
			    VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP, NULL, 0);
}

static int report(struct conf *c, __u64 page_size, __u64 *bitmap)
{
	struct vfio_device_feature_dma_logging_report arg = {
		.iova = BASE,
		.length = LENGTH,
		.page_size = page_size,
		.bitmap = (unsigned long)bitmap,
	};

	return vfio_feature(&c->dev, VFIO_DEVICE_FEATURE_GET,
			    VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT, &arg,
			    sizeof(arg));
}

/* The core serves reports with a helper that not every kernel is built with */
static bool can_report(struct conf *c)
{
	__u64 bitmap[LENGTH / PAGE / 64] = {};
	int ret = start_one(c);

	need(c, !ret, "logging does not start: %s", strerror(-ret));
	ret = report(c, PAGE, bitmap);
	stop_log(c);
	return ret != -EOPNOTSUPP;
}

#define NO_REPORTS	"this kernel is built without reports (EOPNOTSUPP)"

CONF_TEST(dma_log_session, NEEDS_DMA_LOG, R_LOG_START, R_LOG_ONCE, R_LOG_STOP,
	  R_LOG_OFF)
{
	__u64 bitmap[LENGTH / PAGE / 64] = {};
	unsigned int i;
	int ret;

	if (can_report(c))
		holds(c, R_LOG_OFF, report(c, PAGE, bitmap), "after a STOP");
	else
		give_reason(c, R_LOG_OFF, NO_REPORTS);
	for (i = 0; i < 2; i++) {
		ret = start_one(c);
		must(c, R_LOG_START, !ret, "time no. %u: %s", i + 1,
		     strerror(-ret));
		holds(c, R_LOG_ONCE, start_one(c), "a second START succeeds");
		ret = stop_log(c);
		holds(c, R_LOG_STOP, !ret, "time no. %u: %s", i + 1,
		      strerror(-ret));
	}
}

static void try_page_size(struct conf *c, __u64 hint)
{
	struct log_range range = { .iova = BASE, .length = LENGTH };
	__u64 page_size = hint;
	int ret;

	ret = start_log(c, &range, 1, &page_size);
	holds(c, R_LOG_PAGE_SIZE, !ret, "a hint of %llu: %s",
	      (unsigned long long)hint, strerror(-ret));
	if (ret)
		return;
	holds(c, R_LOG_PAGE_SIZE, page_size && !(page_size & (page_size - 1)),
	      "the size chosen is %llu", (unsigned long long)page_size);
	stop_log(c);
}

/* Two pages in each range, two between them */
static void try_many_ranges(struct conf *c)
{
	static struct log_range ranges[MAX_RANGES];
	__u64 page_size = PAGE;
	unsigned int i;
	int ret;

	for (i = 0; i < MAX_RANGES; i++) {
		ranges[i].iova = BASE + 4 * PAGE * i;
		ranges[i].length = 2 * PAGE;
	}
	ret = start_log(c, ranges, MAX_RANGES, &page_size);
	holds(c, R_LOG_RANGES, !ret, "%u of them: %s", (__u32)MAX_RANGES,
	      strerror(-ret));
	stop_log(c);

	page_size = PAGE;
	ret = start_log(c, ranges, 0, &page_size);
	holds(c, R_LOG_START, ret, "without any range");
	if (!ret)
		stop_log(c);
}

/* What is no range: memory that ends before it begins, and the same one twice */
static void try_bad_ranges(struct conf *c)
{
	static const struct log_range bad[][2] = {
		{ { BASE, LENGTH }, { BASE + PAGE, PAGE } },
		{ { BASE, LENGTH }, { ~0ULL - PAGE + 1, 2 * PAGE } },
		{ { BASE, LENGTH }, { BASE + LENGTH + 1, PAGE } },
	};
	__u64 page_size;
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_LEN(bad); i++) {
		page_size = PAGE;
		ret = start_log(c, bad[i], 2, &page_size);
		holds(c, R_LOG_START, ret, "for %#llx, %llu bytes from it",
		      (unsigned long long)bad[i][1].iova,
		      (unsigned long long)bad[i][1].length);
		if (!ret)
			stop_log(c);
	}
}

CONF_TEST(dma_log_arguments, NEEDS_DMA_LOG, R_LOG_PAGE_SIZE, R_LOG_RANGES,
	  R_LOG_START)
{
	try_page_size(c, PAGE);
	try_page_size(c, 16 * PAGE);
	try_page_size(c, LENGTH);
	try_many_ranges(c);
	try_bad_ranges(c);
}

CONF_TEST(dma_log_report, NEEDS_DMA_LOG, R_LOG_REPORT_SIZE, R_LOG_BITS)
{
	static const __u64 bad[] = { 0, 3, PAGE - 1, PAGE + 1, 3 * PAGE };
	__u64 bitmap[LENGTH / PAGE / 64], size;
	unsigned int i;
	int ret;

	if (!can_report(c)) {
		give_reason(c, R_LOG_REPORT_SIZE, NO_REPORTS);
		give_reason(c, R_LOG_BITS, NO_REPORTS);
		return;
	}
	start_one(c);
	for (size = PAGE; size <= LENGTH; size *= 2) {
		memset(bitmap, 0xff, sizeof(bitmap));
		ret = report(c, size, bitmap);
		holds(c, R_LOG_REPORT_SIZE, !ret, "%llu: %s",
		      (unsigned long long)size, strerror(-ret));
		for (i = 0; i < ARRAY_LEN(bitmap); i++)
			holds(c, R_LOG_BITS, bitmap[i] == ~0ULL,
			      "word %u became %#llx", i,
			      (unsigned long long)bitmap[i]);
	}
	for (i = 0; i < ARRAY_LEN(bad); i++)
		holds(c, R_LOG_REPORT_SIZE, report(c, bad[i], bitmap),
		      "%llu is taken", (unsigned long long)bad[i]);
	stop_log(c);
}

CONF_TEST(dma_log_in_any_state, NEEDS_DMA_LOG, R_LOG_ALONE)
{
	__u64 bitmap[LENGTH / PAGE / 64];
	bool reports = can_report(c);
	__u32 state;
	int ret;

	for (state = 0; state < VFIO_DEVICE_STATE_NR; state++) {
		if (!model_supports(c->flags, state) ||
		    state == VFIO_DEVICE_STATE_RESUMING)
			continue;
		need(c, !fresh(&c->dev), "the device does not get back to RUNNING");
		ret = start_one(c);
		need(c, !ret, "logging does not start: %s", strerror(-ret));
		go(c, &c->dev, state, NULL);
		ret = reports ? report(c, PAGE, bitmap) : 0;
		holds(c, R_LOG_ALONE, !ret, "REPORT in %s: %s",
		      vfio_mig_state_name(state), strerror(-ret));
		ret = stop_log(c);
		holds(c, R_LOG_ALONE, !ret, "STOP in %s: %s",
		      vfio_mig_state_name(state), strerror(-ret));
	}
}
