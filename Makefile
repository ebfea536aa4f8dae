# SPDX-License-Identifier: GPL-2.0-only
#
# "make" builds the modules for the running kernel, or for the one whose build
# directory is KDIR. Everything below "check" happens in the lab: see
# tools/lab/lab --help. "make help" lists the targets.

MAKEFLAGS += --no-print-directory

KDIR	?= /lib/modules/$(shell uname -r)/build
TIMEOUT	?= $(if $(filter debug,$(KERNEL)),7200,3600)
# Where it was built is nothing that should be in a module: two builds are the same, byte by byte. What ccflags-y has does not
# reach the file that the kernel's build adds to each module.
kbuild	:= $(MAKE) -C $(KDIR) M=$(CURDIR) KCFLAGS="$(strip $(KCFLAGS) -ffile-prefix-map=$(CURDIR)=.)"
release	= $(shell cat $(KDIR)/include/config/kernel.release)
lab	:= tools/lab/lab
kernel	= $(or $(KERNEL),6.12)
run	= $(lab) run --kernel $(kernel) --timeout $(TIMEOUT)

.PHONY: all clean install check model fuzz test soak demo bench bench-log docs deb conformance-table help

all:
	@[ -d $(KDIR) ] || { echo "$(KDIR) is missing: install the kernel's headers, or set KDIR."; exit 1; }
	$(kbuild) modules

clean:
	@if [ -d $(KDIR) ]; then $(kbuild) clean; fi
	$(MAKE) -C selftests clean
	$(MAKE) -C tools/vfmig clean
	rm -rf build

# Distributions sign their modules, but keep the key.
install: all
	$(kbuild) INSTALL_MOD_DIR=updates \
		$(if $(wildcard $(KDIR)/certs/signing_key.pem),,CONFIG_MODULE_SIG_ALL=) modules_install
	depmod -a $(if $(INSTALL_MOD_PATH),-b $(INSTALL_MOD_PATH)) $(release)
	@if $(MAKE) -C tools/vfmig have-libs; then \
		$(MAKE) -C tools/vfmig install DESTDIR=$(or $(DESTDIR),$(INSTALL_MOD_PATH)); \
	else \
		echo 'The tool, vfmig, is left out: it needs libjson-c-dev, libpci-dev and zlib1g-dev.'; \
	fi

check:
	$(lab) check

model:
	$(lab) exec -- tools/model/run.sh

fuzz: SECONDS = 60
fuzz:
	$(lab) exec -- selftests/fuzz/run.sh fuzz $(SECONDS)

test:
ifdef DEVICE
	$(run) -- ./selftests/run_tests.sh --device $(DEVICE) $(T)
else
	$(if $(filter deb,$(T)),$(lab) deb --try)
	$(if $(filter-out deb,$(or $(T),all)),$(lab) test $(KERNEL:%=--kernel %) --timeout $(TIMEOUT) $(filter-out deb,$(T)))
endif

soak: SECONDS = 600
soak:
	$(lab) run --kernel $(kernel) --timeout $$(($(SECONDS) + 600)) --vfs 4 -- \
		./selftests/soak/soak --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

hammer: SECONDS = 600
hammer:
	$(lab) run --kernel $(kernel) --timeout $$((2 * $(SECONDS) + 600)) -- \
		./selftests/hammer/hammer --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

demo:
	$(run) --hosts $(or $(HOSTS),1) --share build/demo -- \
		python3 selftests/e2e/$(if $(filter-out 1,$(HOSTS)),hosts,migrate).py --source group --report /share

bench:
	$(run) --vfs 3 -- sh -c './selftests/bench/bench $$(./selftests/conformance/mtty.sh)'

# On a kernel that offers the log. packets.py gives the guest a processor, and keeps one; nothing else needs two at a time.
bench-log: log-run = $(lab) run --kernel $(or $(KERNEL),iommufd) --timeout $(TIMEOUT) --share build/bench-log
bench-log:
	$(log-run) -- ./selftests/bench/log/report /share/report.dat
	$(log-run) --vfs 5 --cpus 2 --threads multi -- ./selftests/bench/log/packets.py
	$(log-run) -- sh -c './selftests/bench/log/downtime.py --data /share/downtime.dat && cd /share && \
		gnuplot /vfmig/selftests/bench/log/plots.gp'

docs:
	$(lab) exec -- tools/lab/mkdocs build/docs

deb:
	$(lab) deb $(if $(TRY),--try)

# What runs on either device, and the table of it in the documentation
conformance-table:
	$(run) --share build/conformance -- sh -c 'cd selftests; \
		./conformance/conformance --list >/share/list; \
		./run_tests.sh conformance >/share/igb_vfio_pci; \
		./run_tests.sh --device mtty conformance >/share/mtty; true'
	$(lab) exec -- python3 selftests/conformance/table.py Documentation/conformance.rst \
		build/conformance/list build/conformance/igb_vfio_pci build/conformance/mtty

help:
	@echo 'make           builds the modules against KDIR (default: the running kernel)'
	@echo 'make install   installs them for modprobe, and vfmig, the tool, if its libraries are there; under'
	@echo '               INSTALL_MOD_PATH if set, and the tool under DESTDIR if that is, and prefix (/usr)'
	@echo 'make clean     removes all that was built'
	@echo
	@echo 'In the lab, a virtual machine with an SR-IOV network card; root or user namespaces needed:'
	@echo 'make check     builds without warnings, sparse, checkpatch, shellcheck'
	@echo 'make model     searches the model of the state lock and resets for races and deadlocks'
	@echo 'make fuzz      looks for streams and mailbox traffic that break the driver, SECONDS=60'
	@echo 'make test      runs the selftests, several at once, on Linux 6.12, and those that depend most on the kernel on the'
	@echo '               newest one too; T="NAME ..." runs some, on both. KERNEL="6.12 backports" runs all on both;'
	@echo '               KERNEL=debug on one with KASAN, lockdep and kmemleak, built at first use; KERNEL=iommufd on one'
	@echo '               with iommufd and without these'
	@echo 'make test T=conformance DEVICE=mtty'
	@echo '               runs the conformance suite on the sample driver of the kernel'
	@echo 'make conformance-table'
	@echo '               runs it on both, and writes the table of Documentation/conformance.rst'
	@echo 'make soak SECONDS=600'
	@echo '               two tenants use and abuse four functions, while errors, resets and unbinding happen to'
	@echo '               them, for so many seconds; SEED=N has them try again what they tried'
	@echo 'make hammer SECONDS=600'
	@echo '               makes random calls on a function, from several threads, for so many seconds; SEED=N has them'
	@echo '               made again'
	@echo 'make demo      migrates a guest with a virtual function; the report is in build/demo. HOSTS=2 migrates it from one'
	@echo '               machine to another, each with a card of its own'
	@echo 'make docs      makes the pages of Documentation, in build/docs'
	@echo 'make deb       builds Debian packages, igb-vfio-pci-dkms and vfmig, in build/deb; TRY=1 (or'
	@echo '               make test T=deb) installs and removes them in a copy of the root, and tries them in a machine'
	@echo '               with each kernel'
	@echo 'make bench     measures what a migration costs above its register accesses, each arc, and a DMA fault'
	@echo 'make bench-log measures the DMA log: what a report costs, packets per second, and how long a guest stands still;'
	@echo '               the plots are in build/bench-log'
