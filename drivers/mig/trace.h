/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vfio_pci_mig

#if !defined(_VFIO_PCI_MIG_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _VFIO_PCI_MIG_TRACE_H

#include <linux/device.h>
#include <linux/tracepoint.h>

/* An arc of the FSM has been carried out, or has failed. */
TRACE_EVENT(vfio_mig_arc,
	    TP_PROTO(struct device *dev, const char *from, const char *to,
		     int error, u64 ns),
	    TP_ARGS(dev, from, to, error, ns),
	    TP_STRUCT__entry(__string(name, dev_name(dev))
			     __string(from, from)
			     __string(to, to)
			     __field(int, error)
			     __field(u64, ns)),
	    TP_fast_assign(__assign_str(name);
			   __assign_str(from);
			   __assign_str(to);
			   __entry->error = error;
			   __entry->ns = ns;),
	    TP_printk("%s from=%s to=%s error=%d ns=%llu", __get_str(name),
		      __get_str(from), __get_str(to), __entry->error,
		      __entry->ns)
);

/* A reset is over. @deferred: an arc was at work, whose end will see to the state. */
TRACE_EVENT(vfio_mig_reset,
	    TP_PROTO(struct device *dev, bool deferred),
	    TP_ARGS(dev, deferred),
	    TP_STRUCT__entry(__string(name, dev_name(dev))
			     __field(bool, deferred)),
	    TP_fast_assign(__assign_str(name);
			   __entry->deferred = deferred;),
	    TP_printk("%s deferred=%d", __get_str(name), __entry->deferred)
);

/* A function because of which a hot reset of the device is refused. */
TRACE_EVENT(vfio_mig_hot_reset_refused,
	    TP_PROTO(struct device *dev, struct device *function, int group,
		     const char *driver, int error),
	    TP_ARGS(dev, function, group, driver, error),
	    TP_STRUCT__entry(__string(name, dev_name(dev))
			     __string(function, dev_name(function))
			     __field(int, group)
			     __string(driver, driver)
			     __field(int, error)),
	    TP_fast_assign(__assign_str(name);
			   __assign_str(function);
			   __entry->group = group;
			   __assign_str(driver);
			   __entry->error = error;),
	    TP_printk("%s function=%s group=%d driver=%s error=%d",
		      __get_str(name), __get_str(function), __entry->group,
		      __get_str(driver), __entry->error)
);

#endif /* _VFIO_PCI_MIG_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
