// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow.h"
#include "stray.h"

#define SENT_MS	3000

int stray_point_at(struct igbvf *vf, __u64 iova)
{
	int ret;

	ret = igbvf_tx_start(vf, 0);
	if (ret)
		return ret;
	igbvf_write(vf, TXDCTL(0), igbvf_read(vf, TXDCTL(0)) & ~XDCTL_ENABLE);
	igbvf_write(vf, TDBAL(0), (__u32)iova);
	igbvf_write(vf, TDBAH(0), (__u32)(iova >> 32));
	igbvf_write(vf, TDH(0), 0);
	igbvf_write(vf, TDT(0), 0);
	igbvf_write(vf, TXDCTL(0), igbvf_read(vf, TXDCTL(0)) | XDCTL_ENABLE);
	vf->tx[0].next = 0;
	return 0;
}

int stray_start(struct igbvf *vf, struct vfio_dev *dev, const __u8 *mac, __u64 iova)
{
	int ret;

	ret = igbvf_open(vf, dev);
	if (!ret)
		ret = flow_start(vf, mac);
	if (!ret)
		ret = stray_point_at(vf, iova);
	return ret;
}

void stray_kick(struct igbvf *vf, unsigned int count)
{
	vf->tx[0].next = (vf->tx[0].next + count) % IGBVF_RING;
	igbvf_tx_kick(vf, 0);
}

/*
 * What QEMU got in place of a descriptor may be no end of a packet. It then takes the
 * next one that it gets, in whatever life of the device, for the rest of that packet.
 */
static void end_packet(struct igbvf *vf)
{
	static const __u8 frame[64];

	if (!vf->tx[0].dma.size || igbvf_tx_start(vf, 0))
		return;
	igbvf_tx_post(vf, 0, frame, sizeof(frame));
	igbvf_tx_kick(vf, 0);
	igbvf_tx_wait(vf, 0, SENT_MS);
}

void stray_stop(struct igbvf *vf)
{
	end_packet(vf);
	igbvf_close(vf);
}

int stray_irq(void)
{
	FILE *file = fopen("/proc/interrupts", "r");
	int irq = -ENOENT;
	char line[512];

	if (!file)
		return -errno;
	while (irq < 0 && fgets(line, sizeof(line), file))
		if (strstr(line, "dmar0"))
			irq = atoi(line);
	fclose(file);
	return irq;
}

int stray_pin_to_handler(void)
{
	char path[64];
	cpu_set_t set;
	FILE *file;
	int cpu;

	snprintf(path, sizeof(path), "/proc/irq/%d/effective_affinity_list", stray_irq());
	file = fopen(path, "r");
	if (!file)
		return -errno;
	if (fscanf(file, "%d", &cpu) != 1)
		cpu = -1;
	fclose(file);
	if (cpu < 0)
		return -ENOENT;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}
