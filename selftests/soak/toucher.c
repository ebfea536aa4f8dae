// SPDX-License-Identifier: GPL-2.0-only
/* A guest that uses its device all the while: registers, config space, interrupts, resets */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/ext.h"
#include "soak.h"

/* The page that can be mapped with a DMA log and without */
#define MAP_OFFSET	0x1000
#define MAP_SIZE	IGBVF_PAGE_SIZE
#define MSIX_BAR	VFIO_PCI_BAR3_REGION_INDEX

/* Registers that a guest may write as it likes; the first ones are on that page */
#define MAPPED		7

static const __u32 harmless[] = {
	VTEIMS, VTEIMC, VTEIAC, VTEIAM, VTEITR(0), VTEITR(1), VTEITR(2),
	SRRCTL(0), SRRCTL(1), RXCTL(0), TXCTL(1), RDLEN(0), TDLEN(1),
};

static __u32 any_reg(struct toucher *t)
{
	return harmless[roll(&t->dice, sizeof(harmless) / sizeof(*harmless))];
}

static void touch_map(struct toucher *t)
{
	enum soak_action action = roll(&t->dice, 4) ? SOAK_MAP_READ :
						      SOAK_MAP_WRITE;
	__u32 val = rand_r(&t->dice);
	__u32 *reg;

	if (!t->map)
		return;
	reg = &t->map[(harmless[roll(&t->dice, MAPPED)] - MAP_OFFSET) /
		      sizeof(*t->map)];
	soak_begin(action);
	session_end(t->session, action,
		    action == SOAK_MAP_WRITE ? mmio_try_write(reg, val) :
					       mmio_try_read(reg, &val));
}

static void map_or_unmap(struct toucher *t)
{
	void *map = NULL;
	int ret;

	soak_begin(SOAK_MAP);
	if (t->map) {
		ret = munmap(t->map, MAP_SIZE) ? -errno : 0;
		t->map = NULL;
	} else {
		ret = vfio_region_mmap(t->dev, VFIO_PCI_BAR0_REGION_INDEX,
				       MAP_OFFSET, MAP_SIZE, &map);
		t->map = map;
	}
	session_end(t->session, SOAK_MAP, ret);
}

static void read_region(struct toucher *t, enum soak_action action,
			__u32 index, unsigned int size)
{
	unsigned int at = 4 * roll(&t->dice, size / 4);
	char buf[256];
	size_t len = 1 + roll(&t->dice, sizeof(buf));

	if (len > size - at)
		len = size - at;
	soak_begin(action);
	session_end(t->session, action,
		    vfio_region_read(t->dev, index, at, buf, len));
}

static void write_bar(struct toucher *t)
{
	__u32 val = rand_r(&t->dice), reg = any_reg(t);

	if (!roll(&t->dice, 20)) {
		reg = VTCTRL;
		val = VTCTRL_RST;
	}
	soak_begin(SOAK_BAR_WRITE);
	session_end(t->session, SOAK_BAR_WRITE,
		    vfio_region_write(t->dev, VFIO_PCI_BAR0_REGION_INDEX, reg,
				      &val, sizeof(val)));
}

/* Decoding on and off, as firmware and VMMs do it */
static void write_config(struct toucher *t)
{
	__u16 cmd = roll(&t->dice, 3) ? PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER :
					0;

	soak_begin(SOAK_CONFIG_WRITE);
	session_end(t->session, SOAK_CONFIG_WRITE,
		    vfio_region_write(t->dev, VFIO_PCI_CONFIG_REGION_INDEX,
				      PCI_COMMAND, &cmd, sizeof(cmd)));
}

static void read_ext(struct toucher *t)
{
	struct vfio_mig_ext ext;

	soak_begin(SOAK_EXT_READ);
	session_end(t->session, SOAK_EXT_READ, ext_read(t->dev, &ext));
}

static void set_irqs(struct toucher *t)
{
	const __u32 indexes[] = {
		VFIO_PCI_MSIX_IRQ_INDEX, VFIO_PCI_ERR_IRQ_INDEX,
		t->session->irq_nonfatal,
	};
	__u32 index = indexes[roll(&t->dice, 3)];
	int fd, ret;

	soak_begin(SOAK_IRQS);
	if (roll(&t->dice, 2)) {
		ret = vfio_irq_disable(t->dev, index);
	} else {
		fd = eventfd(0, EFD_NONBLOCK);
		ret = vfio_irq_set_eventfds(t->dev, index, 1, &fd);
		close(fd);
	}
	session_end(t->session, SOAK_IRQS, ret);
}

static void one_turn(struct toucher *t)
{
	switch (roll(&t->dice, 16)) {
	case 0:
		map_or_unmap(t);
		break;
	case 1:
	case 2:
		read_region(t, SOAK_BAR_READ, VFIO_PCI_BAR0_REGION_INDEX,
			    IGBVF_BAR0_SIZE);
		break;
	case 3:
		write_bar(t);
		break;
	case 4:
		read_region(t, SOAK_MSIX_READ, MSIX_BAR, 0x30);
		break;
	case 5:
		read_region(t, SOAK_CONFIG_READ, VFIO_PCI_CONFIG_REGION_INDEX,
			    256);
		break;
	case 6:
		write_config(t);
		break;
	case 7:
		read_ext(t);
		break;
	case 8:
		set_irqs(t);
		break;
	default:
		touch_map(t);
	}
}

void *soak_toucher(void *arg)
{
	struct toucher *t = arg;

	soak_enter(t->task);
	while (!session_stopped(t->session)) {
		one_turn(t);
		usleep(roll(&t->dice, 300));
	}
	if (t->map)
		map_or_unmap(t);
	return NULL;
}

/* The guest reboots, and reboots */
void *soak_resetter(void *arg)
{
	struct session *s = arg;
	enum soak_action action;
	struct vfio_dev *dev;

	soak_enter(s->task + SOAK_RESETTER_TASK);
	while (!session_stopped(s)) {
		usleep(roll(&s->reset_dice, 100000));
		dev = &s->dev[roll(&s->reset_dice, s->nr)];
		action = roll(&s->reset_dice, 2) ? SOAK_RESET : SOAK_FLR;
		soak_begin(action);
		session_end(s, action, action == SOAK_RESET ? vfio_reset(dev) :
							      vfio_flr(dev));
	}
	return NULL;
}
