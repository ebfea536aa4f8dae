/* SPDX-License-Identifier: GPL-2.0-only */
/* A set of pages, in memory that is bounded whatever is put into it. */
#ifndef _VFIO_PCI_MIG_DIRTY_SET_H
#define _VFIO_PCI_MIG_DIRTY_SET_H

#include <linux/bitmap.h>
#include <linux/vfio_pci_mig.h>

/* What is counted in, whatever the size of a page of the host's is. */
#define VFIO_MIG_PAGE_SHIFT	12
#define VFIO_MIG_PAGE_SIZE	BIT(VFIO_MIG_PAGE_SHIFT)

/* Pages that one chunk has bits for: 16 MiB of IOVA. */
#define VFIO_MIG_CHUNK_PAGES	4096UL

#define VFIO_MIG_CHUNK_WORDS	BITS_TO_LONGS(VFIO_MIG_CHUNK_PAGES)

/**
 * struct vfio_mig_chunk_bits - pages taken out of a set
 * @first: number of the page of the first bit
 * @used: a bit for each word of @bits that has one; the others have no value
 * @bits: a bit for each page
 */
struct vfio_mig_chunk_bits {
	unsigned long first;
	DECLARE_BITMAP(used, VFIO_MIG_CHUNK_WORDS);
	DECLARE_BITMAP(bits, VFIO_MIG_CHUNK_PAGES);
};

void vfio_mig_set_init(struct vfio_mig_dirty_set *set);
int vfio_mig_set_begin(struct vfio_mig_dirty_set *set,
		       const struct vfio_mig_span *scope, unsigned int nr);
void vfio_mig_set_end(struct vfio_mig_dirty_set *set);
void vfio_mig_set_add(struct vfio_mig_dirty_set *set, struct vfio_mig_span span);
void vfio_mig_set_add_all(struct vfio_mig_dirty_set *set);
bool vfio_mig_set_covers(struct vfio_mig_dirty_set *set, struct vfio_mig_span span);
bool vfio_mig_set_take_whole(struct vfio_mig_dirty_set *set,
			     struct vfio_mig_span within,
			     struct vfio_mig_span *taken);
bool vfio_mig_set_take_chunk(struct vfio_mig_dirty_set *set,
			     struct vfio_mig_span within,
			     struct vfio_mig_chunk_bits *taken);

#endif /* _VFIO_PCI_MIG_DIRTY_SET_H */
