// SPDX-License-Identifier: GPL-2.0-only
/* One turn of a thread: something, the more often the more there is to it */
#include "hammer.h"

static const struct {
	void (*run)(struct hand *h);
	unsigned int weight;
} turns[] = {
	{ do_dev_open, 3 },
	{ do_dev_bind, 2 },
	{ do_dev_attach, 2 },
	{ do_dev_dup, 4 },
	{ do_dev_close, 6 },
	{ do_dev_pass, 1 },
	{ do_get_info, 8 },
	{ do_region_info, 10 },
	{ do_irq_info, 8 },
	{ do_set_irqs, 24 },
	{ do_reset, 1 },
	{ do_flr, 1 },
	{ do_hot_reset_info, 6 },
	{ do_hot_reset, 8 },
	{ do_ioeventfd, 4 },
	{ do_feature, 24 },
	{ do_low_power, 8 },
	{ do_any_ioctl, 12 },
	{ do_set_state, 48 },
	{ do_get_state, 12 },
	{ do_data_size, 6 },
	{ do_save, 8 },
	{ do_load, 8 },
	{ do_fd_read, 24 },
	{ do_fd_write, 24 },
	{ do_fd_info, 20 },
	{ do_fd_poll, 8 },
	{ do_fd_dup, 4 },
	{ do_fd_close, 4 },
	{ do_fd_other, 8 },
	{ do_region_read, 32 },
	{ do_region_write, 32 },
	{ do_config_read, 16 },
	{ do_config_write, 24 },
	{ do_mmap, 20 },
	{ do_touch, 48 },
	{ do_munmap, 8 },
	{ do_mremap, 16 },
	{ do_madvise, 8 },
	{ do_mprotect, 8 },
	{ do_fork, 1 },
	{ do_dma_map, 12 },
	{ do_dma_unmap, 12 },
};

#define NR_TURNS	(sizeof(turns) / sizeof(*turns))

static unsigned int all_weights(void)
{
	unsigned int sum = 0, i;

	for (i = 0; i < NR_TURNS; i++)
		sum += turns[i].weight;
	return sum;
}

void hammer_turn(struct hand *h)
{
	unsigned int at = roll(&h->dice, all_weights()), i;

	for (i = 0; at >= turns[i].weight; i++)
		at -= turns[i].weight;
	turns[i].run(h);
	__atomic_add_fetch(&hammer->turns, 1, __ATOMIC_RELAXED);
}
