// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opening devices, and saying what went wrong with them. Whatever happens, closing a
 * device has VFIO reset it: it is then as it was before it was opened.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "session.h"

static __u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

void phase_begin(struct session *s, const char *name)
{
	phase_end(s);
	if (s->opt->verbose || isatty(STDERR_FILENO))
		fprintf(stderr, "%s...\n", name);
	s->phase = json_object_new_object();
	put_text(s->phase, "phase", name);
	s->began = now_ns();
}

void phase_end(struct session *s)
{
	if (!s->phase)
		return;
	put_number(s->phase, "ns", now_ns() - s->began);
	json_object_array_add(s->phases, s->phase);
	s->phase = NULL;
}

/* Of the stream, in the phase that is under way */
void phase_bytes(struct session *s, size_t bytes)
{
	put_number(s->phase, "bytes", bytes);
}

/* From here on, what the kernel says is what it says of this. */
static void open_kernel_log(struct session *s)
{
	s->kernel_log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (s->kernel_log >= 0)
		lseek(s->kernel_log, 0, SEEK_END);
}

/* The message of a record, if it is of a migration of @bdf */
static const char *message(char *record, const char *bdf)
{
	char *text = strchr(record, ';');

	if (!text || !strstr(text, bdf))
		return NULL;
	text = strstr(text, "migration: ");
	if (text)
		text[strcspn(text, "\n")] = '\0';
	return text;
}

static void repeat_kernel_log(struct session *s, const char *bdf)
{
	char record[8192];
	const char *text;
	ssize_t n;

	if (s->kernel_log < 0)
		return;
	do {
		n = read(s->kernel_log, record, sizeof(record) - 1);
		if (n <= 0)
			continue;
		record[n] = '\0';
		text = message(record, bdf);
		if (text)
			vfmig_err("the kernel says of %s: %s", bdf, text);
	} while (n > 0 || (n < 0 && errno == EPIPE));
}

static const char *explain(int err)
{
	switch (-err) {
	case EBUSY:
		return "it is in a low-power state";
	case ETIMEDOUT:
		return "its PF does not answer: is the PF's interface up?";
	case EADDRNOTAVAIL:
		return "its PF refuses the MAC address: the administrator has set another one";
	case ENOSPC:
		return "its PF has no room for one of the MAC filters";
	case EPERM:
		return "its PF refuses a VLAN or promiscuous mode: is the VF trusted there?";
	case EXDEV:
		return "the state is that of another kind of device";
	case EBADMSG:
		return "the state is damaged: a checksum is wrong";
	case EPROTONOSUPPORT:
		return "the state was saved by a newer driver";
	case EINVAL:
		return "the state is malformed, or the device is not in a state for this";
	case EIO:
		return "it does not answer, or a PCI error is being recovered";
	case ENODEV:
		return "it has been reset or has gone while this was under way";
	case ENOMEM:
		return "there is no memory for it";
	default:
		return strerror(-err);
	}
}

/* What is to be said when a step fails; an exit status */
int session_failed(struct session *s, const struct vfio_dev *dev, const char *what, int err)
{
	if (stopped_by()) {
		vfmig_err("stopped by a signal while it was to %s; the device is as it was", what);
		return 128 + stopped_by();
	}
	vfmig_err("%s did not %s: %s", dev->bdf, what, explain(err));
	repeat_kernel_log(s, dev->bdf);
	return FAILED;
}

int session_begin(struct session *s, const struct options *opt)
{
	int ret;

	memset(s, 0, sizeof(*s));
	s->opt = opt;
	s->phases = json_object_new_array();
	s->iommu.fd = -1;
	open_kernel_log(s);
	stop_on_signals();
	ret = vfio_iommu_open(&s->iommu);
	if (ret == -ENOENT && vfio_has_cdev())
		ret = vfio_iommufd_open(&s->iommu);
	if (!ret)
		return DONE;
	if (ret == -EACCES || ret == -EPERM)
		vfmig_err("/dev/vfio/vfio cannot be opened: only root may, or who has been given the file");
	else
		vfmig_err("VFIO is not there (/dev/vfio/vfio: %s): \"modprobe vfio-pci\" loads it",
			  strerror(-ret));
	return FAILED;
}

