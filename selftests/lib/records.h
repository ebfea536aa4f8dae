/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A migration stream taken apart into its records, by the layout in
 * <linux/vfio_pci_mig.h> and not by the code that is under test, and put
 * together again.
 */
#ifndef SELFTESTS_LIB_RECORDS_H
#define SELFTESTS_LIB_RECORDS_H

#include <linux/vfio_pci_mig.h>
#include <sys/types.h>

#include "migrate.h"

#define MAX_RECORDS	32
#define UNKNOWN_RECORD	0x7fff

/* Where the parts of a record are in the stream */
struct record {
	size_t start;
	size_t payload;
	size_t end;
	__u16 type;
};

struct layout {
	unsigned int nr;
	struct record rec[MAX_RECORDS];
};

static inline struct vfio_mig_stream_record *
record_at(struct mig_stream *stream, size_t start)
{
	return (void *)(stream->data + start);
}

static inline size_t record_size(const struct record *rec)
{
	return rec->end - rec->start;
}

int parse(struct mig_stream *stream, struct layout *layout);
const struct record *nth(const struct layout *layout, __u16 type,
			 unsigned int n);
void sign_record(struct mig_stream *stream, const struct record *rec);
int sign(struct mig_stream *stream);

/* What changes the length of a stream moves the records behind it */
void resize(struct mig_stream *stream, size_t pos, ssize_t len);
void insert_record(struct mig_stream *stream, size_t pos, __u16 type,
		   __u16 flags, size_t len);
void drop(struct mig_stream *stream, const struct record *rec);
void repeat(struct mig_stream *stream, size_t start, size_t end, size_t pos);

#endif
