// SPDX-License-Identifier: GPL-2.0-only
/*
 * Streams that nobody saved: cut, bent and made up. None of them may reach the
 * device, and each has to be refused with the errno that
 * <linux/vfio_pci_mig.h> promises. Records are taken apart here by the layout
 * in that header, not by the code that is under test.
 */
/* First, since the harness takes a macro from whoever had it before */
#include "lib/decode.h"

#include <kselftest_harness.h>
#include <endian.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>

#include "lib/check.h"
#include "lib/flow.h"
#include "lib/records.h"
#include "lib/regfile.h"

static const __u8 mac_a[6] = { 0x02, 0x76, 0x66, 0x00, 0x00, 0x0a };

/* The crooked streams: each case changes a good one and says what is wrong */
struct crooked {
	const char *what;
	int want;
	bool unsigned_;		/* the checksums are left wrong */
	void (*bend)(struct mig_stream *stream, const struct layout *layout);
};

#define HEADER(stream)	((struct vfio_mig_stream_header *)(stream)->data)

static void bend_magic(struct mig_stream *stream, const struct layout *layout)
{
	(void)layout;
	HEADER(stream)->magic ^= 1;
}

static void bend_major(struct mig_stream *stream, const struct layout *layout)
{
	(void)layout;
	HEADER(stream)->major = htole16(VFIO_MIG_STREAM_MAJOR + 1);
}

static void bend_major_zero(struct mig_stream *stream,
			    const struct layout *layout)
{
	(void)layout;
	HEADER(stream)->major = 0;
}

static void bend_minor(struct mig_stream *stream, const struct layout *layout)
{
	(void)layout;
	HEADER(stream)->minor = htole16(VFIO_MIG_STREAM_MINOR + 1);
}

static void bend_reserved(struct mig_stream *stream,
			  const struct layout *layout)
{
	(void)layout;
	HEADER(stream)->reserved = ~0U;
}

static void bend_vendor(struct mig_stream *stream, const struct layout *layout)
{
	(void)layout;
	HEADER(stream)->vendor = htole16(0x15b3);
}

static void bend_device(struct mig_stream *stream, const struct layout *layout)
{
	(void)layout;
	HEADER(stream)->device = htole16(0x1520);
}

static void bend_unknown(struct mig_stream *stream,
			 const struct layout *layout)
{
	insert_record(stream, layout->rec[0].start, UNKNOWN_RECORD, 0, 33);
}

static void bend_unknown_final(struct mig_stream *stream,
			       const struct layout *layout)
{
	insert_record(stream, nth(layout, VFIO_MIG_RECORD_SEAL, 1)->start,
		      UNKNOWN_RECORD, 0xfffe, 1000);
}

static void bend_unknown_twice(struct mig_stream *stream,
			       const struct layout *layout)
{
	bend_unknown(stream, layout);
	bend_unknown(stream, layout);
}

static void bend_critical(struct mig_stream *stream,
			  const struct layout *layout)
{
	insert_record(stream, layout->rec[0].start, UNKNOWN_RECORD,
		      VFIO_MIG_RECORD_CRITICAL, 33);
}

static void bend_critical_final(struct mig_stream *stream,
				const struct layout *layout)
{
	insert_record(stream, nth(layout, VFIO_MIG_RECORD_SEAL, 1)->start,
		      UNKNOWN_RECORD, VFIO_MIG_RECORD_CRITICAL, 33);
}

static void bend_after_end(struct mig_stream *stream,
			   const struct layout *layout)
{
	(void)layout;
	stream->data[stream->len++] = 0;
}

static void bend_record_after_end(struct mig_stream *stream,
				  const struct layout *layout)
{
	(void)layout;
	insert_record(stream, stream->len, UNKNOWN_RECORD, 0, 8);
}

static void bend_end_twice(struct mig_stream *stream,
			   const struct layout *layout)
{
	(void)layout;
	insert_record(stream, stream->len, VFIO_MIG_RECORD_END,
		      VFIO_MIG_RECORD_CRITICAL, 0);
}

