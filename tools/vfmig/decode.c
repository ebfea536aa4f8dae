// SPDX-License-Identifier: GPL-2.0-only
/*
 * A saved state in words. The driver's own decoder is given one byte more at a time: where
 * it has gone on by then, there was a record.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "decode.h"

static struct json_object *header_tree(const struct buffer *buf)
{
	struct json_object *tree = json_object_new_object();
	struct vfio_mig_stream_header h;
	char text[16];

	memcpy(&h, buf->data, sizeof(h));
	snprintf(text, sizeof(text), "%u.%u", le16toh(h.major), le16toh(h.minor));
	put_text(tree, "version", text);
	snprintf(text, sizeof(text), "%04x:%04x", le16toh(h.vendor), le16toh(h.device));
	put_text(tree, "device", text);
	return tree;
}

static void add_record(struct json_object *records, const struct buffer *buf, size_t pos)
{
	struct json_object *tree = json_object_new_object();
	struct vfio_mig_stream_record rec;
	const char *name;
	char text[16];

	memcpy(&rec, buf->data + pos, sizeof(rec));
	name = record_name(le16toh(rec.type));
	snprintf(text, sizeof(text), "0x%04x", le16toh(rec.type));
	put_number(tree, "offset", pos);
	put_text(tree, "type", name ? name : text);
	put_number(tree, "bytes", le32toh(rec.length));
	put_flag(tree, "critical", le16toh(rec.flags) & VFIO_MIG_RECORD_CRITICAL);
	put_flag(tree, "known", name);
	json_object_array_add(records, tree);
}

static struct json_object *walk(struct vfio_mig_reader *r, const struct buffer *buf)
{
	struct json_object *records = json_object_new_array();
	size_t have, pos;
	bool header;

	vfio_mig_reader_init(r, &igb_vf_format);
	for (have = 1; have <= buf->len && !r->error; have++) {
		pos = r->pos;
		header = r->header_done;
		vfio_mig_read_more(r, buf->data, have);
		if (header && r->pos != pos)
			add_record(records, buf, pos);
	}
	return records;
}

/* What the driver finds wrong with a stream that the decoder is content with */
static bool fits(const struct vfio_mig_reader *r, const struct buffer *buf, char *why,
		 size_t size)
{
	struct igb_pf_state pf;

	switch (has_initial(r) ? igb_vf_get_initial(r, buf->data, &pf) : 0) {
	case 0:
		return true;
	case -EXDEV:
		snprintf(why, size, "it is of a VF with another BAR, queues or vectors");
		return false;
	default:
		snprintf(why, size, "record PF or UC says what no message can have said");
		return false;
	}
}

static bool judge(const struct vfio_mig_reader *r, const struct buffer *buf, char *why,
		  size_t size)
{
	if (!fits(r, buf, why, size))
		return false;
	if (!r->error && r->ended)
		return true;
	diagnose(r, buf, why, size);
	return false;
}

/* Whether it would be refused, without a look at what is in it */
bool stream_check(const struct buffer *buf, char *why, size_t size)
{
	struct vfio_mig_reader r;

	vfio_mig_reader_init(&r, &igb_vf_format);
	if (buf->len)
		vfio_mig_read_more(&r, buf->data, buf->len);
	return judge(&r, buf, why, size);
}

static struct json_object *decode_stream(const struct buffer *buf, bool *good)
{
	struct json_object *tree = json_object_new_object(), *records;
	struct vfio_mig_reader r;
	char why[256];

	records = walk(&r, buf);
	*good = judge(&r, buf, why, sizeof(why));
	put_number(tree, "bytes", buf->len);
	put_flag(tree, "valid", *good);
	put_text(tree, "why", *good ? NULL : why);
	json_object_object_add(tree, "header", r.header_done ? header_tree(buf) : NULL);
	json_object_object_add(tree, "records", records);
	json_object_object_add(tree, "contents", contents_of(&r, buf));
	return tree;
}

static void show_records(struct json_object *tree)
{
	struct json_object *records, *record;
	size_t i;

	json_object_object_get_ex(tree, "records", &records);
	for (i = 0; i < json_object_array_length(records); i++) {
		record = json_object_array_get_idx(records, i);
		printf("%6llu  %-8s %5llu bytes%s\n", get_number(record, "offset"),
		       get_text(record, "type"), get_number(record, "bytes"),
		       get_number(record, "known") ? "" : ", not known here");
	}
}

