// SPDX-License-Identifier: GPL-2.0-only
#include "regfile.h"

static const __u32 single_regs[] = {
	PSRTYPE, VTEIMS, VTEIAC, VTEIAM, VTEITR(0), VTEITR(1), VTEITR(2),
	VTIVAR, VTIVAR_MISC,
};

static const __u32 queue_regs[] = {
	RDBAL(0), RDBAH(0), RDLEN(0), SRRCTL(0), RDH(0), RXCTL(0), RDT(0),
	RXDCTL(0), TDBAL(0), TDBAH(0), TDLEN(0), TDH(0), TXCTL(0), TDT(0),
	TXDCTL(0), TDWBAL(0), TDWBAH(0),
};

#define COUNT(array)	(sizeof(array) / sizeof(*(array)))

static void take(struct igbvf *vf, struct regfile *file, __u32 reg)
{
	file->reg[file->nr] = reg;
	file->val[file->nr++] = igbvf_read(vf, reg);
}

/* Reads nothing that changes by being read */
void regfile_read(struct igbvf *vf, struct regfile *file)
{
	unsigned int i, q;

	file->nr = 0;
	for (i = 0; i < COUNT(single_regs); i++)
		take(vf, file, single_regs[i]);
	for (q = 0; q < IGBVF_QUEUES; q++)
		for (i = 0; i < COUNT(queue_regs); i++)
			take(vf, file, queue_regs[i] + 0x100 * q);
}

/* The index of the first register that differs, or -1 */
int regfile_diff(const struct regfile *a, const struct regfile *b)
{
	unsigned int i;

	for (i = 0; i < a->nr; i++)
		if (a->val[i] != b->val[i])
			return i;
	return -1;
}

/*
 * The index of the first register that did not come along in a migration, or -1.
 * The emulated device does not tell which interrupts are on: more of them may be.
 */
int regfile_lost(const struct regfile *before, struct regfile *after)
{
	unsigned int i;

	for (i = 0; i < after->nr; i++)
		if (after->reg[i] == VTEIMS)
			after->val[i] &= before->val[i];
	return regfile_diff(before, after);
}

/*
 * Values that differ from register to register, and from salt to salt, in
 * what a device with its queues off lets software write.
 */
void regfile_scribble(struct igbvf *vf, __u32 salt)
{
	unsigned int q;

	igbvf_queues_off(vf);
	for (q = 0; q < IGBVF_QUEUES; q++, salt += 3) {
		igbvf_write(vf, RDBAL(q), 0x10000 * (salt + 1));
		igbvf_write(vf, RDBAH(q), salt + 2);
		igbvf_write(vf, RDLEN(q), 0x200 + 0x80 * salt);
		igbvf_write(vf, SRRCTL(q), SRRCTL_ADV_ONEBUF | (2 + salt % 2));
		igbvf_write(vf, RDH(q), salt + 5);
		igbvf_write(vf, RDT(q), salt + 9);
		igbvf_write(vf, TDBAL(q), 0x20000 * (salt + 1));
		igbvf_write(vf, TDBAH(q), salt + 3);
		igbvf_write(vf, TDLEN(q), 0x400 + 0x80 * salt);
		igbvf_write(vf, TDH(q), salt + 7);
		igbvf_write(vf, TDT(q), salt + 7);
		igbvf_write(vf, TDWBAL(q), 0x40 * (salt + 1));
		igbvf_write(vf, TDWBAH(q), salt + 4);
	}
	for (q = 0; q < IGBVF_VECTORS; q++)
		igbvf_write(vf, VTEITR(q), 4 * (10 * salt + q));
	/* No vector is valid: no cause may reach one that nobody expects */
	igbvf_write(vf, VTIVAR, 0x01020304 + salt);
	igbvf_write(vf, VTIVAR_MISC, 1 + salt % 3);
	igbvf_write(vf, VTEIAC, 1 + salt % 7);
	igbvf_write(vf, VTEIAM, 1 + (salt + 3) % 7);
}