static void bend_end_payload(struct mig_stream *stream,
			     const struct layout *layout)
{
	const struct record *end = nth(layout, VFIO_MIG_RECORD_END, 0);

	record_at(stream, end->start)->length = htole32(4);
	resize(stream, end->payload, 4);
}

static void bend_end_early(struct mig_stream *stream,
			   const struct layout *layout)
{
	insert_record(stream, nth(layout, VFIO_MIG_RECORD_SEAL, 0)->end,
		      VFIO_MIG_RECORD_END, VFIO_MIG_RECORD_CRITICAL, 0);
}

static void bend_no_identity(struct mig_stream *stream,
			     const struct layout *layout)
{
	drop(stream, nth(layout, IGB_VF_RECORD_IDENTITY, 0));
}

static void bend_no_regs(struct mig_stream *stream,
			 const struct layout *layout)
{
	drop(stream, nth(layout, IGB_VF_RECORD_REGS, 0));
}

static void bend_no_final(struct mig_stream *stream,
			  const struct layout *layout)
{
	size_t start = nth(layout, VFIO_MIG_RECORD_SEAL, 0)->end;
	size_t end = nth(layout, VFIO_MIG_RECORD_SEAL, 1)->end;

	resize(stream, start, -(ssize_t)(end - start));
}

static void bend_no_seal(struct mig_stream *stream,
			 const struct layout *layout)
{
	drop(stream, nth(layout, VFIO_MIG_RECORD_SEAL, 0));
}

static void bend_initial_again(struct mig_stream *stream,
			       const struct layout *layout)
{
	size_t end = nth(layout, VFIO_MIG_RECORD_SEAL, 0)->end;

	repeat(stream, layout->rec[0].start, end, end);
}

static void bend_initial_behind(struct mig_stream *stream,
				const struct layout *layout)
{
	repeat(stream, layout->rec[0].start,
	       nth(layout, VFIO_MIG_RECORD_SEAL, 0)->end,
	       nth(layout, VFIO_MIG_RECORD_SEAL, 1)->end);
}

static void bend_initial_in_part(struct mig_stream *stream,
				 const struct layout *layout)
{
	size_t end = nth(layout, VFIO_MIG_RECORD_SEAL, 0)->end;

	/* Only the first of its records, and no seal */
	repeat(stream, layout->rec[0].start, layout->rec[0].end, end);
}

static void bend_empty_part(struct mig_stream *stream,
			    const struct layout *layout)
{
	const struct record *seal = nth(layout, VFIO_MIG_RECORD_SEAL, 0);

	repeat(stream, seal->start, seal->end, seal->end);
}

static void bend_seal_twice(struct mig_stream *stream,
			    const struct layout *layout)
{
	const struct record *seal = nth(layout, VFIO_MIG_RECORD_SEAL, 1);
	size_t len = seal->end - seal->start;

	resize(stream, seal->end, len);
	memcpy(stream->data + seal->end, stream->data + seal->start, len);
}

static void bend_seal_part(struct mig_stream *stream,
			   const struct layout *layout)
{
	const struct record *seal = nth(layout, VFIO_MIG_RECORD_SEAL, 0);

	stream->data[seal->payload] ^= 1;
}

static void bend_seal_long(struct mig_stream *stream,
			   const struct layout *layout)
{
	const struct record *seal = nth(layout, VFIO_MIG_RECORD_SEAL, 0);

	record_at(stream, seal->start)->length =
		htole32(sizeof(struct vfio_mig_stream_seal) + 4);
	resize(stream, seal->end, 4);
}

static void bend_repeated(struct mig_stream *stream,
			  const struct layout *layout)
{
	const struct record *rec = nth(layout, IGB_VF_RECORD_REGS, 0);
	size_t len = rec->end - rec->start;

	resize(stream, rec->end, len);
	memcpy(stream->data + rec->end, stream->data + rec->start, len);
}