static int check_openable(const char *bdf)
{
	char driver[64], stranger[BDF_LEN];

	if (pci_driver(bdf, driver, sizeof(driver))) {
		vfmig_err("%s has no driver: \"vfmig bind %s\" gives it one", bdf, bdf);
		return UNSUITABLE;
	}
	if (!pci_is_vfio(bdf)) {
		vfmig_err("%s is bound to %s, which is not a VFIO driver: \"vfmig bind %s\" changes that",
			  bdf, driver, bdf);
		return UNSUITABLE;
	}
	if (complain_of_holders(bdf))
		return IN_USE;
	if (pci_group_stranger(bdf, stranger)) {
		vfmig_err("%s shares its IOMMU group with %s, which another driver has: bind that to a VFIO driver too",
			  bdf, stranger);
		return UNSUITABLE;
	}
	return DONE;
}

static int complain_of_open(const char *bdf, int err)
{
	switch (-err) {
	case EBUSY:
		vfmig_err("%s is in use, by a process that /proc does not show: in another PID namespace, say",
			  bdf);
		return IN_USE;
	case EACCES:
	case EPERM:
		vfmig_err("%s cannot be opened: only root may, or who has been given /dev/vfio/%d",
			  bdf, pci_group(bdf));
		return FAILED;
	case EIO:
		vfmig_err("%s cannot be opened while a PCI error of it is being recovered, or after one that was not: the kernel log says more",
			  bdf);
		return FAILED;
	case ENOENT:
	case ENODEV:
		vfmig_err("%s has gone while it was to be opened", bdf);
		return UNSUITABLE;
	default:
		vfmig_err("%s cannot be opened: %s", bdf, strerror(-err));
		return FAILED;
	}
}

/* The next of the session's devices */
int session_open(struct session *s, const char *name)
{
	struct vfio_dev *dev = &s->dev[s->nr];
	char bdf[BDF_LEN];
	__u64 flags;
	int ret;

	ret = pci_find(name, bdf);
	if (ret)
		return ret;
	ret = check_openable(bdf);
	if (ret)
		return ret;
	ret = vfio_open(dev, &s->iommu, bdf);
	if (ret)
		return complain_of_open(bdf, ret);
	s->nr++;
	ret = vfio_mig_flags(dev, &flags);
	if (!ret)
		return DONE;
	vfmig_err("%s cannot be migrated: its driver does not offer it; the kernel log of when it was bound may say why",
		  bdf);
	return UNSUITABLE;
}

void session_end(struct session *s)
{
	while (s->nr)
		vfio_close(&s->dev[--s->nr]);
	vfio_iommu_close(&s->iommu);
	if (s->kernel_log >= 0)
		close(s->kernel_log);
	json_object_put(s->phase);
	json_object_put(s->phases);
}

/* An exit status; a signal that has come is looked at before and after. */
int session_set_state(struct session *s, struct vfio_dev *dev, __u32 state, int *data_fd)
{
	char what[64];
	int ret = 0;

	snprintf(what, sizeof(what), "go to %s", vfio_mig_state_name(state));
	if (!stopped_by())
		ret = vfio_mig_set_state(dev, state, data_fd);
	if (ret || stopped_by())
		return session_failed(s, dev, what, ret);
	return DONE;
}

void put_migration_flags(struct json_object *tree, __u64 flags)
{
	char text[64];

	snprintf(text, sizeof(text), "%s%s%s",
		 flags & VFIO_MIGRATION_STOP_COPY ? "STOP_COPY" : "none",
		 flags & VFIO_MIGRATION_P2P ? " P2P" : "",
		 flags & VFIO_MIGRATION_PRE_COPY ? " PRE_COPY" : "");
	put_text(tree, "migration", text);
}
