// SPDX-License-Identifier: GPL-2.0-only
/*
 * The decoder of the stream, given anything. It comes to the same end however
 * the bytes arrive, looks at none that have not arrived, and what it has taken
 * says the same again when it is written anew.
 *
 * The first byte of the input decides in what pieces the rest arrives.
 */
#include <stdlib.h>

#include "fuzz/fuzz.h"
#include "lib/records.h"
#include "vf_stream.h"

struct contents {
	struct igb_pf_state pf;
	struct igb_vf_regs regs;
	struct igb_vf_mailbox mbx;
	struct igb_vf_counters counters;
};

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* Each piece in a buffer of its own, so that nobody reads behind it unseen */
static int read_in_pieces(struct vfio_mig_reader *reader, const u8 *data,
			  size_t len, size_t piece)
{
	size_t have = 0;
	int ret = 0;
	u8 *copy;

	vfio_mig_reader_init(reader, &igb_vf_format);
	while (!ret && have < len) {
		have = len - have < piece ? len : have + piece;
		copy = malloc(have);
		must(copy);
		memcpy(copy, data, have);
		ret = vfio_mig_read_more(reader, copy, have);
		free(copy);
	}
	return ret;
}

static int get(const struct vfio_mig_reader *reader, const u8 *data,
	       struct contents *contents)
{
	memset(contents, 0, sizeof(*contents));
	if (igb_vf_get_initial(reader, data, &contents->pf))
		return -1;
	igb_vf_get_final(reader, data, &contents->regs, &contents->mbx,
			 &contents->counters);
	return 0;
}

static size_t put(const struct contents *contents, u8 *buf, size_t size)
{
	struct vfio_mig_writer writer;

	vfio_mig_writer_init(&writer, &igb_vf_format, buf, size);
	vfio_mig_begin_part(&writer, VFIO_MIG_PART_INITIAL);
	must(!igb_vf_put_initial(&writer, &contents->pf));
	must(!vfio_mig_put_seal(&writer));
	vfio_mig_begin_part(&writer, VFIO_MIG_PART_FINAL);
	must(!igb_vf_put_final(&writer, &contents->regs, &contents->mbx,
			       &contents->counters));
	must(!vfio_mig_put_seal(&writer));
	must(!vfio_mig_put_end(&writer));
	return writer.len;
}

static void write_anew(const struct contents *contents)
{
	struct vfio_mig_reader reader;
	struct contents again;
	u8 *buf = malloc(igb_vf_format.max_size);
	size_t len;

	must(buf);
	len = put(contents, buf, igb_vf_format.max_size);
	must(!read_in_pieces(&reader, buf, len, len));
	must(reader.ended && !get(&reader, buf, &again));
	must(!memcmp(contents, &again, sizeof(again)));
	free(buf);
}

int fuzz_one(const u8 *data, size_t len)
{
	struct vfio_mig_reader whole, pieces;
	struct contents contents;
	int ret;

	if (len < 2)
		return 0;
	ret = read_in_pieces(&whole, data + 1, len - 1, len - 1);
	must(ret == read_in_pieces(&pieces, data + 1, len - 1, data[0] + 1));
	must(whole.ended == pieces.ended && whole.pos == pieces.pos);
	if (whole.ended && !ret && !get(&whole, data + 1, &contents))
		write_anew(&contents);
	return 0;
}

/* No mutation by itself gets a checksum right, or a stream out of nothing */
size_t fuzz_mutate_custom(u8 *data, size_t size, size_t max_size,
			  unsigned int seed)
{
	static const struct contents nothing;
	static struct mig_stream stream;

	if (size < sizeof(struct vfio_mig_stream_header) + 1 &&
	    max_size > igb_vf_format.max_size) {
		data[0] = seed;
		return 1 + put(&nothing, data + 1, max_size - 1);
	}
	size = fuzz_mutate(data, size, max_size);
	if (size < sizeof(struct vfio_mig_stream_header) + 1 ||
	    size > sizeof(stream.data) || !(seed % 8))
		return size;
	stream.len = size - 1;
	memcpy(stream.data, data + 1, stream.len);
	sign(&stream);
	memcpy(data + 1, stream.data, stream.len);
	return size;
}
