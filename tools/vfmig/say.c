// SPDX-License-Identifier: GPL-2.0-only
/* What the user gets to see: results on stdout, as text or JSON, and complaints. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vfmig.h"

void vfmig_err(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fputs("vfmig: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
}

/* A result that does not arrive is no result. */
void close_output(void)
{
	int failed = ferror(stdout);

	if (!fclose(stdout) && !failed)
		return;
	vfmig_err("the output could not be written: %s", strerror(errno));
	_exit(NOT_WRITTEN);
}

int put_json(FILE *file, struct json_object *tree)
{
	return fprintf(file, "%s\n",
		       json_object_to_json_string_ext(tree,
						      JSON_C_TO_STRING_PRETTY |
						      JSON_C_TO_STRING_SPACED |
						      JSON_C_TO_STRING_NOSLASHESCAPE));
}

/* Prints @tree, which it frees, as JSON or by @text. */
int put_result(struct json_object *tree, void (*text)(struct json_object *tree))
{
	if (text)
		text(tree);
	else
		put_json(stdout, tree);
	json_object_put(tree);
	return DONE;
}

int write_all(int fd, const void *data, size_t len)
{
	ssize_t n;

	while (len) {
		n = write(fd, data, len);
		if (n < 0 && errno == EINTR && !stopped_by())
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= n;
	}
	return 0;
}

const char *get_text(struct json_object *tree, const char *key)
{
	struct json_object *member;

	if (!json_object_object_get_ex(tree, key, &member) || !member)
		return NULL;
	return json_object_get_string(member);
}

__u64 get_number(struct json_object *tree, const char *key)
{
	struct json_object *member;

	if (!json_object_object_get_ex(tree, key, &member))
		return 0;
	return json_object_get_uint64(member);
}

/* NULL becomes null */
void put_text(struct json_object *tree, const char *key, const char *text)
{
	json_object_object_add(tree, key,
			       text ? json_object_new_string(text) : NULL);
}

void put_number(struct json_object *tree, const char *key, __u64 number)
{
	json_object_object_add(tree, key, json_object_new_uint64(number));
}

void put_flag(struct json_object *tree, const char *key, bool flag)
{
	json_object_object_add(tree, key, json_object_new_boolean(flag));
}