/* A record of the final part in the initial one */
static void bend_wrong_part(struct mig_stream *stream,
			    const struct layout *layout)
{
	const struct record *rec = nth(layout, IGB_VF_RECORD_COUNTERS, 0);
	size_t len = rec->end - rec->start;
	__u8 copy[256];

	memcpy(copy, stream->data + rec->start, len);
	drop(stream, rec);
	resize(stream, layout->rec[0].start, len);
	memcpy(stream->data + layout->rec[0].start, copy, len);
}

static void bend_short_record(struct mig_stream *stream,
			      const struct layout *layout)
{
	const struct record *rec = nth(layout, IGB_VF_RECORD_REGS, 0);

	record_at(stream, rec->start)->length =
		htole32(rec->end - rec->payload - 4);
	resize(stream, rec->payload, -4);
}

static void bend_long_record(struct mig_stream *stream,
			     const struct layout *layout)
{
	const struct record *rec = nth(layout, IGB_VF_RECORD_REGS, 0);

	record_at(stream, rec->start)->length =
		htole32(rec->end - rec->payload + 4);
	resize(stream, rec->end, 4);
}

static void bend_huge_record(struct mig_stream *stream,
			     const struct layout *layout)
{
	record_at(stream, layout->rec[1].start)->length = ~0U;
}

static void bend_big_record(struct mig_stream *stream,
			    const struct layout *layout)
{
	record_at(stream, layout->rec[1].start)->length =
		htole32(VFIO_MIG_STREAM_MAX + 1);
}

static void bend_wrapping_record(struct mig_stream *stream,
				 const struct layout *layout)
{
	record_at(stream, layout->rec[1].start)->length =
		htole32(0U - (__u32)sizeof(struct vfio_mig_stream_record));
}

static void bend_identity(struct mig_stream *stream,
			  const struct layout *layout)
{
	struct igb_vf_identity *identity = (void *)(stream->data +
		nth(layout, IGB_VF_RECORD_IDENTITY, 0)->payload);

	identity->queues = htole16(IGB_VF_NR_QUEUES + 1);
}

static void bend_pf_flags(struct mig_stream *stream,
			  const struct layout *layout)
{
	struct igb_vf_pf *pf = (void *)(stream->data +
		nth(layout, IGB_VF_RECORD_PF, 0)->payload);

	pf->flags |= htole32(1U << 31);
}

static void bend_vlans(struct mig_stream *stream,
		       const struct layout *layout)
{
	size_t seal = nth(layout, VFIO_MIG_RECORD_SEAL, 0)->start;

	insert_record(stream, seal, IGB_VF_RECORD_VLANS,
		      VFIO_MIG_RECORD_CRITICAL, 4096 / 8 + 1);
}

