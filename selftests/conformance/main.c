// SPDX-License-Identifier: GPL-2.0-only
/*
 * Holds a VFIO device to the migration uAPI of <linux/vfio.h>: to all that it
 * claims, and to nothing else.
 */
#include <getopt.h>
#include <kselftest_harness.h>

#include "conformance.h"
#include "lib/variants.h"

#define TEST_SECONDS	120

static struct conf_options options;

FIXTURE(conformance) {
	struct conf conf;
};

GROUP_AND_CDEV(conformance);

FIXTURE_SETUP(conformance)
{
	int ret;

	/* The process may die in the middle of a line */
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (variant->cdev && !vfio_has_cdev())
		SKIP(return, "the kernel has no iommufd");
	ret = conf_open(&self->conf, &options, variant->cdev);
	if (ret == -ENOTTY)
		SKIP(return, "%s offers no migration", options.device);
	ASSERT_EQ(0, ret)
		TH_LOG("%s cannot be opened: %s", options.device,
		       strerror(-ret));
	ASSERT_EQ(variant->cdev, vfio_by_cdev(&self->conf.dev));
}

FIXTURE_TEARDOWN(conformance)
{
}

static void run(struct __test_metadata *_metadata, struct conf *c,
		const struct conf_test *test)
{
	const char *why = conf_lacks(c, test->needs);

	if (why)
		SKIP(return, "%s", why);
	EXPECT_EQ(0, conf_run(c, test));
}

#define CONF_ENTRY(name)						\
	CONF_DECLARE(conf_##name);					\
	static const struct conf_test *const test_##name = &conf_##name; \
TEST_F_TIMEOUT(conformance, name, TEST_SECONDS)				\
{									\
	run(_metadata, &self->conf, test_##name);			\
}

#include "tests.h"
#undef CONF_ENTRY

#define CONF_ENTRY(name)	{ .test = &conf_##name },
static const struct conf_entry all_tests[] = {
#include "tests.h"
};

static void usage(const char *name)
{
	fprintf(stderr,
		"%s --device DEVICE [--peer DEVICE] [--hostile] [OPTION]...\n"
		"%s --list\n"
		"\n"
		"  --device DEVICE  what to test: a PCI address, or the UUID of an mdev\n"
		"  --peer DEVICE    loads streams into this device, one of the same kind;\n"
		"                   without it, into the tested device itself after a reset\n"
		"  --hostile        runs tests as well that took machines down\n"
		"  --list           lists the requirements and the tests that hold them\n"
		"\n"
		"Each test is run twice: the devices are opened through their group, and by\n"
		"their own file (-v group and -v cdev for one of them).\n"
		"All other options are the test harness's; -h lists them.\n",
		name, name);
}

/* Takes our options out, and leaves the rest for the harness */
static int take_options(int argc, char **argv)
{
	int i, left = 1;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--device") && i + 1 < argc)
			options.device = argv[++i];
		else if (!strcmp(argv[i], "--peer") && i + 1 < argc)
			options.peer = argv[++i];
		else if (!strcmp(argv[i], "--hostile"))
			options.hostile = true;
		else
			argv[left++] = argv[i];
	}
	argv[left] = NULL;
	return left;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--list")) {
		conf_list(all_tests, ARRAY_SIZE(all_tests));
		return 0;
	}
	argc = take_options(argc, argv);
	if (!options.device && !(argc > 1 && !strcmp(argv[1], "-h"))) {
		usage(argv[0]);
		return KSFT_FAIL;
	}
	return test_harness_run(argc, argv);
}
