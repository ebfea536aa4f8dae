// SPDX-License-Identifier: GPL-2.0-only
/*
 * What <linux/vfio.h> asks of a device that can be migrated, in the order in
 * which it does, each with the comment that says so.
 */
#include "conformance.h"

#define FEATURE		"VFIO_DEVICE_FEATURE"
#define MIGRATION	"VFIO_DEVICE_FEATURE_MIGRATION"
#define DEVICE_STATE	"VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE"
#define STATES		"enum vfio_device_mig_state"
#define PRECOPY_INFO	"VFIO_MIG_GET_PRECOPY_INFO"
#define LOG_START	"VFIO_DEVICE_FEATURE_DMA_LOGGING_START"
#define LOG_REPORT	"VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT"

const struct requirement requirements[NR_REQS] = {
	[R_PROBE] = {
		"feature.probe", FEATURE,
		"a probe succeeds where the device has the feature and all methods named, and needs no data"
	},
	[R_METHODS] = {
		"feature.methods", FEATURE,
		"a feature has the methods that its comment names, and no others"
	},
	[R_EXCLUSIVE] = {
		"feature.exclusive", FEATURE,
		"but for a probe, a call either gets or sets"
	},
	[R_FLAG_BITS] = {
		"feature.flags", FEATURE,
		"flags that have no meaning are refused"
	},
	[R_ARGSZ] = {
		"feature.argsz", FEATURE,
		"a call whose argsz leaves no room for the data is refused, and changes nothing"
	},
	[R_FLAGS] = {
		"flags.stop-copy", MIGRATION,
		"whatever else is claimed, VFIO_MIGRATION_STOP_COPY is"
	},
	[R_FLAG_STATES] = {
		"flags.states", MIGRATION,
		"the states that go with the flags can be entered"
	},
	[R_SET_COMPLETE] = {
		"set.complete", DEVICE_STATE,
		"SET returns when the device is in the new state"
	},
	[R_SET_ALONE] = {
		"set.alone", DEVICE_STATE,
		"but for a reset, the user alone changes the state"
	},
	[R_SET_FAILED] = {
		"set.failed", DEVICE_STATE,
		"a SET that fails leaves a state of its path, or ERROR"
	},
	[R_SET_FD] = {
		"set.fd", DEVICE_STATE,
		"a SET that begins a session returns its data_fd"
	},
	[R_SET_NO_FD] = {
		"set.no-fd", DEVICE_STATE,
		"a SET that begins no session returns none"
	},
	[R_OWN_FD] = {
		"set.own-fd", DEVICE_STATE,
		"the user closes the data_fd when it wants to, after the device if it likes"
	},
	[R_STREAM] = {
		"set.stream", DEVICE_STATE,
		"the data are a stream whose order of bytes counts: there are no positions in it"
	},
	[R_SEGMENTS] = {
		"set.segments", DEVICE_STATE,
		"it does not matter into which pieces the stream is cut by read() and write()"
	},
	[R_GET_FD] = {
		"get.fd", DEVICE_STATE,
		"GET returns a data_fd of -1"
	},
	[R_STOP_QUIET] = {
		"stop.quiet", STATES ", RUNNING_P2P -> STOP",
		"in STOP there are no interrupts and no DMA, and the device does not change",
		"takes a driver of the device that gives it work"
	},
	[R_STOP_PCI] = {
		"stop.config", STATES ", RUNNING_P2P -> STOP",
		"in STOP the device answers to PCI config space"
	},
	[R_STOP_IRQ] = {
		"stop.irqs", STATES ", RUNNING_P2P -> STOP",
		"in STOP interrupts can be set up"
	},
	[R_STOP_ACCESS] = {
		"stop.access", STATES ", RUNNING_P2P -> STOP",
		"access to a stopped device harms nobody but who does it"
	},
	[R_STOP_COPY_STOP] = {
		"stop-copy.leave", STATES ", STOP_COPY -> STOP",
		"leaving STOP_COPY ends the session"
	},
	[R_RESUMING_STOP] = {
		"resuming.leave", STATES ", RESUMING -> STOP",
		"leaving RESUMING ends the session"
	},
	[R_INCOMPLETE] = {
		"resuming.incomplete", STATES ", RESUMING -> STOP",
		"RESUMING cannot be left by SET before the stream is whole"
	},
	[R_INVALID] = {
		"resuming.invalid", STATES ", RESUMING -> STOP",
		"RESUMING cannot be left by SET with data that the driver found to be wrong"
	},
	[R_RESET_RESUMING] = {
		"resuming.abort", STATES ", RESUMING -> STOP",
		"a reset aborts RESUMING"
	},
	[R_RUNNING] = {
		"running.works", STATES ", RUNNING_P2P -> RUNNING",
		"in RUNNING and PRE_COPY everything works",
		"takes a driver of the device"
	},
	[R_PRE_COPY_RUNNING] = {
		"pre-copy.leave", STATES ", PRE_COPY -> RUNNING",
		"leaving PRE_COPY for RUNNING ends the session"
	},
	[R_PRE_COPY_P2P_RUNNING_P2P] = {
		"pre-copy-p2p.leave", STATES ", PRE_COPY_P2P -> RUNNING_P2P",
		"leaving PRE_COPY_P2P for RUNNING_P2P ends the session"
	},
	[R_SHARED] = {
		"saving.session", STATES ", RUNNING -> PRE_COPY",
		"PRE_COPY, PRE_COPY_P2P and STOP_COPY share one session and its fd"
	},
	[R_LOAD] = {
		"resuming.load", STATES ", STOP -> RESUMING",
		"what one fd gave can be loaded into a device of the same kind"
	},
	[R_BLOCKED] = {
		"stop-copy.blocked", STATES ", STOP_COPY -> PRE_COPY",
		"there is no way back from STOP_COPY to PRE_COPY or PRE_COPY_P2P"
	},
	[R_ERROR_TARGET] = {
		"error.target", STATES ", any -> ERROR",
		"ERROR cannot be asked for"
	},
	[R_RESET_ERROR] = {
		"error.leave", STATES ", any -> ERROR",
		"a reset, and nothing else, leads from ERROR to RUNNING"
	},
	[R_RESET_OFFERED] = {
		"reset.offered", STATES ", any -> ERROR",
		"VFIO_DEVICE_RESET is there, and VFIO_DEVICE_FLAGS_RESET says so: there is no other way out of ERROR"
	},
	[R_RESET_RUNNING] = {
		"reset.running", STATES ", any -> ERROR",
		"after a reset the state is RUNNING, and no session is left"
	},
	[R_P2P] = {
		"p2p.quiet", STATES ", P2P",
		"in RUNNING_P2P and PRE_COPY_P2P the device begins no DMA to a peer",
		"takes a driver of the device that gives it work"
	},
	[R_COMBINED] = {
		"path.shortest", STATES ", combinations",
		"what is no arc is the shortest path of arcs, with no saving state on the way"
	},
	[R_SAME] = {
		"path.empty", STATES ", combinations",
		"the path from a state to itself is empty: the session goes on, and no other begins"
	},
	[R_UNSUPPORTED] = {
		"path.unsupported", STATES ", combinations",
		"an optional state that is not claimed cannot be entered"
	},
	[R_UNKNOWN] = {
		"path.unknown", STATES,
		"a number that is no state cannot be entered"
	},
	[R_INFO] = {
		"precopy.info", PRECOPY_INFO,
		"a device that claims PRE_COPY has this ioctl, in PRE_COPY and PRE_COPY_P2P"
	},
	[R_INFO_STATE] = {
		"precopy.info-state", PRECOPY_INFO,
		"in all other states it gives EINVAL"
	},
	[R_INFO_ARGSZ] = {
		"precopy.info-argsz", PRECOPY_INFO,
		"it is refused where argsz leaves no room for the answer"
	},
	[R_INITIAL] = {
		"precopy.initial", PRECOPY_INFO,
		"initial_bytes is not zero at first"
	},
	[R_INITIAL_FALLS] = {
		"precopy.initial-falls", PRECOPY_INFO,
		"initial_bytes gets less as the data are read, down to zero"
	},
	[R_DIRTY] = {
		"precopy.dirty", PRECOPY_INFO,
		"dirty_bytes is zero at first"
	},
	[R_INFO_FLAGS] = {
		"precopy.info-v2", PRECOPY_INFO,
		"with VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2, flags has no bit but VFIO_PRECOPY_INFO_REINIT"
	},
	[R_PAUSE] = {
		"precopy.enomsg", PRECOPY_INFO,
		"when all there is has been read, read() gives ENOMSG, and both sizes are zero"
	},
	[R_PAUSE_POLL] = {
		"precopy.poll", PRECOPY_INFO,
		"after that, poll() waits for more to read"
	},
	[R_END] = {
		"stop-copy.end", PRECOPY_INFO,
		"the end of the stream is a read() of 0, again and again"
	},
	[R_END_POLL] = {
		"stop-copy.poll", PRECOPY_INFO,
		"at the end of the stream poll() says readable"
	},
	[R_END_ENOMSG] = {
		"stop-copy.no-enomsg", PRECOPY_INFO,
		"in STOP_COPY no read() gives ENOMSG"
	},
	[R_LOG_START] = {
		"dma-log.start", LOG_START,
		"logging is started for a range, and after a stop it can be started again"
	},
	[R_LOG_PAGE_SIZE] = {
		"dma-log.page-size", LOG_START,
		"START takes page_size as a hint, and returns the one it has chosen"
	},
	[R_LOG_RANGES] = {
		"dma-log.ranges", LOG_START,
		"as many ranges as fit into a page can be given"
	},
	[R_LOG_ONCE] = {
		"dma-log.once", LOG_START,
		"it cannot be started a second time before it is stopped"
	},
	[R_LOG_ALONE] = {
		"dma-log.alone", LOG_START,
		"logging has nothing to do with the migration state"
	},
	[R_LOG_STOP] = {
		"dma-log.stop", "VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP",
		"logging that was started can be stopped"
	},
	[R_LOG_REPORT_SIZE] = {
		"dma-log.report-size", LOG_REPORT,
		"a report takes any power of two as page_size, and nothing else"
	},
	[R_LOG_BITS] = {
		"dma-log.bits", LOG_REPORT,
		"a report sets bits and clears none"
	},
	[R_LOG_OFF] = {
		"dma-log.off", LOG_REPORT,
		"a report fails while logging is not on"
	},
	[R_DATA_SIZE] = {
		"data-size.states", "VFIO_DEVICE_FEATURE_MIG_DATA_SIZE",
		"the size can be asked for in each state"
	},
	[R_DATA_ESTIMATE] = {
		"data-size.estimate", "VFIO_DEVICE_FEATURE_MIG_DATA_SIZE",
		"it is an estimate of what STOP_COPY will give: not zero where STOP_COPY gives something"
	},
};
