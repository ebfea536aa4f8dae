/* SPDX-License-Identifier: GPL-2.0-only */
/* A saved state in words, by the driver's own decoder */
#ifndef VFMIG_DECODE_H
#define VFMIG_DECODE_H

#include "vf_stream.h"
#include "vfmig.h"

const char *record_name(unsigned int type);
void diagnose(const struct vfio_mig_reader *r, const struct buffer *buf, char *why,
	      size_t size);
struct json_object *contents_of(const struct vfio_mig_reader *r, const struct buffer *buf);
int show_differences(struct json_object *a, struct json_object *b,
		     const struct options *opt);

/* It must not have to wait for the rest of a part that has begun anew. */
static inline bool has_initial(const struct vfio_mig_reader *r)
{
	return r->seals[VFIO_MIG_PART_INITIAL] && r->part != VFIO_MIG_PART_INITIAL;
}

#endif
