// SPDX-License-Identifier: GPL-2.0-only
/* In what two saved states differ */
#include <stdlib.h>
#include <string.h>

#include "decode.h"

static void compare(struct json_object *out, const char *path, struct json_object *a,
		    struct json_object *b);

static void note(struct json_object *out, const char *path, struct json_object *a,
		 struct json_object *b)
{
	struct json_object *tree = json_object_new_object();

	put_text(tree, "what", path);
	json_object_object_add(tree, "a", json_object_get(a));
	json_object_object_add(tree, "b", json_object_get(b));
	json_object_array_add(out, tree);
}

static void compare_member(struct json_object *out, const char *path, const char *name,
			   struct json_object *a, struct json_object *b)
{
	char longer[256];

	snprintf(longer, sizeof(longer), "%s%s%s", path, *path ? " " : "", name);
	compare(out, longer, a, b);
}

static void compare_objects(struct json_object *out, const char *path,
			    struct json_object *a, struct json_object *b)
{
	struct json_object *other;

	json_object_object_foreach(a, name, value) {
		json_object_object_get_ex(b, name, &other);
		compare_member(out, path, name, value, other);
	}
	json_object_object_foreach(b, name_b, value_b) {
		if (!json_object_object_get_ex(a, name_b, NULL))
			compare_member(out, path, name_b, NULL, value_b);
	}
}

/* Fields say more than the register that they are of; but not all bits are in one. */
static bool is_reg(struct json_object *tree)
{
	return json_object_object_get_ex(tree, "fields", NULL);
}

static void compare(struct json_object *out, const char *path, struct json_object *a,
		    struct json_object *b)
{
	if (json_object_is_type(a, json_type_object) &&
	    json_object_is_type(b, json_type_object) && !is_reg(a))
		compare_objects(out, path, a, b);
	else if (!json_object_equal(a, b))
		note(out, path, a, b);
}

static void show_side(char sign, const char *what, struct json_object *value)
{
	printf("%c %s: ", sign, what);
	if (is_reg(value))
		printf("%s", get_text(value, "value"));
	else
		printf("%s", value ? json_object_get_string(value) : "not said");
}

static void show_changed_fields(struct json_object *a, struct json_object *b)
{
	struct json_object *fields_a, *fields_b;

	if (!is_reg(a) || !is_reg(b))
		return;
	json_object_object_get_ex(a, "fields", &fields_a);
	json_object_object_get_ex(b, "fields", &fields_b);
	json_object_object_foreach(fields_a, name, value) {
		if (get_number(fields_b, name) != json_object_get_uint64(value))
			printf("  %s: %s -> %llu", name, json_object_get_string(value),
			       get_number(fields_b, name));
	}
}

static void show(struct json_object *list)
{
	struct json_object *one, *a, *b;
	size_t i;

	for (i = 0; i < json_object_array_length(list); i++) {
		one = json_object_array_get_idx(list, i);
		json_object_object_get_ex(one, "a", &a);
		json_object_object_get_ex(one, "b", &b);
		show_side('-', get_text(one, "what"), a);
		putchar('\n');
		show_side('+', get_text(one, "what"), b);
		show_changed_fields(a, b);
		putchar('\n');
	}
}

/* FAILED where there are any, as of diff(1) */
int show_differences(struct json_object *a, struct json_object *b, const struct options *opt)
{
	struct json_object *list = json_object_new_array();
	struct json_object *contents_a, *contents_b;
	bool differ;

	json_object_object_get_ex(a, "contents", &contents_a);
	json_object_object_get_ex(b, "contents", &contents_b);
	compare(list, "", contents_a, contents_b);
	differ = json_object_array_length(list);
	put_result(list, opt->json ? NULL : show);
	return differ ? FAILED : DONE;
}