static const struct crooked crooked[] = {
	{ "nothing", 0, false, NULL },
	{ "a newer minor version", 0, false, bend_minor },
	{ "the reserved field", 0, false, bend_reserved },
	{ "an unknown record", 0, false, bend_unknown },
	{ "an unknown record in the final part", 0, false,
	  bend_unknown_final },
	{ "two unknown records of one type", 0, false, bend_unknown_twice },

	{ "the initial part twice", 0, false, bend_initial_again },

	{ "the initial part behind the final one", -EINVAL, false,
	  bend_initial_behind },
	{ "an initial part that goes over into the final one", -EINVAL, false,
	  bend_initial_in_part },
	{ "a part of nothing but a seal", -EINVAL, false, bend_empty_part },
	{ "bad magic", -EINVAL, false, bend_magic },
	{ "bad magic and checksum", -EINVAL, true, bend_magic },
	{ "a newer major version", -EPROTONOSUPPORT, false, bend_major },
	{ "an unsigned newer version", -EBADMSG, true, bend_major },
	{ "major version 0", -EINVAL, false, bend_major_zero },
	{ "another vendor's device", -EXDEV, false, bend_vendor },
	{ "another device", -EXDEV, false, bend_device },
	{ "a device of another shape", -EXDEV, false, bend_identity },
	{ "an unknown critical record", -EINVAL, false, bend_critical },
	{ "an unknown critical record in the final part", -EINVAL, false,
	  bend_critical_final },
	{ "a byte after the end", -EINVAL, true, bend_after_end },
	{ "a record after the end", -EINVAL, false, bend_record_after_end },
	{ "two ends", -EINVAL, false, bend_end_twice },
	{ "an end with a payload", -EINVAL, false, bend_end_payload },
	{ "an end after one part", -EINVAL, false, bend_end_early },
	{ "no identity", -EINVAL, false, bend_no_identity },
	{ "no registers", -EINVAL, false, bend_no_regs },
	{ "no final part", -EINVAL, false, bend_no_final },
	{ "no seal", -EINVAL, false, bend_no_seal },
	{ "a third seal", -EINVAL, false, bend_seal_twice },
	{ "a seal of another part", -EINVAL, false, bend_seal_part },
	{ "a seal too long", -EINVAL, false, bend_seal_long },
	{ "a record twice", -EINVAL, false, bend_repeated },
	{ "a record in the wrong part", -EINVAL, false, bend_wrong_part },
	{ "a record too short", -EINVAL, false, bend_short_record },
	{ "a record too long", -EINVAL, false, bend_long_record },
	{ "a record of 4 GiB", -EINVAL, true, bend_huge_record },
	{ "a record longer than any stream", -EINVAL, true, bend_big_record },
	{ "a record whose end wraps around", -EINVAL, true,
	  bend_wrapping_record },
	{ "flags that no PF has", -EINVAL, false, bend_pf_flags },
	{ "VLANs that do not exist", -EINVAL, false, bend_vlans },
};

static int bend(const struct crooked *crook, const struct mig_stream *good,
		struct mig_stream *bad)
{
	struct layout layout;

	*bad = *good;
	if (parse(bad, &layout))
		return -EINVAL;
	if (crook->bend)
		crook->bend(bad, &layout);
	return crook->unsigned_ ? 0 : sign(bad);
}

/*
 * Feeds a device in RUNNING with a stream, as far as it goes, and returns where
 * it was refused: by write(), or by the arc. Ends in RESUMING or in STOP.
 */
static int feed(struct vfio_dev *dev, const void *data, size_t len)
{
	int fd, written, ret, again;
	char byte = 0;

	ret = vfio_mig_set_state(dev, VFIO_DEVICE_STATE_RESUMING, &fd);
	if (ret)
		return ret;
	written = mig_write(fd, data, len);
	ret = vfio_mig_set_state(dev, VFIO_DEVICE_STATE_STOP, NULL);
	if (written) {
		/* Bad once is bad for good, with the same errno */
		again = write(fd, &byte, 1) < 0 ? -errno : 1;
		if (ret != written || again != written)
			ret = -EPROTO;
	}
	if (ret && vfio_mig_get_state(dev) != VFIO_DEVICE_STATE_RESUMING)
		ret = -EPROTO;
	close(fd);
	return ret;
}

/* Where the streams go, and how it looks when none of them got through */
struct target {
	struct vfio_dev *dev;
	struct igbvf vf;
	struct regfile was;
	const struct mig_stream *good;
};

FIXTURE(stream) {
	struct lab lab;
	struct vfio_dev *a;
	struct vfio_dev *b;
	struct igbvf vf;
	struct target target;
	struct mig_stream good;
	struct mig_stream bad;
};

/* What a reset leaves of this is what a refused stream has to leave */
static int scribble(struct target *target)
{
	int ret;

	regfile_scribble(&target->vf, 4);
	ret = vfio_reset(target->dev);
	regfile_read(&target->vf, &target->was);
	return ret;
}

GROUP_AND_CDEV(stream);

FIXTURE_SETUP(stream)
{
	self->lab.cdev = variant->cdev;
	if (!lab_setup(_metadata, &self->lab, 2, true))
		return;
	self->a = &self->lab.vf[0];
	self->b = &self->lab.vf[1];
	ASSERT_EQ(0, igbvf_open(&self->vf, self->a));
	ASSERT_EQ(0, flow_start(&self->vf, mac_a));
	ASSERT_EQ(0, mig_save(self->a, &self->good));
	self->target.dev = self->b;
	self->target.good = &self->good;
	ASSERT_EQ(0, igbvf_open(&self->target.vf, self->b));
	ASSERT_EQ(0, scribble(&self->target));
}