/* A register: its value, and its fields unless all are 0 */
static void show_reg(struct json_object *reg)
{
	const char *blanks = "  ";
	struct json_object *fields;

	fputs(get_text(reg, "value"), stdout);
	json_object_object_get_ex(reg, "fields", &fields);
	json_object_object_foreach(fields, name, value) {
		if (!json_object_get_uint64(value))
			continue;
		printf("%s%s=%s", blanks, name, json_object_get_string(value));
		blanks = " ";
	}
}

static void show_value(struct json_object *value)
{
	size_t i;

	switch (json_object_get_type(value)) {
	case json_type_object:
		show_reg(value);
		break;
	case json_type_array:
		for (i = 0; i < json_object_array_length(value); i++)
			printf("%s%s", i ? " " : "",
			       json_object_get_string(json_object_array_get_idx(value, i)));
		if (!i)
			putchar('-');
		break;
	case json_type_boolean:
		fputs(json_object_get_boolean(value) ? "yes" : "no", stdout);
		break;
	default:
		fputs(value ? json_object_get_string(value) : "not said", stdout);
	}
}

static void show_contents(struct json_object *tree)
{
	struct json_object *contents;

	json_object_object_get_ex(tree, "contents", &contents);
	json_object_object_foreach(contents, section, members) {
		printf("\n%s\n", section);
		if (!json_object_is_type(members, json_type_object)) {
			fputs("  ", stdout);
			show_value(members);
			putchar('\n');
			continue;
		}
		json_object_object_foreach(members, name, value) {
			printf("  %-20s ", name);
			show_value(value);
			putchar('\n');
		}
	}
}

static void show_stream(struct json_object *tree)
{
	struct json_object *header;

	json_object_object_get_ex(tree, "header", &header);
	if (header)
		printf("Version %s, of a device %s, ", get_text(header, "version"),
		       get_text(header, "device"));
	printf("%llu bytes, %s\n\n", get_number(tree, "bytes"),
	       get_text(tree, "why") ? "not valid" : "whole and valid");
	show_records(tree);
	show_contents(tree);
}

static int read_file(const char *name, struct buffer *buf)
{
	bool is_stdin = !strcmp(name, "-");
	int fd = is_stdin ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
	int ret = fd < 0 ? -errno : buffer_read(buf, fd, VFIO_MIG_STREAM_MAX);

	if (fd >= 0 && !is_stdin)
		close(fd);
	if (ret == -EFBIG) {
		vfmig_err("%s is longer than the %d bytes that a state can have", name,
			  VFIO_MIG_STREAM_MAX);
		return BAD_STREAM;
	}
	if (ret)
		vfmig_err("%s cannot be read: %s", name, strerror(-ret));
	return ret ? FAILED : DONE;
}

static int decode_file(const char *name, struct json_object **tree)
{
	struct buffer buf = {};
	bool good = false;
	int ret = read_file(name, &buf);

	*tree = NULL;
	if (!ret)
		*tree = decode_stream(&buf, &good);
	buffer_free(&buf);
	if (ret)
		return ret;
	if (!good)
		vfmig_err("%s: %s", name, get_text(*tree, "why"));
	return good ? DONE : BAD_STREAM;
}

static int decode_one(const struct options *opt)
{
	struct json_object *tree;
	int ret = decode_file(opt->arg[0], &tree);

	if (tree)
		put_result(tree, opt->json ? NULL : show_stream);
	return ret;
}

static int decode_two(const struct options *opt)
{
	struct json_object *a, *b = NULL;
	int ret;

	ret = decode_file(opt->arg[0], &a);
	if (!ret)
		ret = decode_file(opt->arg[1], &b);
	if (!ret)
		ret = show_differences(a, b, opt);
	json_object_put(a);
	json_object_put(b);
	return ret;
}

int cmd_decode(const struct options *opt)
{
	if (opt->nr_args == (opt->diff ? 2 : 1))
		return opt->diff ? decode_two(opt) : decode_one(opt);
	vfmig_err("decode takes one file, and decode --diff two");
	return USAGE;
}
