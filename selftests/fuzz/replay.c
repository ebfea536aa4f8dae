// SPDX-License-Identifier: GPL-2.0-only
/* Gives the files that are named to the function that is fuzzed, one by one */
#include <stdio.h>

#include "fuzz.h"

#define ROOM	65536

/* libFuzzer's part, which nobody calls here */
size_t fuzz_mutate(__u8 *data, size_t size, size_t max_size)
{
	(void)data;
	(void)max_size;
	return size;
}

int main(int argc, char **argv)
{
	static __u8 data[ROOM];
	FILE *file;
	size_t len;
	int i;

	for (i = 1; i < argc; i++) {
		file = fopen(argv[i], "rb");
		if (!file) {
			perror(argv[i]);
			return 1;
		}
		len = fread(data, 1, sizeof(data), file);
		fclose(file);
		fprintf(stderr, "%s: %zu bytes\n", argv[i], len);
		fuzz_one(data, len);
	}
	return 0;
}