FIXTURE_TEARDOWN(stream)
{
	igbvf_close(&self->vf);
	igbvf_close(&self->target.vf);
	lab_close(&self->lab);
}

static void expect_untouched(struct __test_metadata *_metadata,
			     struct target *target, const char *what)
{
	struct regfile is;
	int diff;

	ASSERT_EQ(0, vfio_reset(target->dev));
	regfile_read(&target->vf, &is);
	diff = regfile_diff(&target->was, &is);
	EXPECT_EQ(-1, diff)
		TH_LOG("%s: register %#x changed from %#x to %#x", what,
		       is.reg[diff], target->was.val[diff], is.val[diff]);
}

/* The next good stream finds nothing in its way */
static void expect_good(struct __test_metadata *_metadata,
			struct target *target)
{
	EXPECT_EQ(0, mig_load(target->dev, target->good,
			      VFIO_DEVICE_STATE_RUNNING));
	ASSERT_EQ(0, vfio_reset(target->dev));
	ASSERT_EQ(0, scribble(target));
}

/* The layout, as a tool that knows only the header file sees it */
TEST_F(stream, layout)
{
	struct vfio_mig_stream_header *header = HEADER(&self->good);
	struct layout layout;

	EXPECT_EQ(0, memcmp(self->good.data, "VFMIGSTR", 8));
	EXPECT_EQ(VFIO_MIG_STREAM_MAJOR, le16toh(header->major));
	EXPECT_EQ(VFIO_MIG_STREAM_MINOR, le16toh(header->minor));
	EXPECT_EQ(0x8086, le16toh(header->vendor));
	EXPECT_EQ(0x10ca, le16toh(header->device));
	ASSERT_EQ(0, parse(&self->good, &layout));
	EXPECT_EQ(VFIO_MIG_RECORD_END, layout.rec[layout.nr - 1].type);
	EXPECT_NE(NULL, nth(&layout, VFIO_MIG_RECORD_SEAL, 1));
	EXPECT_EQ(NULL, nth(&layout, VFIO_MIG_RECORD_SEAL, 2));

	self->bad = self->good;
	ASSERT_EQ(0, sign(&self->bad));
	EXPECT_EQ(0, memcmp(&self->good.data, &self->bad.data,
			    self->good.len))
		TH_LOG("the checksums are not the documented ones");
}

TEST_F_TIMEOUT(stream, crooked, 180)
{
	const struct crooked *crook;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(crooked); i++) {
		crook = &crooked[i];
		ASSERT_EQ(0, bend(crook, &self->good, &self->bad));
		EXPECT_EQ(crook->want, feed(self->b, self->bad.data,
					    self->bad.len))
			TH_LOG("%s", crook->what);
		if (crook->want)
			expect_untouched(_metadata, &self->target, crook->what);
		expect_good(_metadata, &self->target);
	}
}

/* Whether the kernel has said @what since the log was opened */
static bool is_logged(int kmsg, const char *what)
{
	char line[1024];
	bool found = false;
	ssize_t len;

	while ((len = read(kmsg, line, sizeof(line) - 1)) > 0) {
		line[len] = '\0';
		found |= !!strstr(line, what);
	}
	return found;
}

/* Nobody should have to guess why: the log says so, if with a limited rate */
TEST_F_TIMEOUT(stream, newer_major_is_logged, 60)
{
	const struct crooked major = { .bend = bend_major };
	bool logged = false;
	int tries, kmsg, fd;

	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ASSERT_LE(0, kmsg);
	ASSERT_LE(0, lseek(kmsg, 0, SEEK_END));
	ASSERT_EQ(0, bend(&major, &self->good, &self->bad));
	for (tries = 0; !logged && tries < 4; tries++) {
		if (tries)
			sleep(2);
		GO_FD(self->b, VFIO_DEVICE_STATE_RESUMING, &fd);
		EXPECT_EQ(-EPROTONOSUPPORT, mig_write(fd, self->bad.data,
						      self->bad.len));
		logged = is_logged(kmsg, "major version is newer");
		close(fd);
		ASSERT_EQ(0, vfio_reset(self->b));
	}
	EXPECT_TRUE(logged);
	close(kmsg);
}

