// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a migration costs above what it cannot do without, and what a DMA fault costs.
 *
 * VF 0 is saved and VF 1 loaded, both through igb_vfio_pci. The floor is what
 * the device and the PF take by themselves: the register accesses that the
 * driver made, recorded once from its tracepoints, are played by a userspace
 * program on VF 2, which is bound to plain vfio-pci with all of its registers
 * mapped; where the driver waited for the PF to answer a message, so does it.
 * Both sides take turns in one run, and medians are compared.
 *
 * An argument names another migratable device (a PCI address, or the UUID of an
 * mdev), whose arcs are measured as well.
 */
#include <stdio.h>
#include <stdlib.h>

#include "migration.h"
#include "phase.h"

#define SOURCE		0
#define PEER		1
#define PLAIN		2
#define DRIVER		"igb_vfio_pci"

/* A guest as igbvf leaves it: an address, multicast, a larger frame, one queue pair. */
static void set_up_guest(struct igbvf *vf, struct vfio_dev *dev)
{
	static const __u8 mac[6] = { 0x02, 0, 0, 0, 0, 0x10 };
	static const __u8 group[6] = { 0x01, 0, 0x5e, 0, 0, 1 };

	check(igbvf_open(vf, dev), "opening the source");
	check(igbvf_hello(vf), "VF_RESET handshake");
	check(igbvf_set_mac(vf, mac), "SET_MAC_ADDR");
	check(igbvf_set_multicast(vf, group), "SET_MULTICAST");
	check(igbvf_set_lpe(vf, 1522), "SET_LPE");
	check(igbvf_rx_start(vf, 0), "starting reception");
	check(igbvf_tx_start(vf, 0), "starting transmission");
	igbvf_write(vf, VTEIAC, 7);
	igbvf_write(vf, VTEIMS, 7);
}

/* Another device that can be migrated, for comparison */
static void bench_other(const char *name, struct igbvf *plain)
{
	struct vfio_iommu iommu;
	struct vfio_dev dev;

	check(vfio_iommu_open(&iommu), "opening another container");
	check(vfio_open(&dev, &iommu, name), "opening the other device");
	bench_arcs("arc of the other device", &dev, plain);
	vfio_close(&dev);
	vfio_iommu_close(&iommu);
}

int main(int argc, char **argv)
{
	static struct lab lab;
	struct igbvf guest, plain;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (lab_vf_count() <= PLAIN || !lab_netdev()) {
		fprintf(stderr, "bench: needs three VFs and their PF, see VFMIG_VFS\n");
		return 1;
	}
	check(lab_bind(PLAIN, "vfio-pci"), "binding a VF to vfio-pci");
	check(lab_open(&lab, PLAIN + 1), "opening the VFs");
	set_up_guest(&guest, &lab.vf[SOURCE]);
	check(igbvf_open(&plain, &lab.vf[PLAIN]), "mapping the plain VF");

	bench_migration(&lab.vf[SOURCE], &lab.vf[PEER], &plain);
	bench_arcs("arc", &lab.vf[SOURCE], &plain);
	if (argc > 1)
		bench_other(argv[1], &plain);
	bench_ring(&lab.vf[SOURCE], lab.vf[PLAIN].bdf);
	printf("\nmedians of %u rounds\n", PHASE_ROUNDS);

	igbvf_close(&plain);
	igbvf_close(&guest);
	lab_close(&lab);
	check(lab_bind(PLAIN, DRIVER), "binding the VF back");
	bench_interrupt();
	return 0;
}
