// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO_DEVICE_FEATURE_DMA_LOGGING_*, and descriptors that are posted while the log is
 * on. For want of memory too much may be reported, but never too little.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "fail.h"
#include "lib/dirty.h"

/* What one word of a bitmap has: ring and buffers */
#define LENGTH		(64 * DIRTY_PAGE)
#define POSTED		8
#define ARRIVES_MS	2000

static int report(struct fail *fail, __u64 *bits)
{
	*bits = 0;
	return dirty_report(fail->dev, fail->vf.rx[0].dma.iova, LENGTH,
			    DIRTY_PAGE, bits);
}

static int begin_off(struct fail *fail)
{
	int ret = dirty_stop(fail->dev);

	if (!ret || ret == -EINVAL)
		ret = begin_running(fail);
	return ret ? ret : igbvf_rx_start(&fail->vf, 0);
}

static int go_start(struct fail *fail)
{
	return dirty_start(fail->dev, fail->vf.rx[0].dma.iova, LENGTH);
}

static int begin_on(struct fail *fail)
{
	int ret = begin_off(fail);

	return ret ? ret : go_start(fail);
}

static bool is_off(struct fail *fail)
{
	return dirty_stop(fail->dev) == -EINVAL;
}

static bool is_on(struct fail *fail)
{
	__u64 bits;

	return !report(fail, &bits);
}

/* The first frame on the ring: its buffer and the ring are what the device writes */
static int receive(struct fail *fail)
{
	long long end = clock_ms() + ARRIVES_MS;
	struct igbvf *vf = &fail->vf;
	__u8 frame[IGBVF_MIN_FRAME];
	__le64 buf;
	int ret;

	memcpy(&buf, vf->rx[0].dma.mem, sizeof(buf));
	fail->written = 1 | 1ULL << (le64toh(buf) - vf->rx[0].dma.iova) / DIRTY_PAGE;
	frame_build(frame, vf->mac, fail->peer.mac, -1, 1, sizeof(frame));
	ret = peer_send(&fail->peer, frame, sizeof(frame));
	while (!ret && !igbvf_rx_ready(vf, 0))
		if (clock_ms() > end)
			ret = -ETIMEDOUT;
	return ret;
}

static int go_report(struct fail *fail)
{
	__u64 bits;
	int ret = report(fail, &bits);

	if (ret)
		return ret;
	bits &= fail->written;
	show(fail, &bits, sizeof(bits));
	return 0;
}

static int look_at_report(struct fail *fail)
{
	return memcmp(fail->result.data, &fail->written, sizeof(fail->written)) ?
	       -ENOENT : 0;
}

static int look_at_log(struct fail *fail)
{
	int ret = receive(fail);

	if (!ret)
		ret = go_report(fail);
	return ret ? ret : look_at_report(fail);
}

static int begin_received(struct fail *fail)
{
	int ret = begin_on(fail);

	return ret ? ret : receive(fail);
}

/* A ring with nothing posted, and nothing left to report */
static int begin_empty(struct fail *fail)
{
	struct igbvf *vf = &fail->vf;
	__u32 on = igbvf_read(vf, RXDCTL(0)) | XDCTL_ENABLE;
	long long end = clock_ms() + ARRIVES_MS;
	__u64 bits;
	int ret = begin_on(fail);

	if (ret)
		return ret;
	igbvf_write(vf, RXDCTL(0), on & ~XDCTL_ENABLE);
	igbvf_write(vf, RDH(0), 0);
	igbvf_write(vf, RDT(0), 0);
	igbvf_write(vf, RXDCTL(0), on);
	do {
		ret = report(fail, &bits);
	} while (!ret && bits & ~1ULL && clock_ms() < end);
	return ret ? ret : bits & ~1ULL ? -EBUSY : 0;
}

static int go_post(struct fail *fail)
{
	return reg_write(fail, RDT(0), POSTED);
}

static bool none_posted(struct fail *fail)
{
	return !igbvf_read(&fail->vf, RDT(0));
}

static int go_stop(struct fail *fail)
{
	return dirty_stop(fail->dev);
}

static int look_stopped(struct fail *fail)
{
	return is_off(fail) ? 0 : -EBUSY;
}

const struct path dma_log_paths[] = {
	{ .name = "DMA_LOGGING_START", .begin = begin_off, .go = go_start,
	  .look = look_at_log, .unharmed = is_off, .least = 3 },
	{ .name = "DMA_LOGGING_REPORT", .begin = begin_received,
	  .go = go_report, .look = look_at_report, .least = 2 },
	{ .name = "RDT, with a log", .begin = begin_empty, .go = go_post,
	  .look = look_at_log, .unharmed = none_posted, .least = 1 },
	{ .name = "DMA_LOGGING_STOP", .begin = begin_on, .go = go_stop,
	  .look = look_stopped, .unharmed = is_on, .least = 1 },
	{}
};