/* Cut at each length: refused there, and good again once the rest has come */
TEST_F_TIMEOUT(stream, cut, 120)
{
	const struct mig_stream *good = &self->good;
	size_t i;
	int fd;

	GO_FD(self->b, VFIO_DEVICE_STATE_RESUMING, &fd);
	for (i = 0; i < good->len; i++) {
		ASSERT_EQ(-EINVAL, vfio_mig_set_state(self->b,
						      VFIO_DEVICE_STATE_STOP,
						      NULL))
			TH_LOG("a stream cut after %zu bytes", i);
		ASSERT_EQ(1, write(fd, &good->data[i], 1));
	}
	EXPECT_EQ(0, vfio_mig_set_state(self->b, VFIO_DEVICE_STATE_STOP,
					NULL));
	close(fd);
}

TEST_F_TIMEOUT(stream, cut_leaves_no_trace, 60)
{
	const size_t cuts[] = {
		1, sizeof(struct vfio_mig_stream_header),
		self->good.len / 2, self->good.len - 1,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cuts); i++) {
		EXPECT_EQ(-EINVAL, feed(self->b, self->good.data, cuts[i]));
		expect_untouched(_metadata, &self->target, "a stream cut");
	}
	expect_good(_metadata, &self->target);
}

/* More than VFIO_MIG_STREAM_MAX, of records that are all right by themselves */
TEST_F(stream, too_long)
{
	struct vfio_mig_stream_record *head;
	struct record rec;
	__u8 *end;
	int fd;

	self->bad = self->good;
	self->bad.len = sizeof(struct vfio_mig_stream_header);
	while (self->bad.len + 1000 < sizeof(self->bad.data)) {
		rec.start = self->bad.len;
		insert_record(&self->bad, rec.start, UNKNOWN_RECORD, 0, 900);
		rec.payload = rec.start + sizeof(*head);
		rec.end = self->bad.len;
		sign_record(&self->bad, &rec);
	}
	/* One more that does not end before the limit */
	rec.start = self->bad.len;
	head = record_at(&self->bad, rec.start);
	head->length = htole32(2000);
	end = self->bad.data + sizeof(self->bad.data);

	GO_FD(self->b, VFIO_DEVICE_STATE_RESUMING, &fd);
	ASSERT_EQ(0, mig_write(fd, self->bad.data,
			       end - self->bad.data));
	EXPECT_EQ(-1, write(fd, self->bad.data, 1));
	EXPECT_EQ(EFBIG, errno);
	EXPECT_EQ(-EFBIG, vfio_mig_set_state(self->b, VFIO_DEVICE_STATE_STOP,
					     NULL));
	EXPECT_STATE(self->b, VFIO_DEVICE_STATE_RESUMING);
	close(fd);
	expect_untouched(_metadata, &self->target, "a stream too long");
	expect_good(_metadata, &self->target);
}

/* All in one write, in odd pieces, or byte by byte: it makes no difference */
TEST_F_TIMEOUT(stream, pieces, 60)
{
	static const size_t sizes[] = { 1, 3, 7, 13, 64, 4096 };
	size_t pos, len;
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		GO_FD(self->b, VFIO_DEVICE_STATE_RESUMING, &fd);
		for (pos = 0; pos < self->good.len; pos += len) {
			len = self->good.len - pos;
			if (len > sizes[i])
				len = sizes[i];
			ASSERT_EQ(0, mig_write(fd, self->good.data + pos,
					       len));
		}
		EXPECT_EQ(0, vfio_mig_set_state(self->b,
						VFIO_DEVICE_STATE_STOP,
						NULL));
		close(fd);
	}
}

