/* SPDX-License-Identifier: GPL-2.0-only */
/* What the driver's own decoder, built for userspace, says of a stream */
#ifndef SELFTESTS_LIB_DECODE_H
#define SELFTESTS_LIB_DECODE_H

#include "vf_stream.h"

/* 0, or what the arc out of RESUMING will refuse the stream with */
static inline int decode(const void *data, size_t len)
{
	struct vfio_mig_reader reader;
	struct igb_pf_state pf;
	int ret;

	vfio_mig_reader_init(&reader, &igb_vf_format);
	ret = vfio_mig_read_more(&reader, data, len);
	/* The device half has its say as soon as there is an initial part */
	if (!ret && reader.seals[VFIO_MIG_PART_INITIAL] &&
	    reader.part != VFIO_MIG_PART_INITIAL)
		ret = igb_vf_get_initial(&reader, data, &pf);
	if (!ret && !reader.ended)
		ret = -EINVAL;
	return ret;
}

#endif