/* Bytes that come after the last are an error whenever they come */
TEST_F(stream, late_byte)
{
	int fd;

	GO_FD(self->b, VFIO_DEVICE_STATE_RESUMING, &fd);
	ASSERT_EQ(0, mig_write(fd, self->good.data, self->good.len));
	EXPECT_EQ(-1, write(fd, self->good.data, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-EINVAL, vfio_mig_set_state(self->b, VFIO_DEVICE_STATE_STOP,
					      NULL));
	EXPECT_STATE(self->b, VFIO_DEVICE_STATE_RESUMING);
	close(fd);
	expect_untouched(_metadata, &self->target, "a byte after the end");
}

/* What a stream with one byte changed may be refused with */
static bool refusal_fits(size_t pos, int ret)
{
	if (pos < sizeof(__le64))
		return ret == -EINVAL;
	if (pos < sizeof(struct vfio_mig_stream_header))
		return ret == -EBADMSG;
	/* A length that has grown makes the rest of the stream its payload */
	return ret == -EBADMSG || ret == -EINVAL;
}

/*
 * The decoder by itself, on a stream that was saved: it is what the tools use,
 * and here it is cheap enough to try every value of every byte.
 */
TEST_F(stream, decoder_crooked)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(crooked); i++) {
		ASSERT_EQ(0, bend(&crooked[i], &self->good, &self->bad));
		EXPECT_EQ(crooked[i].want, decode(self->bad.data,
						  self->bad.len))
			TH_LOG("%s", crooked[i].what);
	}
}

TEST_F_TIMEOUT(stream, decoder_each_value, 120)
{
	__u8 *data = self->good.data, was;
	size_t i;
	int x;

	for (i = 0; i < self->good.len; i++) {
		ASSERT_EQ(-EINVAL, decode(data, i));
		was = data[i];
		for (x = 1; x < 256; x++) {
			data[i] = was ^ x;
			ASSERT_TRUE(refusal_fits(i, decode(data,
							   self->good.len)))
				TH_LOG("byte %zu, %#x for %#x", i, data[i],
				       was);
		}
		data[i] = was;
	}
	EXPECT_EQ(0, decode(data, self->good.len));
}

/* A stream of the longest kind */
static void fill(struct igb_pf_state *pf)
{
	memset(pf, 0, sizeof(*pf));
	pf->flags = IGB_VF_PF_FLAGS;
	pf->nr_uc = IGB_VF_MAX_UC_FILTERS;
	memset(pf->vlans, 0xff, sizeof(pf->vlans));
}

static int put_part(struct vfio_mig_writer *w, __u32 part)
{
	static const struct igb_vf_counters counters;
	static const struct igb_vf_mailbox mbx;
	static const struct igb_vf_regs regs;
	struct igb_pf_state pf;
	int ret;

	vfio_mig_begin_part(w, part);
	fill(&pf);
	ret = part == VFIO_MIG_PART_INITIAL ?
	      igb_vf_put_initial(w, &pf) :
	      igb_vf_put_final(w, &regs, &mbx, &counters);
	return ret ? ret : vfio_mig_put_seal(w);
}

static int put_all(struct vfio_mig_writer *w, void *buf, size_t size)
{
	int ret;

	vfio_mig_writer_init(w, &igb_vf_format, buf, size);
	ret = put_part(w, VFIO_MIG_PART_INITIAL);
	if (!ret)
		ret = put_part(w, VFIO_MIG_PART_FINAL);
	return ret ? ret : vfio_mig_put_end(w);
}

/* Each size that is too small, with memory behind it that nobody may touch */
TEST(writer_keeps_to_its_buffer)
{
	static const __u32 huge[] = {
		1U << 31, -(__u32)sizeof(struct vfio_mig_stream_record), ~0U,
	};
	size_t page = sysconf(_SC_PAGESIZE), size, max = igb_vf_format.max_size;
	struct vfio_mig_writer w;
	unsigned int i;
	__u8 *end, whole[4096];

	ASSERT_LE(max, page);
	ASSERT_LE(max, sizeof(whole));
	end = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)end);
	end += page;
	ASSERT_EQ(0, mprotect(end, page, PROT_NONE));

	ASSERT_EQ(0, put_all(&w, whole, sizeof(whole)));
	EXPECT_EQ(max, w.len)
		TH_LOG("the format promises another length");
	for (size = sizeof(struct vfio_mig_stream_header); size < max; size++) {
		ASSERT_EQ(-ENOSPC, put_all(&w, end - size, size));
		/* What was there before the record that did not fit */
		ASSERT_LE(w.len, size);
		ASSERT_EQ(w.len, w.total);
		ASSERT_EQ(0, memcmp(whole, end - size, w.len));
	}
	ASSERT_EQ(0, put_all(&w, end - max, max));
	EXPECT_EQ(0, memcmp(whole, end - max, max));
	/* Not one byte more, nor so many that they are few again */
	EXPECT_EQ(-ENOSPC, vfio_mig_put_end(&w));
	vfio_mig_writer_init(&w, &igb_vf_format, end - max, max);
	for (i = 0; i < ARRAY_SIZE(huge); i++)
		EXPECT_EQ(-ENOSPC, vfio_mig_put_record(&w, UNKNOWN_RECORD, 0,
						       whole, huge[i]));
	EXPECT_EQ(sizeof(struct vfio_mig_stream_header), w.len);
	EXPECT_EQ(w.len, w.total);
	munmap(end - page, 2 * page);
}

/* A buffer that is used again for each part gives the same stream */
TEST(writer_rewinds)
{
	__u8 whole[8192], buf[4096], again[8192];
	struct vfio_mig_writer w;
	size_t len;
	int i;

	vfio_mig_writer_init(&w, &igb_vf_format, whole, sizeof(whole));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, put_part(&w, VFIO_MIG_PART_INITIAL));
	ASSERT_EQ(0, put_part(&w, VFIO_MIG_PART_FINAL));
	ASSERT_EQ(0, vfio_mig_put_end(&w));
	len = w.len;
	EXPECT_EQ(0, decode(whole, len));

	vfio_mig_writer_init(&w, &igb_vf_format, buf, sizeof(buf));
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, put_part(&w, i < 3 ? VFIO_MIG_PART_INITIAL :
						  VFIO_MIG_PART_FINAL));
		memcpy(again + w.total - w.len, buf, w.len);
		vfio_mig_writer_rewind(&w);
	}
	ASSERT_EQ(0, vfio_mig_put_end(&w));
	memcpy(again + w.total - w.len, buf, w.len);
	ASSERT_EQ(len, w.total);
	EXPECT_EQ(0, memcmp(whole, again, len));
}

/* A length that no stream may have is refused when it is seen, not when it is there */
TEST(reader_knows_the_longest)
{
	struct vfio_mig_stream_record rec = { .type = htole16(UNKNOWN_RECORD) };
	static const struct {
		__u32 len;
		int want;
	} cases[] = {
		{ 1, 0 },
		{ VFIO_MIG_STREAM_MAX, 0 },
		{ VFIO_MIG_STREAM_MAX + 1, -EINVAL },
		{ 1U << 31, -EINVAL },
		{ ~0U - sizeof(rec) + 1, -EINVAL },
		{ ~0U, -EINVAL },
	};
	struct vfio_mig_reader reader;
	struct vfio_mig_writer w;
	unsigned int i;
	__u8 buf[256];

	vfio_mig_writer_init(&w, &igb_vf_format, buf, sizeof(buf));
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		rec.length = htole32(cases[i].len);
		memcpy(buf + w.len, &rec, sizeof(rec));
		vfio_mig_reader_init(&reader, &igb_vf_format);
		EXPECT_EQ(cases[i].want, vfio_mig_read_more(&reader, buf,
							    w.len + sizeof(rec)))
			TH_LOG("a record of %u bytes", cases[i].len);
		EXPECT_EQ(w.len, reader.pos);
	}
}

TEST_HARNESS_MAIN
